//! PostgreSQL: writes, reads and the commit are pipelined, so that a round trip carries all that is
//! known by then. Not here: the values (`cell`), other engines.

mod cell;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};
use wire::fault::{Error, Result};
use wire::value::Value;

use self::cell::{Param, cells};
use super::pool::Pool;
use super::{Cells, Flow};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::statement::Statement;
use crate::stats::{Counters, Queued, count};

/// Connections at most.
const CONNECTIONS: usize = 16;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 1000;
/// How long the server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// What is said first on every connection.
const SETTINGS: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SET standard_conforming_strings = on; SET lock_timeout = '20s'; SET jit = off";
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

type Sent = std::result::Result<u64, tokio_postgres::Error>;

/// A database.
pub(crate) struct Postgres {
    config: Config,
    pool: Pool<Connection>,
    counters: Arc<Counters>,
}

/// One connection and the statements that it has prepared.
pub(crate) struct Connection {
    client: Client,
    prepared: HashMap<String, tokio_postgres::Statement>,
}

/// One transaction. Dropping it closes the connection, which undoes it.
pub(crate) struct Session {
    connection: Connection,
    engine: Arc<Postgres>,
    /// What begins it, until that is sent.
    begin: Option<&'static str>,
    _permit: OwnedSemaphorePermit,
}

impl Postgres {
    /// Connects once, so that a wrong URL is seen at the start.
    pub async fn open(url: &str, counters: Arc<Counters>) -> Result<Arc<Self>> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            Error::internal(format!("the PostgreSQL URL cannot be read: {}", plain(&error)))
        })?;
        config.application_name("nucleon").connect_timeout(CONNECT);
        let engine = Arc::new(Self { config, pool: Pool::new(CONNECTIONS), counters });
        let first = engine.connect().await?;
        engine.pool.give(first);
        Ok(engine)
    }

    async fn connect(&self) -> Result<Connection> {
        let refused = |error| Failure::Unreachable(plain(&error)).error("");
        let (client, driver) = self.config.connect(NoTls).await.map_err(refused)?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(error = plain(&error), "a connection to PostgreSQL ended");
            }
        });
        client.batch_execute(SETTINGS).await.map_err(refused)?;
        Ok(Connection { client, prepared: HashMap::new() })
    }

    /// A transaction; nothing is sent before its first statement.
    pub async fn begin(self: &Arc<Self>, writing: bool) -> Result<Session> {
        let queued = Queued::enter(&self.counters.queue);
        let (permit, mut idle) = self.pool.take().await?;
        drop(queued);
        if idle.as_ref().is_some_and(|connection| connection.client.is_closed()) {
            self.pool.forget();
            idle = None;
        }
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let begin = Some(if writing { "BEGIN" } else { READ });
        Ok(Session { connection, engine: Arc::clone(self), begin, _permit: permit })
    }

    /// Reads through a portal, so that the server keeps what the caller has not taken yet.
    pub async fn stream(self: &Arc<Self>, flow: &Flow) -> Result<()> {
        let mut session = self.begin(false).await?;
        let flowed = session.flow(flow).await;
        flowed.map_err(|error| failure(error).error(&flow.sql))?;
        self.pool.give(session.connection);
        Ok(())
    }
}

impl Connection {
    async fn prepare(
        &mut self,
        sql: &str,
    ) -> std::result::Result<tokio_postgres::Statement, tokio_postgres::Error> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        if self.prepared.len() >= STATEMENTS {
            self.prepared.clear();
        }
        let statement = self.client.prepare(&Dialect::Postgres.placeholders(sql)).await?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Session {
    /// Sends the pending statements and a query in one go.
    pub async fn rows(
        &mut self,
        pending: &mut [Statement],
        sql: &str,
        params: &[Value],
    ) -> Result<Cells> {
        let query = self.prepare(sql).await.map_err(|error| failure(error).error(sql))?;
        let texts = self.prepare_all(pending).await?;
        count(&self.engine.counters.statements);
        let begin = self.begin.take();
        let client = &self.connection.client;
        let params: Vec<Param<'_>> = params.iter().map(Param).collect();
        let bound: Vec<&(dyn ToSql + Sync)> =
            params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
        let written = InOrder::new(sends(client, begin, &texts, pending, None));
        let (results, rows) = both(written, client.query(&query, &bound)).await;
        settle(results, begin.is_some(), pending)?;
        rows.and_then(|rows| cells(&rows)).map_err(|error| failure(error).error(sql))
    }

    /// Sends the statements in one go; how many rows each has changed.
    pub async fn send(&mut self, statements: &mut [Statement]) -> Result<Vec<u64>> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let texts = self.prepare_all(statements).await?;
        let begin = self.begin.take();
        let client = &self.connection.client;
        let results = InOrder::new(sends(client, begin, &texts, statements, None)).await;
        settle(results, begin.is_some(), statements)
    }

