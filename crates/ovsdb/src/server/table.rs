//! A table as the server keeps it: its columns by number, its rows, and the indexes that keep them
//! apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use uuid::Uuid;

use super::refusal::Refusal;
use crate::schema::{Column, Table as Described};
use crate::value::{Atom, Datum};

static NOTHING: LazyLock<Datum> = LazyLock::new(Datum::none);

/// The number of a table in its database.
pub(super) type TableNumber = usize;

/// A row anywhere in the database.
pub(super) type Address = (TableNumber, Uuid);

/// A row's columns, by the numbers of its [`Layout`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Another one after each change.
    pub version: Uuid,
    cells: Vec<Datum>,
}

impl Row {
    /// The value of a column.
    pub fn cell(&self, number: usize) -> &Datum {
        self.cells.get(number).unwrap_or(&NOTHING)
    }

    /// Changes a column.
    pub fn set(&mut self, number: usize, datum: Datum) {
        if let Some(cell) = self.cells.get_mut(number) {
            *cell = datum;
        }
    }

    /// All columns hold the same; versions apart.
    pub fn same(&self, other: &Self) -> bool {
        self.cells == other.cells
    }
}

/// Where a named column is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// `_uuid`.
    Uuid,
    /// `_version`.
    Version,
    /// A column of the schema.
    Cell(usize),
}

impl Place {
    /// What the row has there.
    pub fn value(self, uuid: Uuid, row: &Row) -> Cow<'_, Datum> {
        match self {
            Self::Uuid => Cow::Owned(Datum::one(uuid)),
            Self::Version => Cow::Owned(Datum::one(row.version)),
            Self::Cell(number) => Cow::Borrowed(row.cell(number)),
        }
    }
}

/// What the schema says of a table, by numbers.
#[derive(Debug)]
pub(super) struct Layout {
    /// The table's name.
    pub name: String,
    /// Its rows stay without being referred to.
    pub root: bool,
    /// The greatest number of rows.
    pub max_rows: Option<u64>,
    /// The numbers of the columns that no two rows share.
    pub indexes: Vec<Vec<usize>>,
    columns: Vec<(String, Column)>,
    numbers: HashMap<String, usize>,
}

impl Layout {
    /// Numbers the columns.
    pub fn new(name: &str, table: &Described) -> Self {
        let columns: Vec<(String, Column)> =
            table.columns.iter().map(|(name, column)| (name.clone(), column.clone())).collect();
        let numbers: HashMap<String, usize> =
            columns.iter().enumerate().map(|(number, (name, _))| (name.clone(), number)).collect();
        let indexes = table
            .indexes
            .iter()
            .map(|index| index.iter().filter_map(|name| numbers.get(name).copied()).collect())
            .collect();
        let name = name.to_owned();
        Self { name, root: table.root, max_rows: table.max_rows, indexes, columns, numbers }
    }

    /// Columns with their numbers and names.
    pub fn columns(&self) -> impl Iterator<Item = (usize, &str, &Column)> {
        self.columns
            .iter()
            .enumerate()
            .map(|(number, (name, column))| (number, name.as_str(), column))
    }

    /// A column.
    pub fn column(&self, number: usize) -> Option<&Column> {
        self.columns.get(number).map(|(_, column)| column)
    }

    /// A column's name.
    pub fn column_name(&self, place: Place) -> &str {
        match place {
            Place::Uuid => "_uuid",
            Place::Version => "_version",
            Place::Cell(number) => self.columns.get(number).map_or("", |(name, _)| name),
        }
    }

    /// Where the column of that name is.
    pub fn place(&self, name: &str) -> Option<Place> {
        match name {
            "_uuid" => Some(Place::Uuid),
            "_version" => Some(Place::Version),
            _ => self.numbers.get(name).copied().map(Place::Cell),
        }
    }

    /// There is no such column.
    pub fn unknown(&self, name: &str) -> Refusal {
        Refusal::new("unknown column", format!("No column {name} in table {}.", self.name))
    }

    /// A new row of defaults.
    pub fn row(&self) -> Row {
        let cells = self.columns.iter().map(|(_, column)| column.default()).collect();
        Row { version: Uuid::nil(), cells }
    }

    /// What an index keeps of a row.
    pub fn key(&self, index: &[usize], row: &Row) -> Vec<Datum> {
        index.iter().map(|number| row.cell(*number).clone()).collect()
    }

    /// Calls `see` with each reference of the row: table's name, UUID, strong or not.
    pub fn references(&self, row: &Row, mut see: impl FnMut(&str, Uuid, bool)) {
        for (number, _, column) in self.columns() {
            let key = column.key.refers.as_ref();
            let value = column.value.as_ref().and_then(|base| base.refers.as_ref());
            let mut side = |refers: Option<&crate::schema::Reference>, atom: &Atom| {
                if let (Some(refers), Some(uuid)) = (refers, atom.as_uuid()) {
                    see(&refers.table, uuid, refers.strong);
                }
            };
            match row.cell(number) {
                _ if key.is_none() && value.is_none() => {}
                Datum::Set(set) => set.iter().for_each(|atom| side(key, atom)),
                Datum::Map(map) => map.iter().for_each(|(left, right)| {
                    side(key, left);
                    side(value, right);
                }),
            }
        }
    }
}

/// The rows.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// What the schema says of it.
    pub layout: Arc<Layout>,
    /// The rows by UUID.
    pub rows: BTreeMap<Uuid, Arc<Row>>,
    /// For each index of the layout: whose the values are.
    pub taken: Vec<BTreeMap<Vec<Datum>, Uuid>>,
}

impl Table {
    /// Without rows.
    pub fn new(layout: Arc<Layout>) -> Self {
        let taken = layout.indexes.iter().map(|_| BTreeMap::new()).collect();
        Self { layout, rows: BTreeMap::new(), taken }
    }

    /// Takes a row out of the indexes.
    pub fn release(&mut self, uuid: Uuid, row: &Row) {
        for (index, taken) in self.layout.indexes.iter().zip(&mut self.taken) {
            let key = self.layout.key(index, row);
            if taken.get(&key) == Some(&uuid) {
                taken.remove(&key);
            }
        }
    }

    /// Puts a row into the indexes.
    pub fn take(&mut self, uuid: Uuid, row: &Row) {
        for (index, taken) in self.layout.indexes.iter().zip(&mut self.taken) {
            taken.insert(self.layout.key(index, row), uuid);
        }
    }
}
