//! A recorded value and the one that was answered: every place where they differ. What matches what
//! is said in the README of the transcripts; `record.py check` compares in the same way.

use regex_lite::Regex;
use serde_json::{Value as Json, json};

use crate::names::{Names, name_alone, parts};

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
/// Numbers of Neutron's own database that some replies show by accident.
const IGNORED: &str = "standard_attr_id";

/// The pattern behind a placeholder.
fn placeholder(text: &str) -> Option<&'static str> {
    Some(match text {
        "<uuid>" => UUID,
        "<time>" => r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        "<mac>" => "(?:[0-9a-f]{2}:){5}[0-9a-f]{2}",
        "<ip>" => r"(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]+)",
        "<hostname>" => "host-[0-9a-f-]+",
        "<url>" => "https?://[^\"]+",
        _ => return None,
    })
}

/// One place where a reply is not as recorded.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path into the body, without positions in lists: `networks.subnets`.
    pub path: String,
    /// What is there instead of what.
    pub said: String,
}

impl Place {
    pub fn new(path: &str, said: impl Into<String>) -> Self {
        Self { path: path.to_owned(), said: said.into() }
    }
}

/// Of an error only its type is part of the contract; the sentences are each server's own.
pub fn error_only(mut body: Json) -> Json {
    if let Some(error) = body.get("NeutronError").filter(|error| error.is_object()) {
        return json!({"NeutronError": {"type": error["type"]}});
    }
    if let Some(error) = body.get_mut("error").and_then(Json::as_object_mut) {
        error.shift_remove("message");
    }
    body
}

/// Every place where `actual` is not what `expected` says.
pub fn places(
    expected: &Json,
    actual: &Json,
    names: &Names,
    path: &str,
    ordered: bool,
) -> Vec<Place> {
    match (expected, actual) {
        (Json::String(any), _) if any == "<any>" => Vec::new(),
        (Json::Object(_), Json::Object(_)) => in_object(expected, actual, names, path, ordered),
        (Json::Array(wanted), Json::Array(found)) => in_list(wanted, found, names, path, ordered),
        _ if matches(expected, actual, names) => Vec::new(),
        _ => vec![Place::new(path, format!("{} instead of {}", show(actual), show(expected)))],
    }
}

fn in_object(
    expected: &Json,
    actual: &Json,
    names: &Names,
    path: &str,
    ordered: bool,
) -> Vec<Place> {
    let (Some(wanted), Some(found)) = (expected.as_object(), actual.as_object()) else {
        return Vec::new();
    };
    let mut keys: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut all = Vec::new();
    for key in keys.into_iter().filter(|key| *key != IGNORED) {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (wanted.get(key), found.get(key)) {
            (Some(wanted), Some(found)) => {
                let ordered = ordered || key == "dns_nameservers";
                all.extend(places(wanted, found, names, &inner, ordered));
            }
            (Some(wanted), None) => {
                all.push(Place::new(&inner, format!("missing; recorded is {}", show(wanted))));
            }
            (None, found) => {
                let found = found.map(show).unwrap_or_default();
                all.push(Place::new(&inner, format!("{found} where nothing is recorded")));
            }
        }
    }
    all
}

/// Where the order does not count, elements are paired so that few places differ.
fn in_list(
    wanted: &[Json],
    found: &[Json],
    names: &Names,
    path: &str,
    ordered: bool,
) -> Vec<Place> {
    if wanted.len() != found.len() {
        let said = format!("{} elements instead of {}", found.len(), wanted.len());
        return vec![Place::new(path, said)];
    }
    let compared = |one: &Json, other: &Json| places(one, other, names, path, false);
    if ordered {
        return wanted.iter().zip(found).flat_map(|(one, other)| compared(one, other)).collect();
    }
    let table: Vec<Vec<Vec<Place>>> =
        wanted.iter().map(|one| found.iter().map(|other| compared(one, other)).collect()).collect();
    let pairs = pairs(&table);
    pairs.iter().zip(&table).flat_map(|(other, row)| row[*other].iter().cloned()).collect()
}

