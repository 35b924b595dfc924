//! `Db`: the database, and the two ways into it: `write`, which may run its act several times, and
//! `read`, a snapshot. Not here: what happens inside a transaction (`tx`).

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, broadcast};
use wire::attr::Resource;
use wire::ctx::Ctx;
use wire::fault::{self, Error, Result};

use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::migrate::{self, Migration};
use crate::sabotage::Sabotage;
use crate::schema::Schema;
use crate::select::Select;
use crate::stats::{Counters, Stats, count};
use crate::tx::{Committed, Tx};

/// How often an act is run before the caller is told to come again.
const ATTEMPTS: u32 = 32;
/// Attempts beside others; after these an act waits until no other of this process is writing.
const SHARED_ATTEMPTS: u32 = 5;
/// How long a transaction waits for its turn where the caller sets no deadline.
const PATIENCE: Duration = Duration::from_secs(60);
/// Committed marks that a slow listener may be behind.
const MARKS: usize = 1024;
/// Long lists that are streamed at once; each holds a connection and a snapshot.
pub(crate) const STREAMS: usize = 8;
/// Prepared forms of `SELECT` that are kept.
const SELECTS: usize = 500;

/// A database. Cheap to clone; the last one closes it.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    counters: Arc<Counters>,
    migrations: &'static [Migration],
    marks: broadcast::Sender<Committed>,
    selects: Mutex<Selects>,
    streams: Semaphore,
    sabotage: Sabotage,
    /// Shared by those who write, and held alone by one who was always overtaken.
    turns: RwLock<()>,
}

/// Held while an act is run.
enum Turn<'a> {
    /// A reader has no need of one.
    Free,
    /// Beside others.
    Shared { _guard: RwLockReadGuard<'a, ()> },
    /// Nobody else of this process writes.
    Alone { _guard: RwLockWriteGuard<'a, ()> },
}

/// By the table's address and the names of the fields.
type Selects = HashMap<(usize, Vec<String>), Arc<Select>>;

/// Ends the transaction when its future is dropped in the middle.
struct Abandon<'a>(&'a Tx);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Db {
    /// Connects to the database of a URL: `sqlite:PATH`, `sqlite::memory:`, `postgres://…` or
    /// `mysql://…`. Does not migrate.
    ///
    /// # Errors
    /// `Internal` for a URL that cannot be read; `HTTPServiceUnavailable` for a server that does
    /// not answer.
    pub async fn open(url: &str, migrations: &'static [Migration]) -> Result<Self> {
        let ddl = migrations.iter().chain([&migrate::OWN]).map(|migration| migration.sql);
        let schema = Schema::read(ddl);
        let counters = Arc::new(Counters::default());
        let engine = Engine::open(url, schema, Arc::clone(&counters)).await?;
        let (marks, _) = broadcast::channel(MARKS);
        let selects = Mutex::default();
        let streams = Semaphore::new(STREAMS);
        let (sabotage, turns) = (Sabotage::default(), RwLock::default());
        let inner =
            Inner { engine, counters, migrations, marks, selects, streams, sabotage, turns };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Applies the migrations that are missing, one process at a time; their numbers.
    ///
    /// # Errors
    /// `Internal` for a database of a newer release.
    pub async fn migrate(&self) -> Result<Vec<i64>> {
        let now = Timestamp::now();
        let ctx = Ctx { deadline: Some(Instant::now() + 5 * PATIENCE), ..Ctx::system(now) };
        let text = &ctx.now_text();
        self.write(
            &ctx,
            |tx| async move { migrate::migrate(&tx, self.inner.migrations, text).await },
        )
        .await
    }

    /// Runs an act in a transaction and commits it. It is run again, up to 31 times, when another
    /// transaction was quicker, so it may touch nothing but its `Tx`; least of all may it write in
    /// another transaction, for which it might wait for ever.
    ///
    /// # Errors
    /// The act's; `HTTPServiceUnavailable` when the database cannot be reached or others are always
    /// quicker; `Internal`. After an error nothing is stored.
    pub async fn write<T, F, Fut>(&self, ctx: &Ctx, act: F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.perform(true, ctx, &act).await.map(|(value, _)| value)
    }

    /// [`Db::write`] that says what was marked, for who wants to wait until OVN has it.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_marked<T, F, Fut>(&self, ctx: &Ctx, act: F) -> Result<(T, Committed)>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.perform(true, ctx, &act).await
    }

    /// Runs an act on a snapshot: all that it reads is of one moment. It may be run again when the
    /// connection breaks.
    ///
    /// # Errors
    /// The act's; `HTTPServiceUnavailable` when the database cannot be reached; `Internal`.
    pub async fn read<T, F, Fut>(&self, ctx: &Ctx, act: F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.perform(false, ctx, &act).await.map(|(value, _)| value)
    }

