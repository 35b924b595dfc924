//! `Engine`: a database of one of three kinds, and `Link`: one transaction on it.
//! Not here: retries, buffering, marks (`db`, `tx`).

pub(crate) mod mariadb;
mod pool;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use wire::fault::{self, Error, Result};
use wire::value::Value;

use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::schema::Schema;
use crate::statement::Statement;
use crate::stats::Counters;

/// The rows of an answer; a cell that is of no type we know is `Value::Missing`.
pub(crate) type Cells = Vec<Vec<Value>>;

/// Where a stream sends its rows.
pub(crate) type Outlet = mpsc::Sender<Result<Cells>>;

/// A query whose answer is read in pieces of `chunk` rows.
pub(crate) struct Flow {
    pub sql: String,
    pub params: Vec<Value>,
    pub chunk: usize,
    pub outlet: Outlet,
    pub stalled: AtomicBool,
}

/// A caller who takes no rows for so long is given up: he holds a snapshot and a connection.
const STALLED: Duration = Duration::from_secs(30);

impl Flow {
    /// Hands rows out. False: the caller wants no more.
    pub async fn give(&self, cells: Cells) -> bool {
        match self.outlet.send_timeout(Ok(cells), STALLED).await {
            Ok(()) => true,
            Err(SendTimeoutError::Closed(_)) => false,
            Err(SendTimeoutError::Timeout(_)) => {
                self.stalled.store(true, Ordering::Release);
                false
            }
        }
    }

    /// Tells a list that was given up from one that is whole.
    pub fn whole(&self) -> Result<()> {
        match self.stalled.load(Ordering::Acquire) {
            false => Ok(()),
            true => Err(fault::unavailable("The list was taken too slowly and is cut off.")),
        }
    }
}

/// A database.
pub(crate) enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(Arc<postgres::Postgres>),
    Mariadb(Arc<mariadb::Mariadb>),
}

/// One open transaction. Dropping it rolls back.
pub(crate) enum Link {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
    Mariadb(mariadb::Session),
}

impl Engine {
    /// Opens the database of a URL.
    pub async fn open(url: &str, schema: Schema, counters: Arc<Counters>) -> Result<Self> {
        let scheme = url.split(':').next().unwrap_or("");
        match scheme {
            "sqlite" => {
                let place = url.trim_start_matches("sqlite:");
                Ok(Self::Sqlite(sqlite::Sqlite::open(place, schema, counters).await?))
            }
            "postgres" | "postgresql" => {
                Ok(Self::Postgres(postgres::Postgres::open(url, counters).await?))
            }
            "mysql" | "mariadb" => {
                Ok(Self::Mariadb(mariadb::Mariadb::open(url, schema, counters).await?))
            }
            other => Err(Error::internal(format!(
                "the database URL must begin with sqlite:, postgres: or mysql:, not {other:?}"
            ))),
        }
    }

    /// The SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::Mariadb(_) => Dialect::Mariadb,
        }
    }

    /// Begins a transaction, waiting for a connection.
    pub async fn begin(&self, writing: bool) -> Result<Link> {
        match self {
            Self::Sqlite(engine) => engine.begin(writing).await.map(Link::Sqlite),
            Self::Postgres(engine) => engine.begin(writing).await.map(Link::Postgres),
            Self::Mariadb(engine) => engine.begin(writing).await.map(Link::Mariadb),
        }
    }

    /// Hands out a query's rows until the last one or until they are wanted no more.
    pub async fn stream(&self, flow: Arc<Flow>) -> Result<()> {
        match self {
            Self::Sqlite(engine) => engine.stream(flow).await,
            Self::Postgres(engine) => engine.stream(&flow).await,
            Self::Mariadb(engine) => engine.stream(&flow).await,
        }
    }
}

impl Link {
    /// Sends the pending statements in order, then reads.
    pub async fn rows(
        &mut self,
        pending: &mut [Statement],
        sql: &str,
        params: &[Value],
    ) -> Result<Cells> {
        match self {
            Self::Sqlite(session) => session.rows(pending, sql, params),
            Self::Postgres(session) => session.rows(pending, sql, params).await,
            Self::Mariadb(session) => session.rows(pending, sql, params).await,
        }
    }

    /// Sends the statements in order; how many rows each has changed. A statement with an expected
    /// number may answer with any number.
    pub async fn send(&mut self, statements: &mut [Statement]) -> Result<Vec<u64>> {
        match self {
            Self::Sqlite(session) => session.send(statements),
            Self::Postgres(session) => session.send(statements).await,
            Self::Mariadb(session) => session.send(statements).await,
        }
    }

    /// Sends the statements and commits. An error means that nothing is stored, but for
    /// a connection lost in the middle, which says so.
    pub async fn commit(self, statements: &mut [Statement]) -> Result<()> {
        match self {
            Self::Sqlite(session) => session.commit(statements).await,
            Self::Postgres(session) => session.commit(statements).await,
            Self::Mariadb(session) => session.commit(statements).await,
        }
    }

    /// Ends a transaction that shall leave nothing behind.
    pub async fn rollback(self) -> Result<()> {
        match self {
            Self::Sqlite(session) => session.rollback().await,
            Self::Postgres(session) => session.rollback().await,
            Self::Mariadb(session) => session.rollback().await,
        }
    }
}

/// Asserts the number of rows that a statement has changed.
pub(crate) fn counted(statement: &mut Statement, changed: u64) -> Result<u64> {
    match &statement.expect {
        Some((wanted, _)) if *wanted != changed => Err(Failure::Rows.of(statement)),
        _ => Ok(changed),
    }
}

/// The JSON text of a value, or its own text.
pub(crate) fn json_text(value: &serde_json::Value) -> String {
    value.to_string()
}
