//! `Failure`: what an engine says went wrong, and which error of ours that is.
//! Not here: how each engine says it (`engine`).

use wire::fault::{self, Error};

use crate::statement::Statement;

/// Why a statement or a commit did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A named unique constraint or primary key was violated.
    Unique(String),
    /// A foreign key was violated; SQLite does not say which.
    Foreign(Option<String>),
    /// It changed another number of rows than it must.
    Rows,
    /// Another transaction was quicker; this one may be run again.
    Overtaken(&'static str),
    /// The connection broke.
    Lost(String),
    /// The database does not answer, or does not let us in.
    Unreachable(String),
    /// There is no room for more on the disk.
    Full(String),
    /// Anything else.
    Other(anyhow::Error),
}

impl Failure {
    /// The error of a statement that may have named faults for it.
    pub fn of(self, statement: &mut Statement) -> Error {
        let faults = &mut statement.faults;
        let named = match &self {
            Self::Unique(name) | Self::Foreign(Some(name)) => {
                faults.iter().position(|(constraint, _)| constraint == name)
            }
            Self::Foreign(None) => {
                faults.iter().position(|(constraint, _)| constraint.starts_with("fk_"))
            }
            Self::Rows => {
                if let Some((_, otherwise)) = statement.expect.take() {
                    return otherwise;
                }
                None
            }
            _ => None,
        };
        match named {
            Some(index) => faults.swap_remove(index).1,
            None => self.error(&statement.sql),
        }
    }

    /// The error of a statement without faults of its own.
    pub fn error(self, sql: &str) -> Error {
        let explained = match self {
            Self::Overtaken(why) => return Error::Retry(why),
            Self::Lost(why) => {
                tracing::warn!(why, "the connection to the database was lost");
                return Error::Retry("the connection to the database was lost");
            }
            Self::Unreachable(why) => return unreachable(&why),
            Self::Full(why) => return full(&why),
            Self::Unique(name) => anyhow::anyhow!("the unique constraint {name} was violated"),
            Self::Foreign(name) => {
                let name = name.unwrap_or_default();
                anyhow::anyhow!("the foreign key {name} was violated")
            }
            Self::Rows => anyhow::anyhow!("a statement changed an unexpected number of rows"),
            Self::Other(error) => error,
        };
        Error::Internal(explained.context(format!("in the statement: {sql}")))
    }

    /// The error of a commit: whoever lost the connection now does not know what became of it.
    pub fn of_commit(self) -> Error {
        match self {
            Self::Lost(why) => {
                tracing::error!(why, "the connection to the database was lost during a commit");
                fault::unavailable(
                    "The connection to the database was lost while the change was being stored; \
                     read what is there before trying again.",
                )
            }
            other => other.error("COMMIT"),
        }
    }
}

fn full(why: &str) -> Error {
    tracing::error!(why, "the database has no room left");
    fault::unavailable(
        "The database has no room left, and nothing was changed; try again when an operator has \
         made room.",
    )
}

fn unreachable(why: &str) -> Error {
    tracing::error!(why, "the database cannot be reached");
    fault::unavailable("The database cannot be reached at the moment; try again.")
}
