//! A transaction being worked on: the rows it has changed so far, over the database's content.

use std::sync::Arc;

use uuid::Uuid;

use super::cell::Names;
use super::condition::Condition;
use super::database::{Change, Changes, Database};
use super::table::{Address, Layout, Row, TableNumber};

/// The transaction.
pub(super) struct Work<'a> {
    /// What it began with.
    pub database: &'a Database,
    /// Names of its rows.
    pub names: Names,
    /// The rows it has touched.
    pub changes: Changes,
}

impl<'a> Work<'a> {
    /// Begins.
    pub fn new(database: &'a Database) -> Self {
        Self { database, names: Names::default(), changes: Changes::new() }
    }

    /// What the schema says of the table.
    pub fn layout(&self, table: TableNumber) -> Option<&'a Arc<Layout>> {
        Some(&self.database.content.table(table)?.layout)
    }

    /// The row as it is now.
    pub fn row(&self, address: Address) -> Option<&Arc<Row>> {
        match self.changes.get(&address) {
            Some(change) => change.after.as_ref(),
            None => self.database.content.row(address),
        }
    }

    /// Writes the row, or takes it away.
    pub fn put(&mut self, address: Address, row: Option<Arc<Row>>) {
        let database = self.database;
        self.changes
            .entry(address)
            .or_insert_with(|| Change {
                before: database.content.row(address).cloned(),
                after: None,
            })
            .after = row;
    }

    /// There is such a row, or this transaction has deleted one that was there before.
    pub fn known(&self, address: Address) -> bool {
        self.row(address).is_some()
            || self.changes.get(&address).is_some_and(|change| change.before.is_some())
    }

    /// The rows that are meant, in the order of their UUIDs.
    pub fn meant(&self, table: TableNumber, condition: &Condition) -> Vec<(Uuid, Arc<Row>)> {
        let fits =
            |uuid: Uuid, row: &Arc<Row>| condition.all(uuid, row).then(|| (uuid, Arc::clone(row)));
        if let Some(only) = condition.only() {
            return self.row((table, only)).and_then(|row| fits(only, row)).into_iter().collect();
        }
        let Some(content) = self.database.content.table(table) else { return Vec::new() };
        let untouched = content
            .rows
            .iter()
            .filter(|(uuid, _)| !self.changes.contains_key(&(table, **uuid)))
            .filter_map(|(uuid, row)| fits(*uuid, row));
        let touched = self
            .changes
            .range((table, Uuid::nil())..=(table, Uuid::max()))
            .filter_map(|((_, uuid), change)| fits(*uuid, change.after.as_ref()?));
        let mut meant: Vec<_> = untouched.chain(touched).collect();
        meant.sort_unstable_by_key(|(uuid, _)| *uuid);
        meant
    }
}