    /// [`Db::read`] for the server itself.
    pub(crate) async fn snapshot<T, F, Fut>(&self, act: F) -> Result<T>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        self.perform(false, &Ctx::system(Timestamp::now()), &act).await.map(|(value, _)| value)
    }

    async fn perform<T, F, Fut>(&self, writing: bool, ctx: &Ctx, act: &F) -> Result<(T, Committed)>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        for attempt in 1..=ATTEMPTS {
            let turn = match (writing, attempt > SHARED_ATTEMPTS) {
                (false, _) => Turn::Free,
                (true, false) => Turn::Shared { _guard: self.inner.turns.read().await },
                (true, true) => Turn::Alone { _guard: self.inner.turns.write().await },
            };
            let error = match self.once(writing, ctx, act).await {
                Err(Error::Retry(why)) => why,
                done => return done,
            };
            drop(turn);
            count(&self.inner.counters.retries);
            tracing::debug!(why = error, attempt, request_id = ctx.request_id, "running again");
            if ctx.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(fault::unavailable(
            "Others keep changing the same things at this moment; nothing was changed, try again.",
        ))
    }

    async fn once<T, F, Fut>(&self, writing: bool, ctx: &Ctx, act: &F) -> Result<(T, Committed)>
    where
        T: Send,
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
    {
        let deadline = ctx.deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
        let begun =
            tokio::time::timeout_at(deadline.into(), self.inner.engine.begin(writing)).await;
        let link = begun.map_err(|_| {
            fault::unavailable("The database has too much to do at the moment; try again later.")
        })??;
        let tx = Tx::new(self.clone(), link, writing, ctx.now.as_millisecond());
        let abandon = Abandon(&tx);
        let acted = act(tx.clone()).await;
        let done = match acted {
            Ok(value) => match tx.commit().await {
                Ok(committed) => Ok((value, committed)),
                Err(error) => Err(error),
            },
            Err(error) => {
                // What cannot be undone any more is not stored either: the error says more.
                if let Err(undone) = tx.rollback().await {
                    tracing::error!("a transaction ended by itself: {undone}");
                }
                Err(error)
            }
        };
        drop(abandon);
        let (value, committed) = done?;
        if writing {
            count(&self.inner.counters.commits);
        }
        if !committed.marks.is_empty() {
            // Nobody listens where no reconciler runs.
            let _ = self.inner.marks.send(committed.clone());
        }
        Ok((value, committed))
    }

    /// The marks of each commit of this process. A listener that is behind loses some, which is
    /// harmless: they are stored.
    pub fn marks(&self) -> broadcast::Receiver<Committed> {
        self.inner.marks.subscribe()
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        self.inner.counters.read()
    }

    /// Which SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        self.inner.engine.dialect()
    }

    pub(crate) fn sabotage(&self) -> &Sabotage {
        &self.inner.sabotage
    }

    /// For tests: the statement of this number fails, counted from the next one; 0: none. True
    /// where the one that was to fail last has done so.
    #[cfg(feature = "sabotage")]
    pub fn fail_at(&self, number: u64) -> bool {
        self.inner.sabotage.set(number)
    }

    /// For tests: the steps in which SQLite reads a list.
    ///
    /// # Errors
    /// As of the list itself.
    #[cfg(feature = "sabotage")]
    pub async fn plan(
        &self,
        table: &'static Resource,
        scope: &crate::Scope,
        query: &wire::query::Query,
    ) -> Result<Vec<String>> {
        let select = self.select(table, &query.fields);
        let begin = crate::list::Begin::AsRead;
        let list = crate::list::listing(self.dialect(), &select, table, scope, query, begin)?;
        let (sql, params) = (&format!("EXPLAIN QUERY PLAN {}", list.text), &list.params);
        let rows = self.snapshot(|tx| async move { tx.rows(sql, params).await }).await?;
        let step = |row: &Vec<wire::value::Value>| row.last()?.as_text().map(str::to_owned);
        Ok(rows.iter().filter_map(step).collect())
    }

    pub(crate) fn streams(&self) -> &Semaphore {
        &self.inner.streams
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    pub(crate) fn shared_counters(&self) -> Arc<Counters> {
        Arc::clone(&self.inner.counters)
    }

    /// A kind's `SELECT` for these fields, made once.
    pub(crate) fn select(&self, table: &'static Resource, fields: &[String]) -> Arc<Select> {
        let mut selects = self.inner.selects.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (std::ptr::from_ref(table).addr(), fields.to_vec());
        if let Some(select) = selects.get(&key) {
            return Arc::clone(select);
        }
        if selects.len() >= SELECTS {
            selects.clear();
        }
        let select = Arc::new(Select::of(self.dialect(), table, fields));
        selects.insert(key, Arc::clone(&select));
        select
    }
}

/// Longer with each attempt and never the same twice, so that two that collide do so once.
fn pause(attempt: u32) -> Duration {
    let dice = uuid::Uuid::new_v4().as_u64_pair().0;
    let most = 2_000_u64 << attempt.min(6);
    Duration::from_micros(dice % most)
}
