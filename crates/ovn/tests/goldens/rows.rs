//! Rows as they would be in an empty Northbound after all wants: columns as JSON, references as the
//! names of rows.

use std::collections::BTreeMap;

use ovn::want::{Cell, RowName, Wants};
use ovsdb::value::{Atom, Datum};
use serde_json::{Map, Value as Json};

/// Rows by their names.
pub type Rows = BTreeMap<RowName, BTreeMap<String, Json>>;

fn plain(atom: &Atom) -> Json {
    match atom {
        Atom::String(text) => Json::from(&**text),
        other => other.to_json(),
    }
}

fn value(datum: &Datum) -> Json {
    if let Some(map) = datum.as_map() {
        let pair = |(key, value): (&Atom, &Atom)| (key.as_str().unwrap().to_owned(), plain(value));
        return Json::Object(map.iter().map(|(key, value)| pair((key, value))).collect());
    }
    datum.as_set().unwrap().iter().map(plain).collect()
}

/// How a row is referred to.
pub fn reference(row: &RowName) -> String {
    format!("{} {}", row.table.name(), row.key)
}

/// The rows of these units.
pub fn of<'a>(units: impl IntoIterator<Item = &'a Wants>) -> Rows {
    let mut rows = Rows::new();
    let mut members = Vec::new();
    for wants in units {
        for want in &wants.rows {
            let columns: BTreeMap<String, Json> =
                want.columns.iter().map(|(name, cell)| ((*name).to_owned(), json(cell))).collect();
            let before = rows.insert(want.row.clone(), columns);
            assert_eq!(before, None, "one row of two units: {:?}", want.row);
        }
        members.extend(&wants.members);
    }
    for member in members {
        let parent = rows.get_mut(&member.parent).unwrap_or_else(|| panic!("no row {member:?}"));
        let set = parent.entry(member.column.to_owned()).or_insert_with(|| Json::Array(Vec::new()));
        set.as_array_mut().unwrap().push(reference(&member.child).into());
    }
    for row in rows.values_mut() {
        row.retain(|_, value| match value {
            Json::Array(members) => !members.is_empty(),
            Json::Object(pairs) => !pairs.is_empty(),
            _ => true,
        });
        row.values_mut().filter_map(Json::as_array_mut).for_each(|members| {
            members.sort_by_key(ToString::to_string);
        });
    }
    rows
}

fn json(cell: &Cell) -> Json {
    match cell {
        Cell::Is(datum) | Cell::Initially(datum) => value(datum),
        Cell::Keys(keys) => {
            let there = keys.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
            Json::Object(there.map(|(key, value)| (key.clone(), value.clone().into())).collect())
        }
        Cell::Pairs { is, .. } => map(is),
        Cell::KeysInitially(keys) => map(keys),
        Cell::Refers(rows) => rows.iter().map(|row| Json::from(reference(row))).collect(),
    }
}

fn map(pairs: &BTreeMap<String, String>) -> Json {
    let pairs = pairs.iter().map(|(key, value)| (key.clone(), Json::from(value.clone())));
    Json::Object(pairs.collect::<Map<String, Json>>())
}
