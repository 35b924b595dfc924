//! Compares rows whose names are labels already.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// Rows by label.
pub type Labelled = BTreeMap<String, BTreeMap<String, Json>>;

/// One place that differs.
pub struct Difference {
    /// The row, the column, and the key where it is a map.
    pub place: String,
    /// What the record has.
    pub theirs: String,
    /// What is rendered.
    pub ours: String,
}

fn shown(value: Option<&Json>) -> String {
    value.map_or_else(|| "not there".to_owned(), Json::to_string)
}

/// All differences.
pub fn compare(theirs: &Labelled, ours: &Labelled) -> Vec<Difference> {
    let mut found = Vec::new();
    let labels: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    for label in labels {
        let (Some(theirs), Some(ours)) = (theirs.get(label), ours.get(label)) else {
            let is_there = |rows: &Labelled| rows.contains_key(label).to_string();
            found.push(Difference {
                place: label.clone(),
                theirs: is_there(theirs),
                ours: is_there(ours),
            });
            continue;
        };
        let columns: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for column in columns {
            let place = format!("{label}.{column}");
            cell(&place, theirs.get(column), ours.get(column), &mut found);
        }
    }
    found
}

fn cell(place: &str, theirs: Option<&Json>, ours: Option<&Json>, found: &mut Vec<Difference>) {
    let map = |value: Option<&Json>| value.and_then(Json::as_object).cloned();
    if map(theirs).is_some() || map(ours).is_some() {
        let (theirs, ours) = (map(theirs).unwrap_or_default(), map(ours).unwrap_or_default());
        let keys: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for key in keys {
            one(&format!("{place}.{key}"), theirs.get(key), ours.get(key), found);
        }
        return;
    }
    one(place, theirs, ours, found);
}

fn one(place: &str, theirs: Option<&Json>, ours: Option<&Json>, found: &mut Vec<Difference>) {
    if theirs != ours {
        let place = place.to_owned();
        found.push(Difference { place, theirs: shown(theirs), ours: shown(ours) });
    }
}
