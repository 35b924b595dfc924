//! One edit of Northbound, as a value that can be shown to an operator.

use std::collections::BTreeMap;
use std::fmt;

use ovsdb::value::Datum;
use uuid::Uuid;

use crate::want::RowName;

/// A row and its UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Its name; an empty key where it has none.
    pub row: RowName,
    /// Its UUID.
    pub uuid: Uuid,
}

/// An edit.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// A new row.
    Insert {
        /// The row.
        at: At,
        /// Its columns; others have their defaults.
        columns: BTreeMap<&'static str, Datum>,
    },
    /// A column gets another value.
    Set {
        /// The row.
        at: At,
        /// The column.
        column: &'static str,
        /// Its value.
        was: Datum,
        /// The wanted one.
        is: Datum,
    },
    /// Pairs of a map change; the rest of the map stays.
    Pairs {
        /// The row.
        at: At,
        /// The column.
        column: &'static str,
        /// Pairs that are there and not as wanted.
        was: BTreeMap<String, String>,
        /// Wanted pairs that are not there.
        is: BTreeMap<String, String>,
    },
    /// A row comes into a set of another row.
    Join {
        /// The row with the set.
        parent: At,
        /// The column of the set.
        column: &'static str,
        /// The member.
        child: At,
    },
    /// A row goes out of a set of another row.
    Leave {
        /// The row with the set.
        parent: At,
        /// The column of the set.
        column: &'static str,
        /// The member.
        child: At,
    },
    /// The row goes.
    Delete {
        /// The row.
        at: At,
    },
}

impl fmt::Display for At {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.row.table.name();
        if self.row.key.is_empty() {
            write!(out, "{table} {}", self.uuid)
        } else {
            write!(out, "{table} {}", self.row.key)
        }
    }
}

/// One line: the row, the column, what is there and what should be.
impl fmt::Display for Edit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert { at, .. } => write!(out, "{at}: is missing"),
            Self::Set { at, column, was, is } => {
                write!(out, "{at}: {column} is {}, should be {}", was.to_json(), is.to_json())
            }
            Self::Pairs { at, column, was, is } => {
                write!(out, "{at}: {column} has {was:?}, should have {is:?}")
            }
            Self::Join { parent, column, child } => {
                write!(out, "{child}: is not in {column} of {parent}, should be")
            }
            Self::Leave { parent, column, child } => {
                write!(out, "{child}: is in {column} of {parent}, should not be")
            }
            Self::Delete { at } => write!(out, "{at}: should not be there"),
        }
    }
}