    /// Sends the statements and the commit in one go. The commit's own answer says nothing: after
    /// a failed statement the server calls a rollback a success.
    pub async fn commit(mut self, statements: &mut [Statement]) -> Result<()> {
        if statements.is_empty() && self.begin.is_some() {
            self.engine.pool.give(self.connection);
            return Ok(());
        }
        let texts = self.prepare_all(statements).await?;
        let begin = self.begin.take();
        let client = &self.connection.client;
        let sends = sends(client, begin, &texts, statements, Some("COMMIT"));
        let mut results = InOrder::new(sends).await;
        let committed = results.pop();
        // Whatever of this broke the connection, the commit was on its way.
        let broken = |sent: &Sent| sent.as_ref().is_err_and(is_lost);
        if let Some(index) = results.iter().position(broken) {
            let error = results.swap_remove(index).err();
            return Err(error
                .map_or_else(|| Error::internal("no error"), |error| failure(error).of_commit()));
        }
        let settled = settle(results, begin.is_some(), statements);
        match committed {
            Some(Err(error)) if settled.is_ok() => return Err(failure(error).of_commit()),
            _ => self.engine.pool.give(self.connection),
        }
        count(&self.engine.counters.groups);
        settled.map(drop)
    }

    /// Ends it without a trace. The server's answer is left to the next one on the connection.
    pub async fn rollback(self) -> Result<()> {
        if self.begin.is_none() {
            let sent = self.connection.client.batch_execute("ROLLBACK").boxed().now_or_never();
            if let Some(Err(_)) = sent {
                return Ok(());
            }
        }
        self.engine.pool.give(self.connection);
        Ok(())
    }

    async fn prepare(
        &mut self,
        sql: &str,
    ) -> std::result::Result<tokio_postgres::Statement, tokio_postgres::Error> {
        self.connection.prepare(sql).await
    }

    async fn prepare_all(
        &mut self,
        statements: &mut [Statement],
    ) -> Result<Vec<tokio_postgres::Statement>> {
        let mut texts = Vec::with_capacity(statements.len());
        for statement in statements {
            count(&self.engine.counters.statements);
            let sql = checked(statement);
            let prepared = self.prepare(&sql).await;
            texts.push(prepared.map_err(|error| failure(error).of(statement))?);
        }
        Ok(texts)
    }

    async fn flow(&mut self, flow: &Flow) -> std::result::Result<(), tokio_postgres::Error> {
        let text = self.prepare(&flow.sql).await?;
        let params: Vec<Param<'_>> = flow.params.iter().map(Param).collect();
        let bound: Vec<&(dyn ToSql + Sync)> =
            params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
        let transaction =
            self.connection.client.build_transaction().read_only(true).start().await?;
        let portal = transaction.bind(&text, &bound).await?;
        let chunk = i32::try_from(flow.chunk).unwrap_or(i32::MAX);
        loop {
            let rows = transaction.query_portal(&portal, chunk).await?;
            let last = rows.len() < flow.chunk;
            if (!rows.is_empty() && !flow.give(cells(&rows)?).await) || last {
                return transaction.rollback().await;
            }
        }
    }
}

