//! A row of the replica: its values beside one list of column names that all rows of the table
//! share. Rows are immutable; a change makes a new one.

use std::sync::{Arc, LazyLock};

use crate::schema::Column;
use crate::value::Datum;

/// The columns of a table that are followed.
#[derive(Debug)]
pub struct Columns {
    table: &'static str,
    /// In the order of their names.
    columns: Box<[(&'static str, Column)]>,
}

impl Columns {
    pub(crate) fn new(table: &'static str, mut columns: Vec<(&'static str, Column)>) -> Self {
        columns.sort_by_key(|(name, _)| *name);
        columns.dedup_by_key(|(name, _)| *name);
        Self { table, columns: columns.into_boxed_slice() }
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.table
    }

    /// Names and types in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Column)> {
        self.columns.iter().map(|(name, column)| (*name, column))
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.binary_search_by_key(&name, |(known, _)| known).ok()
    }

    pub(crate) fn at(&self, position: usize) -> Option<&Column> {
        self.columns.get(position).map(|(_, column)| column)
    }
}

/// A row.
#[derive(Clone)]
pub struct Row {
    columns: Arc<Columns>,
    /// As many as there are columns, in their order.
    cells: Box<[Datum]>,
}

static NOTHING: LazyLock<Datum> = LazyLock::new(Datum::none);

impl Row {
    /// A row with the given values, by position, and the defaults elsewhere.
    pub(crate) fn new(columns: &Arc<Columns>, given: Vec<(usize, Datum)>) -> Self {
        let mut cells: Box<[Datum]> = columns.iter().map(|(_, column)| column.default()).collect();
        for (position, datum) in given {
            if let Some(cell) = cells.get_mut(position) {
                *cell = datum;
            }
        }
        Self { columns: Arc::clone(columns), cells }
    }

    /// The value of a column; the empty set when the column is not followed.
    #[must_use]
    pub fn get(&self, column: &str) -> &Datum {
        self.columns.position(column).and_then(|at| self.cells.get(at)).unwrap_or(&NOTHING)
    }

    /// The text of a column of one text.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        self.get(column).as_one()?.as_str()
    }

    /// The columns and values in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Datum)> {
        self.columns.columns.iter().map(|(name, _)| *name).zip(&self.cells)
    }

    /// Which columns there are.
    #[must_use]
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    pub(crate) fn cell(&self, position: usize) -> Option<&Datum> {
        self.cells.get(position)
    }

    /// The row after `update2`'s difference: of a column of several, the members and pairs that
    /// came or went; of any other, the new value.
    pub(crate) fn changed(&self, mut differences: Vec<(usize, Datum)>) -> Self {
        let mut cell = |(position, old): (usize, &Datum)| {
            let at = differences.iter().position(|(changed, _)| *changed == position);
            let Some((_, difference)) = at.map(|at| differences.swap_remove(at)) else {
                return old.clone();
            };
            let several = self.columns.at(position).is_some_and(|column| column.max != Some(1));
            if several { differ(old, difference) } else { difference }
        };
        let cells = self.cells.iter().enumerate().map(&mut cell).collect();
        Self { columns: Arc::clone(&self.columns), cells }
    }
}

/// Two rows are equal when all values are, over the same columns.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.cells == other.cells
            && (Arc::ptr_eq(&self.columns, &other.columns)
                || self
                    .columns
                    .iter()
                    .map(|(name, _)| name)
                    .eq(other.columns.iter().map(|(name, _)| name)))
    }
}

impl Eq for Row {}

impl std::fmt::Debug for Row {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ", self.columns.table)?;
        out.debug_map().entries(self.iter().filter(|(_, datum)| !datum.is_empty())).finish()
    }
}

/// Members of only one of two sets; a pair that is the same in both goes, any other in `difference`
/// is put in.
fn differ(old: &Datum, difference: Datum) -> Datum {
    match (old, difference) {
        (Datum::Set(old), Datum::Set(difference)) => {
            Datum::Set(old.symmetric_difference(&difference))
        }
        (Datum::Map(old), Datum::Map(difference)) => Datum::Map(old.patched(&difference)),
        (_, difference) => difference,
    }
}
