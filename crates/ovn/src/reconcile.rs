//! The loop that brings Northbound in line with what is stored: it learns of units from the commits
//! of this process and from marks that are due, works on them in batches (`batch`), and has one of
//! all processes watch for what nobody marked (`watchman`). It may be stopped anywhere, at every
//! `.await`: what is not done is still marked.

mod batch;
mod queue;
mod settled;
mod sweep;
mod watchman;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ovsdb::client::Client;
use sql::{Committed, Db};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

pub use settled::Settled;

use crate::chance::Chance;
use crate::counters::Counters;
use crate::facts::Facts;
use crate::owned;
use batch::{AWAY_PAUSE, Batch, Fate, Finished};
use queue::{Job, Queue};

/// What a mistake of ours keeps from being done is tried again after this.
const AFTER_PANIC: Duration = Duration::from_secs(30);

/// How the reconciler works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Units in one transaction.
    pub batch_max: usize,
    /// How long the first unit of a batch waits for others.
    pub gather: Duration,
    /// Batches in work at once.
    pub batches: usize,
    /// Between two looks for marks that are due.
    pub sweep_every: Duration,
    /// After which a unit that has no rows is looked at once more. Longer than from the load of a
    /// state to the end of its transaction, so that a slow writer of an older state is noticed.
    pub look_again: Duration,
    /// Between two comparisons of everything.
    pub audit_every: Duration,
    /// How long a request waits for its own units.
    pub wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_max: 256,
            gather: Duration::from_millis(1),
            batches: 2,
            sweep_every: Duration::from_secs(1),
            look_again: Duration::from_secs(15),
            audit_every: Duration::from_secs(24 * 3600),
            wait: Duration::from_millis(500),
        }
    }
}

/// Brings one Northbound in line.
pub struct Reconciler {
    work: Arc<Work>,
}

/// What all parts of the reconciler work with.
struct Work {
    db: Db,
    nb: Client,
    facts: watch::Receiver<Option<Arc<Facts>>>,
    settings: Settings,
    chance: Arc<dyn Chance>,
    counters: Counters,
    settled: Arc<Settled>,
}

impl Work {
    /// Between half of it and all.
    fn jittered(&self, pause: Duration) -> Duration {
        let random = u32::try_from(self.chance.number() % 1000).unwrap_or_default();
        pause / 2 + pause.mul_f64(f64::from(random) / 2000.0)
    }
}

impl Reconciler {
    /// For the database `db` and the Northbound that `nb` follows as [`owned::monitored`] and
    /// [`owned::indexes`] say. Nothing is written while `facts` are not known.
    #[must_use]
    pub fn new(
        db: Db,
        nb: Client,
        facts: watch::Receiver<Option<Arc<Facts>>>,
        settings: Settings,
        chance: Arc<dyn Chance>,
    ) -> Self {
        let settled = Arc::new(Settled::new(settings.wait));
        let counters = Counters::default();
        let work = Work { db, nb, facts, settings, chance, counters, settled };
        Self { work: Arc::new(work) }
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.work.counters.clone()
    }

    /// For requests that wait for their own units.
    #[must_use]
    pub fn settled(&self) -> Arc<Settled> {
        Arc::clone(&self.work.settled)
    }

    /// Works until it is dropped; everything that it began is then dropped too. What is committed
    /// from this call on is known to it. It may be called again when the former one has ended.
    pub fn run(&self) -> impl Future<Output = ()> + Send + use<> {
        let work = Arc::clone(&self.work);
        let commits = work.db.marks();
        async move {
            let watchman = watchman::watch(&work);
            tokio::select! {
                () = Loop::new(&work, commits).run() => {}
                () = watchman => {}
            }
        }
    }
}

/// The state of the loop.
struct Loop {
    work: Arc<Work>,
    commits: broadcast::Receiver<Committed>,
    queue: Queue,
    batches: JoinSet<Finished>,
    sweeps: JoinSet<sweep::Swept>,
    /// When to look for marks that are due.
    sweep_at: Instant,
    /// The last look did not see all.
    there_is_more: bool,
    /// What is in work, by task: for one that panics.
    in_work: HashMap<task::Id, Vec<Job>>,
    /// Why the latest batches got nowhere, and until when no other is begun: one that fails for
    /// all must not be tried with each of them.
    trouble: Option<String>,
    rest_until: Instant,
}

impl Loop {
    fn new(work: &Arc<Work>, commits: broadcast::Receiver<Committed>) -> Self {
        Self {
            work: Arc::clone(work),
            commits,
            queue: Queue::default(),
            batches: JoinSet::new(),
            sweeps: JoinSet::new(),
            sweep_at: Instant::now(),
            there_is_more: false,
            in_work: HashMap::new(),
            trouble: None,
            rest_until: Instant::now(),
        }
    }