/// A statement that must change so many rows divides by zero if it does not, so that the commit
/// behind it becomes a rollback.
fn checked(statement: &Statement) -> std::borrow::Cow<'_, str> {
    match &statement.expect {
        None => (&*statement.sql).into(),
        Some((rows, _)) => format!(
            "WITH changed AS ({} RETURNING 1) \
             SELECT 1 / (CASE WHEN (SELECT COUNT(*) FROM changed) = {rows} THEN 1 ELSE 0 END)",
            statement.sql
        )
        .into(),
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Sent> + Send + 'a>>;

/// The futures that send a transaction's beginning, its statements and its end.
fn sends<'a>(
    client: &'a Client,
    begin: Option<&'static str>,
    texts: &'a [tokio_postgres::Statement],
    statements: &'a [Statement],
    end: Option<&'static str>,
) -> Vec<Sending<'a>> {
    let plain = |sql: &'static str| -> Sending<'a> {
        Box::pin(async move { client.batch_execute(sql).await.map(|()| 0) })
    };
    let mut all: Vec<Sending<'a>> = Vec::with_capacity(statements.len() + 2);
    all.extend(begin.map(plain));
    for (text, statement) in texts.iter().zip(statements) {
        let params: Vec<Param<'a>> = statement.params.iter().map(Param).collect();
        all.push(Box::pin(async move { client.execute_raw(text, params).await }));
    }
    all.extend(end.map(plain));
    all
}

/// The first failure decides: those behind it failed because of it.
fn settle(results: Vec<Sent>, begun: bool, statements: &mut [Statement]) -> Result<Vec<u64>> {
    let mut changed = Vec::with_capacity(results.len());
    for (index, result) in results.into_iter().enumerate() {
        let statement = index.checked_sub(usize::from(begun)).and_then(|i| statements.get_mut(i));
        match (result, statement) {
            (Ok(rows), Some(_)) => changed.push(rows),
            (Ok(_), None) => {}
            (Err(error), Some(statement)) => {
                let divided = error.code() == Some(&SqlState::DIVISION_BY_ZERO);
                return Err(match divided && statement.expect.is_some() {
                    true => Failure::Rows.of(statement),
                    false => failure(error).of(statement),
                });
            }
            (Err(error), None) => return Err(failure(error).error("BEGIN")),
        }
    }
    Ok(changed)
}

/// What a driver's error means.
fn failure(error: tokio_postgres::Error) -> Failure {
    let Some(refusal) = error.as_db_error() else {
        return match is_lost(&error) {
            true => Failure::Lost(plain(&error)),
            false => Failure::Other(error.into()),
        };
    };
    let constraint = refusal.constraint().map(str::to_owned);
    match refusal.code().code() {
        "23505" => Failure::Unique(constraint.unwrap_or_default()),
        "23503" => Failure::Foreign(constraint),
        "40001" => Failure::Overtaken("serialization failure"),
        "40P01" => Failure::Overtaken("deadlock"),
        "55P03" => Failure::Overtaken("a lock was not to be had"),
        "53100" => Failure::Full(refusal.message().to_owned()),
        "53300" | "57P03" => Failure::Unreachable(refusal.message().to_owned()),
        code if code.starts_with("57P") || code.starts_with("08") => {
            Failure::Lost(refusal.message().to_owned())
        }
        _ => Failure::Other(error.into()),
    }
}

fn is_lost(error: &tokio_postgres::Error) -> bool {
    let io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    error.is_closed() || io
}

/// The driver's words with their cause.
fn plain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Polls futures in order, so that what they send leaves in order; ready when all are.
struct InOrder<'a> {
    futures: Vec<Sending<'a>>,
    results: Vec<Option<Sent>>,
}

impl<'a> InOrder<'a> {
    fn new(futures: Vec<Sending<'a>>) -> Self {
        let results = futures.iter().map(|_| None).collect();
        Self { futures, results }
    }
}

impl Future for InOrder<'_> {
    type Output = Vec<Sent>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut ready = true;
        for (future, result) in this.futures.iter_mut().zip(&mut this.results) {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(sent) => *result = Some(sent),
                    Poll::Pending => ready = false,
                }
            }
        }
        match ready {
            true => Poll::Ready(this.results.drain(..).flatten().collect()),
            false => Poll::Pending,
        }
    }
}

/// The first future's messages leave before the second's; ready when both are.
async fn both<T>(first: InOrder<'_>, second: impl Future<Output = T>) -> (Vec<Sent>, T) {
    tokio::join!(biased; first, second)
}
