//! A server's reconciler: its own connection to Northbound, and the clock and dice of the history.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ovn::chance::Chance;
use ovn::counters::Counters;
use ovn::facts::Facts;
use ovn::reconcile::{Reconciler, Settings};
use ovsdb::server::Server;
use sql::Db;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::oracle;

/// The time of a history, which can be made to pass, and numbers that can be had again.
#[derive(Debug, Default)]
pub struct Time {
    ahead_ms: AtomicI64,
    number: AtomicU64,
}

impl Time {
    /// As much passes at once.
    pub fn pass(&self, time: Duration) {
        self.ahead_ms.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Chance for Time {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    fn number(&self) -> u64 {
        self.number.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}

/// A reconciler that runs.
pub struct Worker {
    task: JoinHandle<()>,
    counters: Counters,
    _facts: watch::Sender<Option<Arc<Facts>>>,
}

impl Worker {
    /// Starts one that is in a hurry.
    pub fn start(db: &Db, northbound: &Server, time: &Arc<Time>) -> Self {
        let settings = Settings {
            batch_max: 8,
            gather: Duration::from_micros(200),
            sweep_every: Duration::from_millis(6),
            audit_every: Duration::from_secs(3600),
            wait: Duration::ZERO,
            ..Settings::default()
        };
        let (sender, facts) = watch::channel(Some(Arc::new(Facts::default())));
        let chance: Arc<dyn Chance> = Arc::<Time>::clone(time);
        let nb = oracle::client(northbound);
        let reconciler = Reconciler::new(db.clone(), nb, facts, settings, chance);
        let counters = reconciler.counters();
        Self { task: tokio::spawn(reconciler.run()), counters, _facts: sender }
    }

    /// How often somebody else was quicker.
    pub fn conflicts(&self) -> u64 {
        self.counters.conflicts.get()
    }

    /// How often Northbound refused a unit.
    pub fn refused(&self) -> u64 {
        self.counters.refused.get()
    }

    /// As `kill -9` does it: wherever it is.
    pub fn kill(self) {
        self.task.abort();
    }
}
