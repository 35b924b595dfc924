//! What can go wrong, so that a caller can decide by kind: ask again, wait, or report.

use serde_json::Value as Json;
use uuid::Uuid;

/// Why a transaction has no outcome.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TransactError {
    /// There is no connection in step; nothing was sent.
    #[error("the database is not connected; nothing was sent")]
    Disconnected,
    /// It was sent and no answer came: it may have happened or not.
    #[error("the transaction was sent but no answer came; it may have happened")]
    Unknown,
    /// The server refused it; nothing of it happened.
    #[error("{}: {details}", place(*.operation, .reason))]
    Refused {
        /// Which operation, counted from 0; `None`: the whole, as when references or unique columns
        /// are checked at its end.
        operation: Option<usize>,
        /// What kind of refusal.
        reason: Reason,
        /// The server's own words.
        details: String,
    },
}

/// Kinds of refusals, by the server's names of errors (RFC 7047 §3.1, §4.1.3).
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Reason {
    /// `constraint violation`, `domain error`, `range error`: a value that the column does not
    /// take, or a second row with the same value where there may be one.
    #[error("constraint violation")]
    Constraint,
    /// `referential integrity violation`: a strong reference to a row that is not there, or the
    /// deletion of a row that is referred to.
    #[error("referential integrity violation")]
    Referential,
    /// `timed out`: what `wait` waited for did not come about.
    #[error("what was waited for is not so")]
    WaitTimedOut,
    /// `duplicate uuid`: there is a row of this name already.
    #[error("there is a row of this name already")]
    DuplicateUuid,
    /// `syntax error`, `unknown column`, `unknown database` and the like: the request was wrong.
    #[error("the request does not fit the schema")]
    Syntax,
    /// `not owner`: the asserted lock is not held.
    #[error("the lock is not held")]
    NotOwner,
    /// `cluster error`: this server could not get the cluster to agree.
    #[error("the cluster did not take it")]
    NotLeader,
    /// `resources exhausted`.
    #[error("the server's resources are exhausted")]
    Resources,
    /// Any other, by its name.
    #[error("{0}")]
    Other(String),
}

/// An update that does not follow on what the replica has.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the update changes row {uuid}, which was never sent")]
pub struct OutOfStep {
    /// The row.
    pub uuid: Uuid,
}

impl Reason {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "constraint violation" | "domain error" | "range error" => Self::Constraint,
            "referential integrity violation" => Self::Referential,
            "timed out" => Self::WaitTimedOut,
            "duplicate uuid" | "duplicate uuid-name" => Self::DuplicateUuid,
            "syntax error" | "unknown column" | "unknown table" | "unknown database"
            | "unknown method" => Self::Syntax,
            "not owner" => Self::NotOwner,
            "cluster error" | "not leader" => Self::NotLeader,
            "resources exhausted" => Self::Resources,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl TransactError {
    /// From an `<error>` of the protocol.
    pub(crate) fn refused(operation: Option<usize>, error: &Json) -> Self {
        let text = |name: &str| error.get(name).and_then(Json::as_str);
        let name = error.as_str().or_else(|| text("error")).unwrap_or("no name of an error");
        let details = match (text("details"), text("syntax")) {
            (Some(details), Some(syntax)) => format!("{details} (at {syntax})"),
            (Some(words), None) | (None, Some(words)) => words.to_owned(),
            (None, None) => name.to_owned(),
        };
        Self::Refused { operation, reason: Reason::of(name), details }
    }
}

fn place(operation: Option<usize>, reason: &Reason) -> String {
    match operation {
        Some(number) => format!("operation {number}: {reason}"),
        None => reason.to_string(),
    }
}
