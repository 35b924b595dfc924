//! `Stats`: what the database has done so far, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start; `queue` is a gauge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that were committed.
    pub commits: u64,
    /// Acts that were run again because another one was quicker.
    pub retries: u64,
    /// Statements sent.
    pub statements: u64,
    /// Commits on the disk: on SQLite one covers a group of transactions.
    pub groups: u64,
    /// Transactions that wait for a connection now.
    pub queue: u64,
    /// Stored values that did not convert and were read as empty.
    pub damaged: u64,
}

/// The live counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub commits: AtomicU64,
    pub retries: AtomicU64,
    pub statements: AtomicU64,
    pub groups: AtomicU64,
    pub queue: AtomicU64,
    pub damaged: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// The counters now.
    pub fn read(&self) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: load(&self.commits),
            retries: load(&self.retries),
            statements: load(&self.statements),
            groups: load(&self.groups),
            queue: load(&self.queue),
            damaged: load(&self.damaged),
        }
    }
}

/// One in the queue, for as long as this lives.
pub(crate) struct Queued<'a>(&'a AtomicU64);

impl<'a> Queued<'a> {
    /// Enters the queue.
    pub fn enter(queue: &'a AtomicU64) -> Self {
        queue.fetch_add(1, Ordering::AcqRel);
        Self(queue)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
