//! `Tx`: one transaction, as the model sees it: buffered writes, reads that flush them, marks.
//! Not here: what is read and written by table (`select`, `list`, `store`), retries (`db`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use wire::fault::{Error, Result};
use wire::types::Id;
use wire::value::Value;

use crate::db::Db;
use crate::dialect::Dialect;
use crate::dirty;
use crate::engine::{Cells, Link};
use crate::statement::Statement;

/// A unit that OVN must be brought in line with: what it is, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The kind of unit, as the model numbers them.
    pub kind: i16,
    /// Which one.
    pub id: Id,
}

/// What a commit has marked.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The units, in order.
    pub marks: Arc<[Mark]>,
    /// The token of all its marks.
    pub token: i64,
    /// When it was committed.
    pub at: Instant,
}

impl Committed {
    fn new(marks: Vec<Mark>, token: i64) -> Self {
        Self { marks: marks.into(), token, at: Instant::now() }
    }
}

/// A handle of one transaction. Using it after the transaction has ended is an error.
#[derive(Clone)]
pub struct Tx {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    writing: bool,
    now_ms: i64,
    link: tokio::sync::Mutex<Option<Link>>,
    buffer: Mutex<Buffer>,
}

/// What has not been sent yet.
#[derive(Default)]
struct Buffer {
    statements: Vec<Statement>,
    /// How many statements were taken out of here.
    taken: usize,
    marks: BTreeSet<Mark>,
    /// Why this transaction cannot be committed any more.
    spoiled: Option<&'static str>,
}

/// A buffered write. What is said of it holds from when it is sent, at the next read or the commit.
pub struct Write {
    tx: Tx,
    /// Its number in the transaction; `None` where nothing had to be written.
    number: Option<usize>,
}

impl Write {
    /// Violating this constraint means this: a fault, or `Error::Retry`.
    pub fn or(self, constraint: &'static str, fault: Error) -> Self {
        self.with(|statement| statement.faults.push((constraint, fault)));
        self
    }

    /// Changing another number of rows than this means this.
    pub fn expect(self, rows: u64, otherwise: Error) -> Self {
        self.with(|statement| statement.expect = Some((rows, otherwise)));
        self
    }

    fn with(&self, change: impl FnOnce(&mut Statement)) {
        let Some(number) = self.number else { return };
        let mut buffer = self.tx.buffer();
        let place = number.checked_sub(buffer.taken);
        match place.and_then(|place| buffer.statements.get_mut(place)) {
            Some(statement) => change(statement),
            None => buffer.spoiled = Some("a write was described after it had been sent"),
        }
    }
}

impl Tx {
    pub(crate) fn new(db: Db, link: Link, writing: bool, now_ms: i64) -> Self {
        let link = tokio::sync::Mutex::new(Some(link));
        let buffer = Mutex::default();
        Self { inner: Arc::new(Inner { db, writing, now_ms, link, buffer }) }
    }

    /// Which SQL the database speaks.
    pub fn dialect(&self) -> Dialect {
        self.inner.db.dialect()
    }

