//! The extensions we announce against those of Neutron: the same aliases, names and times, but for
//! the rows of `docs/differences.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use api::extension::EXTENSIONS;
use policy::default_rule::DefaultRule;
use serde_json::Value as Json;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// `what | Neutron | Nucleon` of each row under the heading.
fn written(heading: &str) -> BTreeSet<String> {
    let text = read("docs/differences.md");
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let (row, why) = row.trim_matches('|').trim().rsplit_once(" | ").unwrap();
        assert!(why.trim().len() > 10, "a reason is a sentence: {row}");
        row.to_owned()
    })
    .collect()
}

#[test]
fn the_extensions_are_neutrons_but_for_the_differences_written_down() {
    let facts: Json = serde_json::from_str(&read("tests/reference/extensions.json")).unwrap();
    let theirs: BTreeMap<&str, &Json> =
        facts.as_array().unwrap().iter().map(|one| (one["alias"].as_str().unwrap(), one)).collect();
    let mut found = BTreeSet::new();
    for ours in EXTENSIONS {
        let Some(theirs) = theirs.get(ours.alias) else {
            found.insert(format!("`{}` | missing | served", ours.alias));
            continue;
        };
        for (fact, value) in [("name", ours.name), ("updated", ours.updated)] {
            if theirs[fact] != value {
                found.insert(format!("`{} {fact}` | {} | {value}", ours.alias, theirs[fact]));
            }
        }
    }
    let served: BTreeSet<&str> = EXTENSIONS.iter().map(|one| one.alias).collect();
    assert_eq!(served.len(), EXTENSIONS.len(), "no alias is there twice");
    for alias in theirs.keys().filter(|alias| !served.contains(*alias)) {
        found.insert(format!("`{alias}` | served | missing"));
    }
    compare("Extensions", &found);
}

#[test]
fn rules_of_our_own_are_written_down_and_are_none_of_neutrons() {
    let facts: Json = serde_json::from_str(&read("tests/reference/policies.json")).unwrap();
    let theirs: BTreeSet<&str> =
        facts.as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap()).collect();
    let ours = policy::defaults::OWN;
    assert!(ours.iter().all(|rule| !theirs.contains(rule.name)));
    let row = |rule: &DefaultRule| format!("`{}` | missing | `{}`", rule.name, rule.check);
    compare("Rules", &ours.iter().map(row).collect());
}

/// Fails with rows as they would have to be written.
fn compare(heading: &str, found: &BTreeSet<String>) {
    let written = written(heading);
    let list = |rows: &BTreeSet<String>, others: &BTreeSet<String>| {
        rows.difference(others).map(|row| format!("| {row} |")).collect::<Vec<_>>().join("\n")
    };
    let (new, gone) = (list(found, &written), list(&written, found));
    assert!(
        new.is_empty() && gone.is_empty(),
        "differ without a row:\n{new}\nrows that no longer hold:\n{gone}"
    );
}

#[test]
fn an_extension_comes_with_those_it_requires() {
    let facts: Json = serde_json::from_str(&read("tests/reference/extensions.json")).unwrap();
    let served: BTreeSet<&str> = EXTENSIONS.iter().map(|one| one.alias).collect();
    let mut lacking = BTreeSet::new();
    for one in facts.as_array().unwrap() {
        let alias = one["alias"].as_str().unwrap();
        let required = one["requires"].as_array().unwrap().iter().filter_map(Json::as_str);
        let missing = required.filter(|required| !served.contains(required));
        if served.contains(alias) {
            lacking.extend(missing.map(|required| format!("`{alias}` | {required} | none")));
        }
    }
    compare("What extensions require", &lacking);
}