    async fn run(mut self) {
        let (mut status, mut facts) = (self.work.nb.status(), self.work.facts.clone());
        loop {
            let connected = status.borrow_and_update().connected;
            self.work.counters.connected.set(connected.into());
            let connected = connected && facts.borrow_and_update().is_some();
            self.work.settled.open(connected);
            if connected {
                self.start_batches();
            }
            self.start_sweep(connected);
            let (ripe, sweep_at) = (self.ripe(connected), self.sweep_at);
            tokio::select! {
                committed = self.commits.recv() => self.committed(committed),
                Some(finished) = self.batches.join_next_with_id() => self.finished(finished),
                Some(swept) = self.sweeps.join_next() => self.swept(swept.ok()),
                _ = status.changed() => {}
                Ok(()) = facts.changed() => {}
                () = tokio::time::sleep_until(ripe) => {}
                () = tokio::time::sleep_until(sweep_at), if self.sweeps.is_empty() => {}
            }
        }
    }

    fn start_batches(&mut self) {
        let settings = &self.work.settings;
        while self.batches.len() < settings.batches && Instant::now() >= self.rest_until {
            let jobs = self.queue.take(settings.batch_max, settings.gather, Instant::now());
            if jobs.is_empty() {
                return;
            }
            let batch = Batch::new(Arc::clone(&self.work), jobs.clone());
            let task = self.batches.spawn(batch.run());
            self.in_work.insert(task.id(), jobs);
        }
    }

    /// When there may be a batch to start.
    fn ripe(&self, connected: bool) -> Instant {
        let settings = &self.work.settings;
        let can_start = connected && self.batches.len() < settings.batches;
        let next = self.queue.next(settings.gather).filter(|_| can_start);
        let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        next.max(self.rest_until)
    }

    fn start_sweep(&mut self, connected: bool) {
        let wanted = connected && self.queue.len() < self.work.settings.batch_max;
        let is_time = Instant::now() >= self.sweep_at || (wanted && self.there_is_more);
        if !is_time || !self.sweeps.is_empty() {
            return;
        }
        self.sweep_at = Instant::now() + self.work.jittered(self.work.settings.sweep_every);
        self.there_is_more &= !wanted;
        self.sweeps.spawn(sweep::sweep(Arc::clone(&self.work), wanted));
    }

    fn committed(&mut self, committed: Result<Committed, RecvError>) {
        // What was missed is found by its mark.
        let Ok(committed) = committed else { return };
        let now = Instant::now();
        for mark in &*committed.marks {
            let job = Job { committed: Some(committed.at), ..Job::found(*mark) };
            self.queue.kick(job, now);
        }
    }

    fn swept(&mut self, swept: Option<sweep::Swept>) {
        let Some(swept) = swept else { return };
        let (now, before) = (Instant::now(), self.queue.len());
        for mark in swept.due {
            self.queue.found(mark, now);
        }
        // The next look would find the same if all of these are in work or have a pause.
        self.there_is_more |= swept.there_is_more && self.queue.len() > before;
    }

    fn finished(&mut self, finished: Result<(task::Id, Finished), JoinError>) {
        let now = Instant::now();
        let id = finished.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let jobs = self.in_work.remove(&id).unwrap_or_default();
        let units = match finished {
            Ok((_, finished)) => {
                self.troubled(finished.trouble, now);
                finished.units
            }
            // It panicked, which is logged where it happened.
            Err(_) => broken_down(jobs),
        };
        for (job, fate) in units {
            match fate {
                Fate::Done => self.queue.done(job.mark, now),
                Fate::Again(pause) => self.queue.again(job, now + pause),
                Fate::Parked(row) => self.queue.park(job.mark, row, now),
            }
        }
        if let Some(replica) = self.work.nb.read() {
            self.queue.unpark(|row| owned::find(&replica, row).is_some(), now);
        }
    }

    /// Whether batches get anywhere, which is told when it becomes so, and not with each of them.
    fn troubled(&mut self, trouble: Option<String>, now: Instant) {
        match &trouble {
            Some(why) => {
                if self.trouble.as_ref() != Some(why) {
                    tracing::warn!("Northbound cannot be brought in line now: {why}");
                }
                self.rest_until = now + self.work.jittered(AWAY_PAUSE);
            }
            None if self.trouble.is_some() => tracing::info!("Northbound is brought in line again"),
            None => {}
        }
        self.trouble = trouble;
    }
}

/// The units of a batch that panicked: the one that is to blame must not take the others with it
/// again.
fn broken_down(jobs: Vec<Job>) -> Vec<(Job, Fate)> {
    let pause = if jobs.len() == 1 { AFTER_PANIC } else { Duration::ZERO };
    if let [job] = &*jobs {
        tracing::error!(unit = job.mark.kind, id = %job.mark.id, "a unit breaks rendering down");
    }
    jobs.into_iter().map(|job| (Job { alone: true, ..job }, Fate::Again(pause))).collect()
}