    pub(crate) fn db(&self) -> &Db {
        &self.inner.db
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.inner.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write that had nothing to write.
    pub(crate) fn nothing(&self) -> Write {
        Write { tx: self.clone(), number: None }
    }

    /// Buffers a statement with `?` for each parameter.
    pub fn exec(&self, sql: impl Into<Cow<'static, str>>, params: Vec<Value>) -> Write {
        let mut buffer = self.buffer();
        if !self.inner.writing {
            buffer.spoiled = Some("a write in a transaction that only reads");
        }
        if params.iter().any(Value::is_missing) {
            buffer.spoiled = Some("a value that nobody has chosen, in a statement");
        }
        let number = buffer.taken + buffer.statements.len();
        let sql = self.inner.db.sabotage().passed(sql.into());
        buffer.statements.push(Statement::new(sql, params));
        Write { tx: self.clone(), number: Some(number) }
    }

    /// Buffers an insert of one row or more that leaves a row with the same unique key as it is.
    /// The parameters are the values of `columns`, row after row.
    pub fn exec_ignore(&self, table: &str, columns: &[&str], params: Vec<Value>) -> Write {
        let rows = params.len() / columns.len().max(1);
        self.exec(self.dialect().insert_ignore(table, columns, rows), params)
    }

    /// Sends what is buffered and runs a query. Its columns come back as `Null`, `Int` or `Text` on
    /// every engine: truth values as 0 and 1, JSON as its text.
    ///
    /// # Errors
    /// Faults of the buffered writes; `Retry`; those of the database.
    pub async fn rows(&self, sql: &str, params: &[Value]) -> Result<Cells> {
        if params.iter().any(Value::is_missing) {
            return Err(Error::internal(format!("a value that nobody has chosen, in: {sql}")));
        }
        let mut slot = self.inner.link.lock().await;
        let link = slot.as_mut().ok_or_else(ended)?;
        let mut pending = self.take()?;
        let sql = self.inner.db.sabotage().passed(sql.into());
        let read = link.rows(&mut pending, &sql, params).await;
        self.judged(read)
    }

    /// Sends what is buffered and a statement; how many rows it has changed. `faults` says what the
    /// violation of a constraint means.
    ///
    /// # Errors
    /// Faults; `Retry`; those of the database.
    pub async fn run(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: &[Value],
        faults: Vec<(&'static str, Error)>,
    ) -> Result<u64> {
        self.exec(sql, params.to_vec()).with(|statement| statement.faults = faults);
        self.send().await.map(|changed| changed.last().copied().unwrap_or(0))
    }

    /// Sends what is buffered.
    ///
    /// # Errors
    /// Faults of the buffered writes; `Retry`; those of the database.
    pub async fn flush(&self) -> Result<()> {
        self.send().await.map(drop)
    }

    async fn send(&self) -> Result<Vec<u64>> {
        let mut slot = self.inner.link.lock().await;
        let link = slot.as_mut().ok_or_else(ended)?;
        let mut pending = self.take()?;
        let sent = link.send(&mut pending).await;
        self.judged(sent)
    }

    /// Marks a unit for the reconciler; stored with the commit.
    pub fn mark(&self, kind: i16, id: Id) {
        self.buffer().marks.insert(Mark { kind, id });
    }

    fn take(&self) -> Result<Vec<Statement>> {
        let mut buffer = self.buffer();
        if let Some(why) = buffer.spoiled {
            return Err(Error::internal(why));
        }
        let statements = std::mem::take(&mut buffer.statements);
        buffer.taken += statements.len();
        Ok(statements)
    }

    /// After an error nothing more can come of the transaction, on any engine.
    fn judged<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.buffer().spoiled.get_or_insert("an error was passed over");
        }
        result
    }

    /// Commits, with the marks; which ones, and their token.
    pub(crate) async fn commit(&self) -> Result<Committed> {
        let mut slot = self.inner.link.lock().await;
        let link = slot.take().ok_or_else(ended)?;
        if !self.inner.writing {
            let statements = self.take();
            link.rollback().await?;
            return statements.map(|_| Committed::new(Vec::new(), 0));
        }
        let mut statements = match self.take() {
            Ok(statements) => statements,
            Err(error) => {
                link.rollback().await?;
                return Err(error);
            }
        };
        let marks: Vec<Mark> = std::mem::take(&mut self.buffer().marks).into_iter().collect();
        let token = dirty::token();
        let mut put = dirty::put(self.dialect(), &marks, token, self.inner.now_ms);
        for statement in &mut put {
            let sql = std::mem::take(&mut statement.sql);
            statement.sql = self.inner.db.sabotage().passed(sql);
        }
        statements.extend(put);
        link.commit(&mut statements).await?;
        Ok(Committed::new(marks, token))
    }

    /// Undoes everything.
    pub(crate) async fn rollback(&self) -> Result<()> {
        match self.inner.link.lock().await.take() {
            Some(link) => link.rollback().await,
            None => Ok(()),
        }
    }

    /// Ends it at once if nobody is using it: its future was dropped.
    pub(crate) fn abandon(&self) {
        self.buffer().spoiled = Some("the transaction was abandoned");
        if let Ok(mut slot) = self.inner.link.try_lock() {
            slot.take();
        }
    }
}

fn ended() -> Error {
    Error::internal("a transaction was used after it had ended")
}
