//! The typed copy of what is followed: rows by name, by the keys of the indexes, and by who refers
//! to them. One update of the server is applied whole or not at all.
//!
//! Half a million logical switch ports as Neutron writes them (14 columns, 11 external ids), with
//! an index and their references, take 0.8 GB. Loading them for the first time takes 5% more at
//! its peak, since the text is never held; loading them anew, after a server went away that keeps
//! no history, holds both copies for a moment, because the former one stays readable.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::collection::walk;
use crate::error::OutOfStep;
use crate::layout::{Delta, Layout, RowChange};
use crate::row::Row;
use crate::schema::Schema;
use crate::value::{Atom, Datum};

/// A way to find rows by texts that are computed from them.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// The table.
    pub table: &'static str,
    /// What it is called in [`Replica::find`].
    pub name: &'static str,
    /// Under which keys a row is found.
    pub keys: fn(&Row) -> Vec<String>,
}

/// A change of one row.
#[derive(Clone, Debug)]
pub struct Change {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub uuid: Uuid,
    /// What it was; `None`: it is new.
    pub old: Option<Arc<Row>>,
    /// What it is now; `None`: it is gone.
    pub new: Option<Arc<Row>>,
}

/// The copy.
pub struct Replica {
    layout: Arc<Layout>,
    /// As the layout's tables.
    tables: Vec<TableRows>,
}

#[derive(Default)]
struct TableRows {
    rows: BTreeMap<Uuid, Arc<Row>>,
    indexes: Vec<(Index, HashMap<Box<str>, Holders>)>,
    /// By position of the column: (referred to, referring). A tree, since one row may be referred
    /// to by as many others as there are.
    referrers: Vec<(usize, BTreeSet<(Uuid, Uuid)>)>,
}

/// Who is found under a key, in order; mostly one.
enum Holders {
    One(Uuid),
    Several(Vec<Uuid>),
}

impl Replica {
    /// An empty copy.
    #[must_use]
    pub fn new(layout: Arc<Layout>, indexes: &[Index]) -> Self {
        let tables = layout
            .tables
            .iter()
            .map(|followed| TableRows {
                rows: BTreeMap::new(),
                indexes: indexes
                    .iter()
                    .filter(|index| index.table == followed.columns.table())
                    .map(|index| (*index, HashMap::new()))
                    .collect(),
                referrers: followed.references.iter().map(|at| (*at, BTreeSet::new())).collect(),
            })
            .collect();
        Self { layout, tables }
    }

    /// What the server has, followed or not.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.layout.schema
    }

    /// A row.
    #[must_use]
    pub fn row(&self, table: &str, uuid: Uuid) -> Option<&Arc<Row>> {
        self.table(table)?.rows.get(&uuid)
    }

    /// All rows of a table in the order of their names; none when it is not followed.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = (Uuid, &Arc<Row>)> {
        self.table(table).into_iter().flat_map(|table| &table.rows).map(|(uuid, row)| (*uuid, row))
    }

    /// How many rows a table has.
    #[must_use]
    pub fn count(&self, table: &str) -> usize {
        self.table(table).map_or(0, |table| table.rows.len())
    }

    /// The rows under a key of an index, in the order of their names.
    #[must_use]
    pub fn find(&self, table: &str, index: &str, key: &str) -> &[Uuid] {
        let holders = self.table(table).and_then(|table| {
            table.indexes.iter().find(|(known, _)| known.name == index)?.1.get(key)
        });
        holders.map_or(&[], Holders::as_slice)
    }

    /// The rows of `table` whose `column` refers to the row `to`, in the order of their names.
    pub fn referrers(&self, table: &str, column: &str, to: Uuid) -> impl Iterator<Item = Uuid> {
        let kept = self.layout.position(table).and_then(|at| {
            let position = self.layout.tables.get(at)?.columns.position(column)?;
            let (_, pairs) =
                self.tables.get(at)?.referrers.iter().find(|(column, _)| *column == position)?;
            Some(pairs)
        });
        kept.into_iter()
            .flat_map(move |pairs| pairs.range((to, Uuid::nil())..=(to, Uuid::max())))
            .map(|(_, referring)| *referring)
    }

    /// How many references are kept.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn reference_count(&self) -> usize {
        let kept = self.tables.iter().flat_map(|table| &table.referrers);
        kept.map(|(_, pairs)| pairs.len()).sum()
    }

    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    fn table(&self, name: &str) -> Option<&TableRows> {
        self.tables.get(self.layout.position(name)?)
    }

    /// Applies one message of the server, and says what it changed.
    ///
    /// # Errors
    /// It does not follow on what is here; then nothing was applied.
    pub fn apply(&mut self, changes: Vec<RowChange>) -> Result<Vec<Change>, OutOfStep> {
        for change in &changes {
            let known = self
                .tables
                .get(change.table)
                .is_some_and(|table| table.rows.contains_key(&change.uuid));
            if matches!(change.delta, Delta::Differs(_)) && !known {
                return Err(OutOfStep { uuid: change.uuid });
            }
        }
        Ok(changes.into_iter().filter_map(|change| self.apply_one(change)).collect())
    }

    fn apply_one(&mut self, change: RowChange) -> Option<Change> {
        let RowChange { table: at, uuid, delta } = change;
        let followed = self.layout.tables.get(at)?;
        let table = self.tables.get_mut(at)?;
        let old = table.rows.get(&uuid).cloned();
        let new = match (delta, &old) {
            (Delta::Whole(row), _) => Some(row),
            (Delta::Differs(differences), Some(old)) => Some(old.changed(differences)),
            (Delta::Differs(_), None) | (Delta::Gone, _) => None,
        };
        if old.as_deref() == new.as_ref() {
            return None;
        }
        let new = new.map(Arc::new);
        table.exchange(uuid, old.as_deref(), new.as_ref());
        Some(Change { table: followed.columns.table(), uuid, old, new })
    }
}

