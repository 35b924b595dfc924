//! Our tables against Neutron's: every attribute of every collection we serve, and the default
//! quotas. What differs is a row of `docs/differences.md`; a row that no longer holds fails as a
//! difference without a row does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::KINDS;
use model::kind::Kind;
use model::settings::Settings;
use serde_json::{Map, Value as Json, json};
use wire::attr::{Attr, Default};

/// What differs, by what it is: Neutron's value and ours.
type Differences = BTreeMap<String, (String, String)>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn facts(name: &str) -> Json {
    let text = std::fs::read_to_string(root().join("tests/reference").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The rows under a heading of `docs/differences.md`: `| what | Neutron | Nucleon | why |`.
fn written(heading: &str) -> Differences {
    let text = std::fs::read_to_string(root().join("docs/differences.md")).unwrap();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, theirs, ours, why] = cells[..] else { panic!("not four cells: {row}") };
        assert!(why.len() > 10, "a reason is a sentence: {row}");
        let bare = |cell: &str| cell.trim_matches('`').to_owned();
        (bare(what), (bare(theirs), bare(ours)))
    })
    .collect()
}

/// Fails with rows as they would have to be written.
fn compare(heading: &str, found: &Differences) {
    let written = written(heading);
    let row = |(what, (theirs, ours)): (&String, &(String, String))| {
        format!("| `{what}` | {theirs} | {ours} |")
    };
    let new = found.iter().filter(|(what, cells)| written.get(*what) != Some(cells));
    let gone = written.iter().filter(|(what, cells)| found.get(*what) != Some(cells));
    let new: Vec<String> = new.map(row).collect();
    let gone: Vec<String> = gone.map(row).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "differ without a row:\n{}\nrows that no longer hold:\n{}",
        new.join("\n"),
        gone.join("\n"),
    );
}

#[test]
fn every_attribute_is_as_neutron_has_it_but_for_the_differences_written_down() {
    let facts = facts("attributes.json");
    let mut found = Differences::new();
    for kind in KINDS {
        let many = kind.table().many;
        let Some(theirs) = facts.get(many).and_then(Json::as_object) else {
            found.insert(many.into(), ("missing".into(), "served".into()));
            continue;
        };
        let theirs = &one_project(theirs);
        let same = theirs.keys().filter(|name| attribute(*kind, name, theirs, &mut found));
        // So that a table that is empty, or facts that are, cannot pass.
        assert!(same.count() > 0, "{many} has attributes in common with Neutron");
        for attr in kind.table().attrs {
            if attr.verbs.visible && !theirs.contains_key(attr.wire) {
                let what = format!("{many}.{}", attr.wire);
                found.insert(what, ("missing".into(), "served".into()));
            }
        }
    }
    compare("Attributes", &found);
}

/// `tenant_id` and `project_id` are one attribute; the facts have the one or the other.
fn one_project(theirs: &Map<String, Json>) -> Map<String, Json> {
    let mut theirs = theirs.clone();
    if let Some(tenant) = theirs.remove("tenant_id") {
        theirs.entry("project_id").or_insert(tenant);
    }
    theirs
}

/// Compares one attribute; true when we have it.
fn attribute(
    kind: &dyn Kind,
    name: &str,
    theirs: &Map<String, Json>,
    found: &mut Differences,
) -> bool {
    let table = kind.table();
    // Filters that every taggable kind has, without a line in its table.
    if table.taggable && ["tags-any", "not-tags", "not-tags-any"].contains(&name) {
        return false;
    }
    let what = format!("{}.{name}", table.many);
    let Some(attr) = table.attr(name) else {
        found.insert(what, ("served".into(), "missing".into()));
        return false;
    };
    let theirs = &theirs[name];
    let fact = |key: &str| theirs[key] == true;
    let flags = [
        ("allow_post", fact("allow_post"), attr.verbs.post),
        ("allow_put", fact("allow_put"), attr.verbs.put),
        ("is_filter", fact("is_filter"), attr.verbs.filter || (name == "tags" && table.taggable)),
        ("is_sort_key", fact("is_sort_key"), attr.verbs.sort),
        ("is_visible", fact("is_visible"), attr.verbs.visible),
        ("enforce_policy", fact("enforce_policy"), attr.verbs.enforce),
    ];
    for (flag, neutron, ours) in flags {
        if neutron != ours {
            found.insert(format!("{what} {flag}"), (neutron.to_string(), ours.to_string()));
        }
    }
    if attr.verbs.post && fact("allow_post") {
        let (neutron, ours) = (default_there(theirs), default_here(attr));
        if neutron != ours {
            found.insert(format!("{what} default"), (neutron, ours));
        }
    }
    true
}

fn default_there(attribute: &Json) -> String {
    match attribute.get("default") {
        None => "required".into(),
        Some(Json::String(unset)) if unset == "<unset>" => "unset".into(),
        Some(default) => default.to_string(),
    }
}

fn default_here(attr: &Attr) -> String {
    match attr.verbs.default {
        Default::Required => "required".into(),
        Default::Unset => "unset".into(),
        Default::Null => "null".into(),
        Default::Bool(truth) => truth.to_string(),
        Default::Int(number) => number.to_string(),
        Default::Text(text) => json!(text).to_string(),
        Default::List => "[]".into(),
    }
}

#[test]
fn the_default_quotas_are_neutrons() {
    let facts = facts("quotas.json");
    let settings = Settings::default();
    let mut found = Differences::new();
    let resources = facts
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(key, limit)| Some((key.strip_prefix("quota_")?, limit.as_i64()?)));
    let resources: BTreeMap<&str, i64> = resources.collect();
    assert!(resources.len() > 5, "the facts have quotas");
    for (resource, limit) in &resources {
        let ours = settings.quota(resource);
        if ours != *limit {
            found.insert((*resource).into(), (limit.to_string(), ours.to_string()));
        }
    }
    for (resource, ours) in
        settings.quotas.iter().filter(|(name, _)| !resources.contains_key(name.as_str()))
    {
        // What has no quota of its own there has this one.
        let limit = facts["default_quota"].as_i64().unwrap();
        if *ours != limit {
            found.insert(resource.clone(), (limit.to_string(), ours.to_string()));
        }
    }
    compare("Quotas", &found);
}
