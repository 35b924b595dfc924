//! Numbered migrations: which are there, which are applied, one process at a time.
//! Not here: what they say (`model` and others), how a dialect writes DDL (`dialect`).

use std::pin::Pin;

use wire::fault::{Error, Result};
use wire::value::Value;

use crate::dialect::Dialect;
use crate::tx::Tx;

/// One step of the schema, in portable DDL: the types VARCHAR(n), BOOLEAN, BIGINT and JSONTEXT;
/// statements end with `;` at the end of a line; a constraint is named and on one line.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1 on; 0 is this crate's own.
    pub number: i64,
    /// For the log.
    pub name: &'static str,
    /// The DDL.
    pub sql: &'static str,
    /// What the new tables begin with, where SQL alone cannot say it.
    pub fill: Option<Fill>,
}

/// Fills new tables from what is stored, in the transaction that makes them.
pub type Fill = for<'a> fn(&'a Tx) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// The table of what was applied; made before anything is asked of it.
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_version (
  number BIGINT NOT NULL,
  name VARCHAR(255) NOT NULL,
  applied_at VARCHAR(32) NOT NULL,
  CONSTRAINT pk_schema_version PRIMARY KEY (number)
);";

/// This crate's own tables.
pub(crate) static OWN: Migration = Migration {
    number: 0,
    name: "marks",
    sql: "CREATE TABLE dirty (
  kind BIGINT NOT NULL,
  id VARCHAR(36) NOT NULL,
  token BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  why VARCHAR(255) NULL,
  CONSTRAINT pk_dirty PRIMARY KEY (kind, id)
);
CREATE INDEX ix_dirty_due ON dirty (due_at);",
    fill: None,
};

/// The lock under which PostgreSQL and MariaDB migrate; SQLite's is its only writer.
const LOCK: i64 = 0x6e75_636c_656f_6e00;

/// Applies what is missing, in order; which numbers those were.
pub(crate) async fn migrate(
    tx: &Tx,
    migrations: &'static [Migration],
    now: &str,
) -> Result<Vec<i64>> {
    lock(tx).await?;
    for statement in tx.dialect().statements(VERSIONS) {
        tx.exec(statement, Vec::new());
    }
    tx.flush().await?;
    let rows = tx.rows("SELECT number, name FROM schema_version ORDER BY number", &[]).await?;
    let applied: Vec<i64> =
        rows.iter().filter_map(|row| row.first().and_then(Value::as_int)).collect();
    let mut known: Vec<&Migration> = std::iter::once(&OWN).chain(migrations).collect();
    known.sort_by_key(|migration| migration.number);
    refuse_newer(&rows, &known)?;
    let mut done = Vec::new();
    for migration in known {
        if applied.contains(&migration.number) {
            continue;
        }
        for statement in tx.dialect().statements(migration.sql) {
            // One by one: PostgreSQL prepares a statement by what is there already.
            tx.exec(statement, Vec::new());
            tx.flush().await?;
        }
        if let Some(fill) = migration.fill {
            fill(tx).await?;
        }
        tx.exec(
            "INSERT INTO schema_version (number, name, applied_at) VALUES (?, ?, ?)",
            vec![Value::Int(migration.number), Value::text(migration.name), Value::text(now)],
        );
        tx.flush().await?;
        tracing::info!(number = migration.number, name = migration.name, "migrated the database");
        done.push(migration.number);
    }
    unlock(tx).await?;
    Ok(done)
}

fn refuse_newer(rows: &[Vec<Value>], known: &[&Migration]) -> Result<()> {
    let newest = known.last().map_or(0, |migration| migration.number);
    for row in rows {
        if let [Value::Int(number), name] = row.as_slice()
            && !known.iter().any(|migration| migration.number == *number)
        {
            let name = name.as_text().unwrap_or("");
            return Err(Error::internal(format!(
                "the database has the schema version {number} ({name}), which this program does \
                 not know: it knows up to {newest}. Use the release that made it, or a later one"
            )));
        }
    }
    Ok(())
}

async fn lock(tx: &Tx) -> Result<()> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => return Ok(()),
        Dialect::Postgres => "SELECT pg_advisory_xact_lock(?)",
        Dialect::Mariadb => "SELECT GET_LOCK(CONCAT(DATABASE(), '.', ?), 120)",
    };
    let rows = tx.rows(sql, &[Value::Int(LOCK)]).await?;
    match (tx.dialect(), rows.first().and_then(|row| row.first())) {
        (Dialect::Mariadb, Some(Value::Int(1))) | (Dialect::Postgres, _) => Ok(()),
        _ => Err(Error::internal("another process has been migrating the database for minutes")),
    }
}

/// PostgreSQL's lock ends with the transaction; MariaDB's belongs to the connection.
async fn unlock(tx: &Tx) -> Result<()> {
    if tx.dialect() == Dialect::Mariadb {
        let sql = "SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.', ?))";
        tx.rows(sql, &[Value::Int(LOCK)]).await?;
    }
    Ok(())
}
