//! The queue at the writer: each transaction is a savepoint, and one commit on the disk covers all
//! that were waiting. Nobody gets his answer, not even an error, before the commit that covers what
//! he has read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};
use wire::fault::{self, Error, Result};

use super::connection::{failure, turn};
use crate::stats::{Counters, Queued, count};

/// Transactions that one commit covers at most.
const GROUP_MAX: usize = 64;

/// Who waits for the writer.
pub struct Queue {
    /// Hands itself to those who wait in the order in which they came.
    writer: Arc<Mutex<Writer>>,
    waiting: AtomicUsize,
    /// Somebody left without handing on the group: commit it.
    orphaned: Arc<Notify>,
    counters: Arc<Counters>,
}

/// The writer's connection and the group that is open on it.
pub struct Writer {
    connection: Connection,
    /// Those who wait for the group's commit.
    members: Vec<oneshot::Sender<bool>>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Commits what the group has done and tells its members.
    pub fn commit(&mut self) {
        if self.connection.is_autocommit() {
            return self.tell(self.members.is_empty());
        }
        let committed = match turn(&self.connection, "COMMIT") {
            Ok(()) => true,
            Err(error) => {
                let members = self.members.len();
                tracing::error!(error = %error, members, "a commit failed; nothing of it is stored");
                if !self.connection.is_autocommit()
                    && let Err(error) = turn(&self.connection, "ROLLBACK")
                {
                    tracing::error!(error = %error, "a rollback failed");
                }
                false
            }
        };
        count(&self.counters.groups);
        self.tell(committed);
    }

    fn tell(&mut self, committed: bool) {
        for member in self.members.drain(..) {
            // A member that no longer listens has been cancelled.
            let _ = member.send(committed);
        }
    }
}

/// A place in the queue. Leaving it without a turn may leave a group to nobody.
struct Waiting<'a>(&'a Queue);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        self.0.orphaned.notify_one();
    }
}

impl Queue {
    /// A queue at this connection.
    pub fn new(connection: Connection, counters: Arc<Counters>) -> Arc<Self> {
        let writer = Writer { connection, members: Vec::new(), counters: Arc::clone(&counters) };
        let queue = Arc::new(Self {
            writer: Arc::new(Mutex::new(writer)),
            waiting: AtomicUsize::new(0),
            orphaned: Arc::new(Notify::new()),
            counters,
        });
        tokio::spawn(adopt(Arc::clone(&queue.orphaned), Arc::downgrade(&queue.writer)));
        queue
    }

    /// The writer, when it is this one's turn.
    async fn turn(self: &Arc<Self>) -> OwnedMutexGuard<Writer> {
        let queued = Queued::enter(&self.counters.queue);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(self);
        let guard = Arc::clone(&self.writer).lock_owned().await;
        // Had its turn: no need to wake anybody.
        std::mem::forget(waiting);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        drop(queued);
        guard
    }

    /// Does something with the writer between two groups.
    pub async fn between(self: &Arc<Self>, act: impl FnOnce(&Connection) + Send + 'static) {
        let mut guard = self.turn().await;
        let done = tokio::task::spawn_blocking(move || {
            guard.commit();
            act(&guard.connection);
        });
        drop(done.await);
    }
}

/// Commits groups whose next member was cancelled while it waited.
async fn adopt(orphaned: Arc<Notify>, writer: std::sync::Weak<Mutex<Writer>>) {
    loop {
        orphaned.notified().await;
        let Some(writer) = writer.upgrade() else { return };
        let mut guard = writer.lock_owned().await;
        drop(tokio::task::spawn_blocking(move || guard.commit()).await);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // The task that adopts sees that the writer is gone and ends.
        self.orphaned.notify_one();
    }
}

/// One transaction at the writer. Dropping it undoes what it did, and nothing else.
pub struct Member {
    guard: Option<OwnedMutexGuard<Writer>>,
    queue: Arc<Queue>,
}

impl Member {
    /// Waits for a turn and begins.
    pub async fn join(queue: &Arc<Queue>) -> Result<Self> {
        let guard = queue.turn().await;
        Self::begin(queue, guard, "BEGIN IMMEDIATE")
    }

    /// Waits for a turn to read what is committed, on the only connection that there is.
    pub async fn look(queue: &Arc<Queue>) -> Result<Self> {
        let mut guard = queue.turn().await;
        guard.commit();
        Self::begin(queue, guard, "BEGIN")
    }

    fn begin(queue: &Arc<Queue>, guard: OwnedMutexGuard<Writer>, begin: &str) -> Result<Self> {
        let connection = &guard.connection;
        let first = connection.is_autocommit();
        let begun = match first {
            true => turn(connection, begin),
            false => Ok(()),
        };
        match begun.and_then(|()| turn(connection, "SAVEPOINT member")) {
            Ok(()) => Ok(Self { guard: Some(guard), queue: Arc::clone(queue) }),
            Err(error) => {
                drop(guard);
                queue.orphaned.notify_one();
                Err(failure(error, None).error(begin))
            }
        }
    }

    /// Does something on the connection, which must be inside the transaction still: after some
    /// errors SQLite rolls everything back by itself.
    pub fn on<T>(&self, act: impl FnOnce(&Connection) -> T) -> Result<T> {
        let guard = self.guard.as_ref().ok_or_else(|| Error::internal("the turn is over"))?;
        if guard.connection.is_autocommit() {
            return Err(Error::internal("SQLite has rolled back the whole group"));
        }
        Ok(act(&guard.connection))
    }

    /// Keeps or undoes what it did, and waits for the commit of the group.
    pub async fn end(mut self, keep: bool) -> Result<()> {
        let Some(mut guard) = self.guard.take() else {
            return Err(Error::internal("the turn is over"));
        };
        if !close(&guard.connection, keep) {
            guard.abandon();
            return Err(Error::internal("SQLite has rolled back the whole group"));
        }
        if !keep && guard.members.is_empty() {
            // Nobody else's work was read and nothing was done.
            guard.abandon();
            return Ok(());
        }
        let (done, outcome) = oneshot::channel();
        guard.members.push(done);
        let last = self.queue.waiting.load(Ordering::SeqCst) == 0;
        if last || guard.members.len() >= GROUP_MAX {
            // Not on the task of a member: it may be cancelled, the commit may not.
            tokio::task::spawn_blocking(move || guard.commit());
        } else {
            drop(guard);
        }
        match outcome.await {
            Ok(true) => Ok(()),
            // Why is in the log, of whoever met it.
            _ => Err(fault::unavailable(
                "The database could not store this, and nothing was changed; try again later.",
            )),
        }
    }
}

impl Writer {
    /// Undoes the whole group.
    fn abandon(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = turn(&self.connection, "ROLLBACK")
        {
            tracing::error!(error = %error, "a rollback failed");
        }
        self.tell(false);
    }
}

/// Ends the savepoint. False: the transaction around it is lost or in an unknown state.
fn close(connection: &Connection, keep: bool) -> bool {
    let undone = if keep { Ok(()) } else { turn(connection, "ROLLBACK TO member") };
    match undone.and_then(|()| turn(connection, "RELEASE member")) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(error = %error, "SQLite lost a transaction");
            false
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        if !close(&guard.connection, false) {
            guard.abandon();
        }
        if guard.members.is_empty() {
            guard.abandon();
        } else {
            drop(guard);
            self.queue.orphaned.notify_one();
        }
    }
}
