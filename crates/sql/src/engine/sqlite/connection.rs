//! One SQLite connection: how it is opened, what is bound and read, how it fails.
//! Not here: who may use it when (`writer`).

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, ToSql, ffi};
use wire::fault::{Error, Result};
use wire::value::Value;

use crate::engine::{Cells, json_text};
use crate::failure::Failure;
use crate::schema::Schema;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that changes things.
    Writer,
    /// A snapshot.
    Reader,
    /// Long lists, which come by far more pages.
    Lister,
    /// Moves pages from the log into the file.
    Checkpoint,
}

/// Makes the file, readable by nobody else, unless it is there.
pub fn create(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::Internal(
            anyhow::Error::from(error)
                .context(format!("the database file {} cannot be made", path.display())),
        )),
    }
}

/// Opens a connection to a file.
pub fn open(path: &Path, role: Role) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        settle(&connection, role)?;
        anyhow::Ok(connection)
    };
    open().with_context(|| format!("opening the database {}", path.display())).map_err(Error::from)
}

/// Opens a new database in memory.
pub fn open_memory() -> Result<Connection> {
    let open = || {
        let connection = Connection::open_in_memory()?;
        settle(&connection, Role::Writer)?;
        anyhow::Ok(connection)
    };
    open().context("opening a database in memory").map_err(Error::from)
}

fn settle(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    let set = |name: &str, value: &str| connection.pragma_update(None, name, value);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    set("journal_mode", "wal")?;
    set("synchronous", "full")?;
    set("foreign_keys", "on")?;
    // Otherwise a join on `id = ?` is planned anew whenever another id is bound: 60 us of 65.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    set("temp_store", "memory")?;
    // The checkpoint task moves the pages: inline it would cost some caller milliseconds.
    set("wal_autocheckpoint", "0")?;
    set("journal_size_limit", "67108864")?;
    // KiB, as a negative number; full caches of all connections are what there is to spend.
    let cache = match role {
        Role::Writer => "-32768",
        Role::Lister => "-8192",
        Role::Reader | Role::Checkpoint => "-2048",
    };
    set("cache_size", cache)?;
    if matches!(role, Role::Reader | Role::Lister) {
        set("query_only", "on")?;
    }
    connection.set_prepared_statement_cache_capacity(match role {
        Role::Writer => 512,
        Role::Reader | Role::Lister => 128,
        Role::Checkpoint => 0,
    });
    Ok(())
}

struct Param<'a>(&'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Missing | Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(truth) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*truth))),
            Value::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Json(json) => ToSqlOutput::Owned(json_text(json).into()),
            Value::Written(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn prepare<'c>(
    connection: &'c Connection,
    sql: &str,
    params: &[Value],
) -> rusqlite::Result<CachedStatement<'c>> {
    let mut statement = connection.prepare_cached(sql)?;
    if statement.parameter_count() != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(
            params.len(),
            statement.parameter_count(),
        ));
    }
    for (index, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, Param(value))?;
    }
    Ok(statement)
}

/// Runs a statement that changes something; how many rows.
pub fn execute(connection: &Connection, sql: &str, params: &[Value]) -> rusqlite::Result<u64> {
    let changed = prepare(connection, sql, params)?.raw_execute()?;
    Ok(changed as u64)
}

/// Begins or ends a transaction or a savepoint. Every request does, so it is prepared once.
pub fn turn(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(drop)
}

/// Runs a query.
pub fn rows(connection: &Connection, sql: &str, params: &[Value]) -> rusqlite::Result<Cells> {
    let mut all = Vec::new();
    each_chunk(connection, sql, params, usize::MAX, &mut |cells| {
        all = cells;
        true
    })?;
    Ok(all)
}

/// Runs a query and hands out its rows in chunks, for as long as they are wanted.
pub fn each_chunk(
    connection: &Connection,
    sql: &str,
    params: &[Value],
    chunk: usize,
    take: &mut dyn FnMut(Cells) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = prepare(connection, sql, params)?;
    let width = statement.column_count();
    let mut rows = statement.raw_query();
    let mut cells = Vec::new();
    while let Some(row) = rows.next()? {
        // Collecting results would not know how many there are, and grow by copying.
        let mut read = Vec::with_capacity(width);
        for column in 0..width {
            read.push(cell(row.get_ref(column)?));
        }
        cells.push(read);
        if cells.len() >= chunk && !take(std::mem::take(&mut cells)) {
            return Ok(());
        }
    }
    if !cells.is_empty() {
        take(cells);
    }
    Ok(())
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Missing,
        },
        ValueRef::Real(_) | ValueRef::Blob(_) => Value::Missing,
    }
}

/// What a driver's error means.
pub fn failure(error: rusqlite::Error, schema: Option<&Schema>) -> Failure {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return Failure::Other(error.into());
    };
    match (code.code, code.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            Failure::Overtaken("another process is writing to the database")
        }
        (ErrorCode::DiskFull, _) => Failure::Full(error.to_string()),
        (_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Failure::Foreign(None),
        (
            _,
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID,
        ) => {
            let columns = message.as_deref().and_then(|text| text.split_once("failed: "));
            let columns = columns.map_or("", |(_, columns)| columns);
            let name = schema.and_then(|schema| schema.of_columns(columns)).unwrap_or(columns);
            Failure::Unique(name.to_owned())
        }
        _ => Failure::Other(error.into()),
    }
}
