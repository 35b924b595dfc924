//! MariaDB: no pipelining, a statement is a round trip. Not here: other engines.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Params};
use tokio::sync::OwnedSemaphorePermit;
use wire::fault::{Error, Result};
use wire::value::Value;

use super::pool::Pool;
use super::{Cells, Flow, counted, json_text};
use crate::failure::Failure;
use crate::schema::Schema;
use crate::statement::Statement;
use crate::stats::{Counters, Queued, count};

/// Connections at most.
const CONNECTIONS: usize = 16;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 1000;
/// How long the server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// What is said first on every connection. JSON lists are cut at `group_concat_max_len`. In a
/// Galera cluster a read waits until this member has what was committed on any before: who has seen
/// the effect of a commit must not read a state from before it.
const SETTINGS: &str = "SET SESSION \
     sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,\
NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES', \
     tx_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 20, \
     group_concat_max_len = 67108864, wsrep_sync_wait = 1, \
     character_set_client = utf8mb4, character_set_results = utf8mb4, \
     collation_connection = utf8mb4_nopad_bin";
const READ: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

type Answered<T> = std::result::Result<T, mysql_async::Error>;

/// A database.
pub(crate) struct Mariadb {
    options: Opts,
    pool: Pool<Conn>,
    schema: Schema,
    counters: Arc<Counters>,
}

/// One transaction. Dropping it closes the connection, which undoes it.
pub(crate) struct Session {
    connection: Conn,
    engine: Arc<Mariadb>,
    /// What begins it, until that is sent.
    begin: Option<&'static str>,
    _permit: OwnedSemaphorePermit,
}

impl Mariadb {
    /// Connects once, so that a wrong URL is seen at the start.
    pub async fn open(url: &str, schema: Schema, counters: Arc<Counters>) -> Result<Arc<Self>> {
        let url = match url.strip_prefix("mariadb:") {
            Some(rest) => format!("mysql:{rest}"),
            None => url.to_owned(),
        };
        let options = Opts::from_url(&url)
            .map_err(|error| Error::internal(format!("the MariaDB URL cannot be read: {error}")))?;
        let options: Opts = OptsBuilder::from_opts(options)
            .client_found_rows(true)
            .prefer_socket(false)
            .tcp_nodelay(true)
            .stmt_cache_size(STATEMENTS)
            .into();
        let engine = Arc::new(Self { options, pool: Pool::new(CONNECTIONS), schema, counters });
        let first = engine.connect().await?;
        engine.pool.give(first);
        Ok(engine)
    }

    async fn connect(&self) -> Result<Conn> {
        let refused = |why: String| Failure::Unreachable(why).error("");
        let connect = async {
            let mut connection = Conn::new(self.options.clone()).await?;
            connection.query_drop(SETTINGS).await?;
            Ok::<_, mysql_async::Error>(connection)
        };
        match tokio::time::timeout(CONNECT, connect).await {
            Ok(connected) => connected.map_err(|error| refused(error.to_string())),
            Err(_) => Err(refused("it did not answer in time".to_owned())),
        }
    }

    /// A transaction; nothing is sent before its first statement.
    pub async fn begin(self: &Arc<Self>, writing: bool) -> Result<Session> {
        let queued = Queued::enter(&self.counters.queue);
        let (permit, idle) = self.pool.take().await?;
        drop(queued);
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let begin = Some(if writing { "START TRANSACTION" } else { READ });
        Ok(Session { connection, engine: Arc::clone(self), begin, _permit: permit })
    }

    /// Reads row by row, so that the server keeps what the caller has not taken yet.
    pub async fn stream(self: &Arc<Self>, flow: &Flow) -> Result<()> {
        let mut session = self.begin(false).await?;
        let flowed = session.flow(flow).await;
        let whole = flowed.map_err(|error| session.failure(error, "").error(&flow.sql))?;
        // A connection with rows left on it is not worth emptying.
        if whole { session.rollback().await } else { Ok(()) }
    }
}

impl Session {
    async fn begun(&mut self) -> Answered<()> {
        match self.begin.take() {
            Some(begin) => self.connection.query_drop(begin).await,
            None => Ok(()),
        }
    }

    /// Sends the pending statements, then reads.
    pub async fn rows(
        &mut self,
        pending: &mut [Statement],
        sql: &str,
        params: &[Value],
    ) -> Result<Cells> {
        self.send(pending).await?;
        count(&self.engine.counters.statements);
        let read = async {
            self.begun().await?;
            let rows: Vec<mysql_async::Row> = self.connection.exec(sql, bound(params)).await?;
            Ok(rows.into_iter().map(cells).collect())
        };
        let read: Answered<Cells> = read.await;
        read.map_err(|error| self.failure(error, "").error(sql))
    }

    /// Sends the statements; how many rows each has changed.
    pub async fn send(&mut self, statements: &mut [Statement]) -> Result<Vec<u64>> {
        let mut changed = Vec::with_capacity(statements.len());
        for statement in statements {
            count(&self.engine.counters.statements);
            let run = async {
                self.begun().await?;
                self.connection.exec_drop(&*statement.sql, bound(&statement.params)).await?;
                Ok(self.connection.affected_rows())
            };
            let run: Answered<u64> = run.await;
            let rows = run.map_err(|error| self.failure(error, statement.table()).of(statement))?;
            changed.push(counted(statement, rows)?);
        }
        Ok(changed)
    }