impl TableRows {
    fn exchange(&mut self, uuid: Uuid, old: Option<&Row>, new: Option<&Arc<Row>>) {
        for (index, holders) in &mut self.indexes {
            let before = old.map(index.keys).unwrap_or_default();
            let after = new.map(|row| (index.keys)(row)).unwrap_or_default();
            if before == after {
                continue;
            }
            before.iter().for_each(|key| take_out(holders, key, uuid));
            after.into_iter().for_each(|key| put_in(holders, key, uuid));
        }
        for (position, pairs) in &mut self.referrers {
            let before = old.and_then(|row| row.cell(*position));
            let after = new.and_then(|row| row.cell(*position));
            if before == after {
                continue;
            }
            let (before, after) = (references(before), references(after));
            // One walk: of a long set mostly one member differs.
            walk(&before, &after, Uuid::cmp, |went, came| match (went, came) {
                (Some(went), None) => drop(pairs.remove(&(*went, uuid))),
                (None, Some(came)) => drop(pairs.insert((*came, uuid))),
                _ => {}
            });
        }
        match new {
            Some(row) => self.rows.insert(uuid, Arc::clone(row)),
            None => self.rows.remove(&uuid),
        };
    }
}

/// The references in a value, sorted.
fn references(datum: Option<&Datum>) -> Vec<Uuid> {
    match datum {
        Some(Datum::Set(set)) => set.iter().filter_map(Atom::as_uuid).collect(),
        Some(Datum::Map(map)) => {
            let both = map.keys().chain(map.values());
            let mut all: Vec<Uuid> = both.filter_map(Atom::as_uuid).collect();
            all.sort_unstable();
            all.dedup();
            all
        }
        None => Vec::new(),
    }
}

fn put_in(holders: &mut HashMap<Box<str>, Holders>, key: String, uuid: Uuid) {
    match holders.entry(key.into_boxed_str()) {
        Entry::Vacant(vacant) => {
            vacant.insert(Holders::One(uuid));
        }
        Entry::Occupied(mut occupied) => occupied.get_mut().put_in(uuid),
    }
}

fn take_out(holders: &mut HashMap<Box<str>, Holders>, key: &str, uuid: Uuid) {
    if let Some(all) = holders.get_mut(key)
        && all.take_out(uuid)
    {
        holders.remove(key);
    }
}

impl Holders {
    fn as_slice(&self) -> &[Uuid] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }

    fn put_in(&mut self, uuid: Uuid) {
        match self {
            Self::One(one) if *one == uuid => {}
            Self::One(one) => {
                *self = Self::Several(vec![uuid.min(*one), uuid.max(*one)]);
            }
            Self::Several(several) => {
                if let Err(at) = several.binary_search(&uuid) {
                    several.insert(at, uuid);
                }
            }
        }
    }

    /// Takes one out; `true`: nobody is left.
    fn take_out(&mut self, uuid: Uuid) -> bool {
        match self {
            Self::One(one) => *one == uuid,
            Self::Several(several) => {
                if let Ok(at) = several.binary_search(&uuid) {
                    several.remove(at);
                }
                several.is_empty()
            }
        }
    }
}