/// A partner for each row: the nearest that is left, then exchanged with others as long as that
/// makes the differences fewer.
fn pairs(table: &[Vec<Vec<Place>>]) -> Vec<usize> {
    let cost = |one: usize, other: usize| table[one][other].len();
    let mut left: Vec<usize> = (0..table.len()).collect();
    let mut pairs = Vec::new();
    for one in 0..table.len() {
        let nearest = (0..left.len()).min_by_key(|place| cost(one, left[*place])).unwrap();
        pairs.push(left.remove(nearest));
    }
    let mut is_better = true;
    while is_better {
        is_better = false;
        for one in 0..pairs.len() {
            for two in 0..one {
                let (a, b) = (pairs[one], pairs[two]);
                if cost(one, b) + cost(two, a) < cost(one, a) + cost(two, b) {
                    pairs.swap(one, two);
                    is_better = true;
                }
            }
        }
    }
    pairs
}

/// Is one value what is recorded?
pub fn matches(expected: &Json, actual: &Json, names: &Names) -> bool {
    match (expected, actual) {
        (Json::String(word), actual) if word == "<int>" => actual.is_i64() || actual.is_u64(),
        (Json::String(word), actual) if name_alone(word).is_some() && !actual.is_string() => {
            name_alone(word).and_then(|name| names.text(name)) == Some(actual.to_string())
        }
        (Json::String(expected), Json::String(actual)) => text_matches(expected, actual, names),
        _ => expected == actual,
    }
}

/// The same for texts, with names and placeholders anywhere in them.
pub fn text_matches(expected: &str, actual: &str, names: &Names) -> bool {
    let mut pattern = "^".to_owned();
    for part in parts(expected) {
        match name_alone(part) {
            Some(name) => {
                let known = names.text(name);
                pattern += &regex_lite::escape(known.as_deref().unwrap_or(part));
            }
            None => pattern += &with_placeholders(part),
        }
    }
    Regex::new(&(pattern + "$")).unwrap().is_match(actual)
}

fn with_placeholders(mut text: &str) -> String {
    let mut pattern = String::new();
    while let Some(start) = text.find('<') {
        let end = text[start..].find('>').map(|length| start + length + 1);
        pattern += &regex_lite::escape(&text[..start]);
        match end.and_then(|end| Some((end, placeholder(&text[start..end])?))) {
            Some((end, placeholder)) => {
                pattern += placeholder;
                text = &text[end..];
            }
            None => {
                pattern += "<";
                text = &text[start + 1..];
            }
        }
    }
    pattern + &regex_lite::escape(text)
}

fn show(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[test]
fn placeholders_names_and_order_are_understood() {
    let mut names = Names::default();
    names.save("net", json!("n-1"));
    names.save("vlan", json!(7));
    let differs = |expected: Json, actual: Json| {
        let places = places(&expected, &actual, &names, "", false);
        places.into_iter().map(|place| place.path).collect::<Vec<_>>()
    };
    let same: [&str; 0] = [];
    assert_eq!(
        differs(json!({"a": "x-${net}", "b": "${vlan}"}), json!({"a": "x-n-1", "b": 7})),
        same
    );
    assert_eq!(
        differs(json!({"a": "<int>", "t": "<time>"}), json!({"a": true, "t": "x"})),
        ["a", "t"]
    );
    assert_eq!(differs(json!([1, {"k": 2}]), json!([{"k": 2}, 1])), same);
    assert_eq!(
        differs(json!({"dns_nameservers": [1, 2]}), json!({"dns_nameservers": [2, 1]})).len(),
        2
    );
    assert_eq!(differs(json!({"l": [{"k": 2}]}), json!({"l": [{"k": 3, "m": 1}]})), ["l.k", "l.m"]);
    assert_eq!(differs(json!(1), json!(true)), [""]);
    assert_eq!(differs(json!("a<b>.c"), json!("a<b>.c")), same);
    assert_eq!(differs(json!("a.c"), json!("abc")), [""]);
}
