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
    /// Exactly these pairs of a map; where `kept` has a key, what the row holds under it stays.
    Pairs {
        /// All pairs.
        is: BTreeMap<String, String>,
        /// The keys of pairs that were chosen at random when the row was made.
        kept: &'static [&'static str],
    },
    /// References to exactly these rows. A row that is not there cannot be referred to: the unit
    /// then waits for it.
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

    /// The column is this text.
    #[must_use]
    pub fn text(self, column: &'static str, text: impl AsRef<str>) -> Self {
        self.is(column, Datum::one(crate::render::encode::plain(text.as_ref())))
    }

    /// The column is this set of texts.
    #[must_use]
    pub fn texts<T: AsRef<str>>(
        self,
        column: &'static str,
        texts: impl IntoIterator<Item = T>,
    ) -> Self {
        let plain = |text: T| crate::render::encode::plain(text.as_ref());
        self.is(column, Datum::set(texts.into_iter().map(plain)))
    }

    /// The column has these keys; others belong to others.
    #[must_use]
    pub fn keys<V: Into<Key>>(
        self,
        column: &'static str,
        keys: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Self {
        let pair = |(key, value): (&'static str, V)| (key.to_owned(), value.into().0);
        self.cell(column, Cell::Keys(keys.into_iter().map(pair).collect()))
    }

    /// The column is exactly these pairs; what the row holds under the `kept` keys stays.
    #[must_use]
    pub fn pairs<K: Into<String>>(
        self,
        column: &'static str,
        pairs: impl IntoIterator<Item = (K, String)>,
        kept: &'static [&'static str],
    ) -> Self {
        let pair = |(key, value): (K, String)| (key.into(), crate::render::encode::plain(&value));
        self.cell(column, Cell::Pairs { is: pairs.into_iter().map(pair).collect(), kept })
    }

    /// The column refers to this row, or to none.
    #[must_use]
    pub fn refers(self, column: &'static str, to: Option<RowName>) -> Self {
        self.cell(column, Cell::Refers(to.into_iter().collect()))
    }

    /// The column as said.
    #[must_use]
    pub fn cell(mut self, column: &'static str, cell: Cell) -> Self {
        self.columns.push((column, cell));
        self
    }
}

/// What a key of a map should hold: a text, or nothing at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Option<String>);

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(Some(crate::render::encode::plain(&text)))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(Some(crate::render::encode::plain(text)))
    }
}

impl From<Option<String>> for Key {
    fn from(text: Option<String>) -> Self {
        Self(text.map(|text| crate::render::encode::plain(&text)))
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

/// Begins a row with this name.
pub fn row_named(name: &RowName) -> Want {
    Want { row: name.clone(), columns: Vec::new() }
}