    /// Sends the statements and commits.
    pub async fn commit(mut self, statements: &mut [Statement]) -> Result<()> {
        if let Err(error) = self.send(statements).await {
            self.rollback().await?;
            return Err(error);
        }
        if self.begin.is_none() {
            let committed = self.connection.query_drop("COMMIT").await;
            committed.map_err(|error| self.failure(error, "").of_commit())?;
            count(&self.engine.counters.groups);
        }
        self.engine.pool.give(self.connection);
        Ok(())
    }

    /// Ends it without a trace.
    pub async fn rollback(mut self) -> Result<()> {
        if self.begin.is_none() && self.connection.query_drop("ROLLBACK").await.is_err() {
            return Ok(());
        }
        self.engine.pool.give(self.connection);
        Ok(())
    }

    async fn flow(&mut self, flow: &Flow) -> Answered<bool> {
        self.begun().await?;
        let params = bound(&flow.params);
        let mut stream = self
            .connection
            .exec_stream::<mysql_async::Row, _, _>(flow.sql.as_str(), params)
            .await?;
        let mut chunk = Vec::new();
        while let Some(row) = stream.next().await {
            chunk.push(cells(row?));
            if chunk.len() >= flow.chunk && !flow.give(std::mem::take(&mut chunk)).await {
                return Ok(false);
            }
        }
        Ok(chunk.is_empty() || flow.give(chunk).await)
    }

    /// What a driver's error means; `table` is what the statement is about.
    fn failure(&self, error: mysql_async::Error, table: &str) -> Failure {
        let mysql_async::Error::Server(refusal) = &error else {
            return match error {
                mysql_async::Error::Io(_)
                | mysql_async::Error::Driver(mysql_async::DriverError::ConnectionClosed) => {
                    self.engine.pool.forget();
                    Failure::Lost(error.to_string())
                }
                other => Failure::Other(other.into()),
            };
        };
        match refusal.code {
            1062 | 1586 => {
                let key = quoted_last(&refusal.message, '\'').unwrap_or_default();
                let key = key.rsplit('.').next().unwrap_or(key);
                let primary = (key == "PRIMARY").then(|| self.engine.schema.primary_key(table));
                Failure::Unique(primary.flatten().unwrap_or(key).to_owned())
            }
            1451 | 1452 => Failure::Foreign(foreign_key(&refusal.message)),
            1213 => Failure::Overtaken("deadlock"),
            1205 => Failure::Overtaken("a lock was not to be had"),
            1020 => Failure::Overtaken("the row was changed since the snapshot"),
            1047 | 1927 | 1053 => {
                self.engine.pool.forget();
                Failure::Lost(refusal.message.clone())
            }
            1021 | 1114 => Failure::Full(refusal.message.clone()),
            1040 => Failure::Unreachable(refusal.message.clone()),
            _ => Failure::Other(error.into()),
        }
    }
}

/// The last text between two quotes.
fn quoted_last(message: &str, quote: char) -> Option<&str> {
    let (before, _) = message.rsplit_once(quote)?;
    before.rsplit_once(quote).map(|(_, text)| text)
}

/// The name in "… CONSTRAINT `name` FOREIGN KEY …".
fn foreign_key(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("CONSTRAINT ")?;
    let name = rest.trim_start_matches(['`', '"']);
    name.split(['`', '"']).next().map(str::to_owned)
}

fn bound(params: &[Value]) -> Params {
    if params.is_empty() {
        return Params::Empty;
    }
    let param = |value: &Value| match value {
        Value::Missing | Value::Null => mysql_async::Value::NULL,
        Value::Bool(truth) => mysql_async::Value::Int(i64::from(*truth)),
        Value::Int(number) => mysql_async::Value::Int(*number),
        Value::Text(text) => mysql_async::Value::Bytes(text.as_bytes().to_vec()),
        Value::Json(json) => mysql_async::Value::Bytes(json_text(json).into_bytes()),
        Value::Written(text) => mysql_async::Value::Bytes(text.as_bytes().to_vec()),
    };
    Params::Positional(params.iter().map(param).collect())
}

fn cells(row: mysql_async::Row) -> Vec<Value> {
    use mysql_async::consts::ColumnType::{MYSQL_TYPE_DECIMAL, MYSQL_TYPE_NEWDECIMAL};
    let columns = row.columns();
    let decimal = |index: usize| {
        columns.get(index).is_some_and(|column| {
            matches!(column.column_type(), MYSQL_TYPE_NEWDECIMAL | MYSQL_TYPE_DECIMAL)
        })
    };
    let cell = |(index, value)| match value {
        mysql_async::Value::NULL => Value::Null,
        mysql_async::Value::Int(number) => Value::Int(number),
        mysql_async::Value::UInt(number) => {
            i64::try_from(number).map_or(Value::Missing, Value::Int)
        }
        mysql_async::Value::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) if decimal(index) => text.parse().map_or(Value::Missing, Value::Int),
            Ok(text) => Value::Text(text),
            Err(_) => Value::Missing,
        },
        _ => Value::Missing,
    };
    row.unwrap().into_iter().enumerate().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_constraints_are_read_from_messages() {
        let message = "Duplicate entry 'it''s-x' for key 'uq_ports_mac'";
        assert_eq!(quoted_last(message, '\''), Some("uq_ports_mac"));
        let message = "Cannot add or update a child row: a foreign key constraint fails \
            (`n`.`ports`, CONSTRAINT `fk_ports_network` FOREIGN KEY (`network_id`) …)";
        assert_eq!(foreign_key(message).as_deref(), Some("fk_ports_network"));
    }
}
