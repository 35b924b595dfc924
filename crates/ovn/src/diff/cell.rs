//! One column: what a new row gets in it, and what has to change in that of a row that is there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ovsdb::value::{Atom, Datum};
use uuid::Uuid;

use super::{At, Edit, SYNC};
use crate::want::{Cell, RowName};

/// What a new row gets.
pub fn fresh(cell: &Cell, resolve: impl Fn(&RowName) -> Option<Uuid>) -> Datum {
    match cell {
        Cell::Is(datum) | Cell::Initially(datum) => datum.clone(),
        Cell::Keys(keys) => {
            let there = keys.iter().filter_map(|(key, value)| Some((&**key, value.as_deref()?)));
            Datum::map(there)
        }
        Cell::KeysInitially(pairs) | Cell::Pairs { is: pairs, .. } => {
            Datum::map(pairs.iter().map(|(key, value)| (&**key, &**value)))
        }
        Cell::Refers(rows) => Datum::set(rows.iter().filter_map(resolve)),
    }
}

/// Two cells may speak of one map.
pub fn merge(entry: Entry<'_, &'static str, Datum>, datum: Datum) {
    match (entry, datum) {
        (Entry::Vacant(vacant), datum) => drop(vacant.insert(datum)),
        (Entry::Occupied(mut known), Datum::Map(more)) => {
            if let Datum::Map(map) = known.get_mut() {
                map.extend(more);
            }
        }
        (Entry::Occupied(mut known), datum) => drop(known.insert(datum)),
    }
}

/// What has to change in a row that is there, if anything.
pub fn changed(
    at: &At,
    column: &'static str,
    have: &Datum,
    cell: &Cell,
    resolve: impl Fn(&RowName) -> Option<Uuid>,
) -> Option<Edit> {
    let mut pairs = Pairs::default();
    match cell {
        Cell::Is(is) => return set(at, column, have, is.clone()),
        Cell::Refers(rows) => {
            return set(at, column, have, Datum::set(rows.iter().filter_map(resolve)));
        }
        Cell::Initially(_) => return None,
        Cell::Keys(keys) => {
            for (key, value) in keys {
                pairs.want(have, key, value.as_deref());
            }
        }
        Cell::KeysInitially(initial) => {
            for (key, value) in initial.iter().filter(|(key, _)| have.text_at(key).is_none()) {
                pairs.want(have, key, Some(value));
            }
        }
        Cell::Pairs { is, kept } => {
            let stays = |key: &str| key == SYNC || kept.contains(&key) && is.contains_key(key);
            let keys = have.as_map().into_iter().flat_map(|map| map.keys());
            for key in keys.filter_map(Atom::as_str) {
                if !is.contains_key(key) && !stays(key) {
                    pairs.want(have, key, None);
                }
            }
            for (key, value) in is {
                if !(stays(key) && have.text_at(key).is_some()) {
                    pairs.want(have, key, Some(value));
                }
            }
        }
    }
    pairs.edit(at, column)
}

fn set(at: &At, column: &'static str, have: &Datum, is: Datum) -> Option<Edit> {
    // The empty map and the empty set are written the same way.
    if *have == is || (have.is_empty() && is.is_empty()) {
        return None;
    }
    Some(Edit::Set { at: at.clone(), column, was: have.clone(), is })
}

/// Pairs of a map that are not as wanted: what is there, and what should be.
#[derive(Default)]
struct Pairs {
    was: BTreeMap<String, String>,
    is: BTreeMap<String, String>,
}

impl Pairs {
    fn want(&mut self, have: &Datum, key: &str, value: Option<&str>) {
        let was = have.text_at(key);
        if was == value {
            return;
        }
        self.was.extend(was.map(|was| (key.to_owned(), was.to_owned())));
        self.is.extend(value.map(|value| (key.to_owned(), value.to_owned())));
    }

    fn edit(self, at: &At, column: &'static str) -> Option<Edit> {
        let Self { was, is } = self;
        if was.is_empty() && is.is_empty() {
            return None;
        }
        Some(Edit::Pairs { at: at.clone(), column, was, is })
    }
}
