//! What a unit should look like in Northbound: rows named by their keys, with the columns that are
//! ours, and which rows belong to which. Plain data between `render` and `diff`.

use std::collections::BTreeMap;

use ovsdb::value::{Atom, Datum};

use crate::nb::Table;

/// A row by its key, there already or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowName {
    /// The table.
    pub table: Table,
    /// As [`Table::key`] gives it.
    pub key: String,
}

impl RowName {
    /// The row of `table` with `key`.
    pub fn new(table: Table, key: impl Into<String>) -> Self {
        Self { table, key: key.into() }
    }
}

/// What a column should hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Exactly this.
    Is(Datum),
    /// This in a new row; what is there already stays.
    Initially(Datum),
    /// These keys of a map, `None`: not there; other keys belong to others.
    Keys(BTreeMap<String, Option<String>>),
    /// References to exactly these rows.
    Refers(Vec<RowName>),
    /// These keys of a map in a new row; a key that is there stays as it is.
    KeysInitially(BTreeMap<String, String>),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    /// Its name.
    pub row: RowName,
    /// The columns that are ours. One that the server's schema lacks is left out.
    pub columns: Vec<(&'static str, Cell)>,
}

impl Want {
    /// The column holds exactly this.
    #[must_use]
    pub fn is(mut self, column: &'static str, datum: Datum) -> Self {
        self.columns.push((column, Cell::Is(datum)));
        self
    }

    /// The column is this one text, number, flag or reference.
    #[must_use]
    pub fn one(self, column: &'static str, atom: impl Into<Atom>) -> Self {
        self.is(column, Datum::one(atom))
    }

    /// The column as said.
    #[must_use]
    pub fn cell(mut self, column: &'static str, cell: Cell) -> Self {
        self.columns.push((column, cell));
        self
    }
}

/// A row is in a set of another row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The row with the set.
    pub parent: RowName,
    /// The column of the set.
    pub column: &'static str,
    /// The member.
    pub child: RowName,
}

/// All that a unit should look like; empty for a unit that is gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// Its rows.
    pub rows: Vec<Want>,
    /// The sets in which its rows are. A row of this unit is in no other set of
    /// `(parent's table, column)` pairs that `diff` knows to be memberships.
    pub members: Vec<Member>,
}

impl Wants {
    /// Adds a row without columns.
    pub fn row(&mut self, want: Want) {
        self.rows.push(want);
    }

    /// Says that `child` is in the set `column` of `parent`.
    pub fn member(&mut self, parent: RowName, column: &'static str, child: RowName) {
        self.members.push(Member { parent, column, child });
    }
}

/// Begins a row.
pub fn row(table: Table, key: impl Into<String>) -> Want {
    Want { row: RowName::new(table, key), columns: Vec::new() }
}
