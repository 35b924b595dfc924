//! What Neutron wrote to Northbound, against what is rendered here: the calls of each recorded
//! scenario are made on a server in the process, and the rows of all units compared with the
//! recorded ones. A difference is a row of `docs/differences.md`, and such a row has to differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod cloud;
mod compare;
mod labels;
mod rows;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex_lite::Regex;
use serde_json::{Value as Json, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn scenarios() -> Vec<(String, Json)> {
    let files = std::fs::read_dir(root().join("tests/reference/ovn")).unwrap();
    let mut scenarios: Vec<(String, Json)> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| !path.ends_with("scenarios.json"))
        .filter(|path| path.file_stem().is_some_and(|name| name != "scenarios"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    scenarios.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(scenarios.len() > 60, "the scenarios are there");
    scenarios
}

/// The differences that are written down, by scenario and place.
fn written() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs/differences.md")).unwrap();
    let (_, section) = text.split_once("\n## Rows of OVN\n").expect("the heading is there");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, _, _, why] = cells.as_slice() else { panic!("four cells: {row}") };
        assert!(why.len() > 10, "a reason is a sentence: {row}");
        what.trim_matches('`').to_owned()
    })
    .collect()
}

/// A history in the short form of `readers.json`: as a record, without replies but for ids.
fn history(steps: &Json) -> Json {
    let call = |step: &Json| {
        let method = step[0].as_str().unwrap();
        let status = match method {
            "POST" => 201,
            "DELETE" => 204,
            _ => 200,
        };
        let reply = step[3].as_str().map_or(Json::Null, |name| {
            let body = step[2].as_object().unwrap();
            let kind = body.keys().next().unwrap();
            json!({kind: {"id": format!("<{name}>")}})
        });
        json!({
            "method": method, "path": step[1], "body": step[2], "status": status, "reply": reply,
        })
    };
    json!({"calls": steps.as_array().unwrap().iter().map(call).collect::<Vec<_>>()})
}

/// [`cloud::play`] compares after each call what was rendered of the marked units with all that
/// there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_something_of_another_unit_is_marked_when_it_changes() {
    let histories: Json = serde_json::from_str(include_str!("readers.json")).unwrap();
    for (name, steps) in histories.as_object().unwrap() {
        let cloud = cloud::play(name, &history(steps)).await;
        assert!(cloud.rows.len() > 3, "{name}: something is left");
    }
}

/// A place with `*` for anything.
fn pattern(place: &str) -> Regex {
    let parts: Vec<String> = place.split('*').map(regex_lite::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_are_neutrons_but_for_the_differences_written_down() {
    let mut found = BTreeMap::new();
    for (name, scenario) in scenarios() {
        let cloud = cloud::play(&name, &scenario).await;
        let theirs = labels::recorded(&scenario);
        let ours = labels::rendered(cloud.rows, &cloud.names, &scenario);
        for difference in compare::compare(&theirs, &ours) {
            let place = format!("{name}: {}", difference.place);
            let row = format!("| `{place}` | {} | {} |", difference.theirs, difference.ours);
            found.insert(place, row);
        }
    }
    let written: Vec<(String, Regex)> =
        written().into_iter().map(|place| (place.clone(), pattern(&place))).collect();
    let is_written = |place: &String| written.iter().any(|(_, pattern)| pattern.is_match(place));
    let new: Vec<&String> =
        found.iter().filter(|(place, _)| !is_written(place)).map(|(_, row)| row).collect();
    let holds = |pattern: &Regex| found.keys().any(|place| pattern.is_match(place));
    let gone: Vec<&String> =
        written.iter().filter(|(_, pattern)| !holds(pattern)).map(|(place, _)| place).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "not written down:\n{new:#?}\nwritten down and no difference:\n{gone:#?}"
    );
}
