//! One batch of units: observe, load, render, compare, write, clear. The order is the invariant:
//! who has written a unit is observed before its state is loaded, and written only if nobody has
//! written it since; so an older state never replaces a newer one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::snapshot;
use ovsdb::error::{Reason, TransactError};
use sql::dirty::{self, Dirty};
use sql::{Mark, Tx};
use wire::ctx::Ctx;
use wire::fault::Result;

use super::Work;
use super::queue::Job;
use crate::apply::{self, Observed, Plan, Write};
use crate::diff::{self, Difference};
use crate::facts::Facts;
use crate::render;
use crate::want::{RowName, Wants};

/// After which a unit that somebody else keeps writing counts as failed.
const CONFLICTS_MAX: u32 = 32;
/// The pause after the database or Northbound was away.
pub const AWAY_PAUSE: Duration = Duration::from_millis(500);
/// First and longest pause of a unit that Northbound refuses.
const REFUSED_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A state that was loaded so long ago is loaded again: it must not be written when nobody looks
/// out for it any more ([`Settings::look_again`](super::Settings::look_again)).
const AGE_MAX: Duration = Duration::from_secs(4);

/// What became of a unit.
#[derive(Clone, Debug)]
pub enum Fate {
    /// There is nothing more to do now.
    Done,
    /// It has to be tried again after a pause.
    Again(Duration),
    /// It waits for a row.
    Parked(RowName),
}

/// What became of a batch.
#[derive(Debug)]
pub struct Finished {
    /// Its units.
    pub units: Vec<(Job, Fate)>,
    /// Why no batch gets anywhere now: Northbound or the database is away.
    pub trouble: Option<String>,
}

/// A batch in work.
pub struct Batch {
    work: Arc<Work>,
    /// Its number among the batches of this process.
    begun: u64,
    at: tokio::time::Instant,
    jobs: BTreeMap<Mark, Job>,
    units: Vec<(Job, Fate)>,
    written: Vec<Loaded>,
    /// Marks that are put off, until when, and why.
    deferred: Vec<(Dirty, Duration, String)>,
    trouble: Option<String>,
}

/// A unit with its state.
#[derive(Clone, Debug)]
struct Loaded {
    dirty: Dirty,
    observed: Observed,
    wants: Wants,
    /// Something of it was written.
    changed: bool,
    /// It has a row that shows who has written it.
    anchored: bool,
}

/// How a transaction ended.
enum Sent {
    /// It happened, but operations of these units found no row.
    Happened(BTreeSet<usize>),
    /// There is no connection, or none that is any good, for this reason.
    Away(String),
    /// Somebody else had written these units; the rest can be sent again.
    Conflict(BTreeSet<usize>),
    /// Northbound does not take it because of these units, or one of them, for this reason.
    Refused(BTreeSet<usize>, String),
}

impl Batch {
    pub fn new(work: Arc<Work>, jobs: Vec<Job>) -> Self {
        let begun = work.settled.begin();
        Self {
            work,
            begun,
            at: tokio::time::Instant::now(),
            jobs: jobs.into_iter().map(|job| (job.mark, job)).collect(),
            units: Vec::new(),
            written: Vec::new(),
            deferred: Vec::new(),
            trouble: None,
        }
    }

    /// Works on it.
    pub async fn run(mut self) -> Finished {
        let facts = self.work.facts.borrow().clone();
        if let (Some(observed), Some(facts)) = (self.observe(), facts) {
            match self.load(observed, &facts).await {
                Ok(loaded) => {
                    self.write(loaded).await;
                    self.clear().await;
                }
                Err(error) => self.trouble = Some(format!("units cannot be read: {error}")),
            }
        }
        self.rest_again(AWAY_PAUSE);
        Finished { units: self.units, trouble: self.trouble }
    }

    fn observe(&self) -> Option<BTreeMap<Mark, Observed>> {
        let replica = self.work.nb.read()?;
        Some(self.jobs.keys().map(|mark| (*mark, Observed::of(*mark, &replica))).collect())
    }

    /// The states of those units that are still marked. The others are done: somebody has done them
    /// since.
    async fn load(
        &mut self,
        mut observed: BTreeMap<Mark, Observed>,
        facts: &Facts,
    ) -> Result<Vec<Loaded>> {
        let marks: Vec<Mark> = self.jobs.keys().copied().collect();
        let ctx = Ctx::system(self.work.chance.now());
        let (dirty, snapshots) = self.work.db.read(&ctx, |tx| load(tx, &marks)).await?;
        let marked: HashSet<Mark> = dirty.iter().map(|dirty| dirty.mark).collect();
        for mark in marks.iter().filter(|mark| !marked.contains(mark)) {
            self.work.settled.done(*mark, None, self.begun);
            self.end(*mark, Fate::Done);
        }
        let loaded = |dirty: Dirty| Loaded {
            observed: observed.remove(&dirty.mark).unwrap_or(Observed::Absent),
            wants: render::unit(dirty.mark, &snapshots, facts),
            dirty,
            changed: false,
            anchored: false,
        };
        Ok(dirty.into_iter().map(loaded).collect())
    }

    /// Writes units until each is written or has its fate.
    async fn write(&mut self, loaded: Vec<Loaded>) {
        let mut groups = vec![loaded];
        while let Some(group) = groups.pop() {
            let Some((mut group, plan)) = self.compare(group) else { return };
            if group.is_empty() {
                continue;
            }
            match self.send(&group, &plan).await {
                Sent::Away(why) => {
                    self.trouble = Some(why);
                    return;
                }
                Sent::Happened(missed) => {
                    let (missed, written) = split(group, &missed);
                    missed.into_iter().for_each(|unit| self.conflict(unit));
                    self.work.counters.batch.observe(count(written.len()));
                    written.into_iter().for_each(|unit| self.happened(unit));
                }
                Sent::Conflict(culprits) => {
                    let (culprits, rest) = split(group, &culprits);
                    culprits.into_iter().for_each(|unit| self.conflict(unit));
                    groups.push(rest);
                }
                Sent::Refused(_, why) if group.len() == 1 => {
                    if let Some(unit) = group.pop() {
                        self.refused(unit, why);
                    }
                }
                Sent::Refused(culprits, _) => {
                    let (culprits, rest) = if culprits.len() == group.len() || culprits.is_empty() {
                        let half = group.split_off(group.len() / 2);
                        (group, half)
                    } else {
                        split(group, &culprits)
                    };
                    // The rest first: it may bring what the culprits refer to.
                    groups.extend([culprits, rest]);
                }
            }
        }
    }

    /// What has to be sent for a group, which goes without those units that wait for rows or that
    /// somebody has written meanwhile. `None`: what was loaded is too old.
    fn compare(&mut self, group: Vec<Loaded>) -> Option<(Vec<Loaded>, Plan)> {
        if self.at.elapsed() > AGE_MAX {
            return None;
        }
        let work = Arc::clone(&self.work);
        let replica = work.nb.read()?;
        let is_fresh = |unit: &Loaded| Observed::of(unit.dirty.mark, &replica) == unit.observed;
        let (group, stale): (Vec<_>, Vec<_>) = group.into_iter().partition(is_fresh);
        stale.into_iter().for_each(|unit| self.conflict(unit));
        let units: Vec<(Mark, &Wants)> =
            group.iter().map(|unit| (unit.dirty.mark, &unit.wants)).collect();
        let differences = diff::diff(&units, &replica);
        let (mut ready, mut edits) = (Vec::new(), Vec::new());
        for (mut unit, difference) in group.into_iter().zip(differences) {
            match difference {
                Difference::Waits(row) => self.waits(unit, row),
                Difference::Edits(change) => {
                    unit.changed = !change.is_empty();
                    ready.push(unit);
                    edits.push(change);
                }
            }
        }
        let writes: Vec<Write<'_>> = ready
            .iter()
            .zip(edits)
            .map(|(unit, edits)| Write {
                mark: unit.dirty.mark,
                wants: &unit.wants,
                observed: &unit.observed,
                edits,
                token: (work.chance.number() >> 1).to_string(),
            })
            .collect();
        let plan = apply::plan(&writes, &replica);
        let anchored: Vec<bool> = writes.iter().map(Write::is_anchored).collect();
        for (unit, anchored) in ready.iter_mut().zip(anchored) {
            unit.anchored = anchored;
        }
        Some((ready, plan))
    }

    async fn send(&self, group: &[Loaded], plan: &Plan) -> Sent {
        if plan.transaction.is_empty() {
            return Sent::Happened(BTreeSet::new());
        }
        let (operation, reason, details) = match self.work.nb.transact(&plan.transaction).await {
            Ok(outcomes) => return Sent::Happened(plan.missed(&outcomes)),
            Err(error @ (TransactError::Disconnected | TransactError::Unknown)) => {
                return Sent::Away(format!("Northbound is away: {error}"));
            }
            Err(TransactError::Refused { operation, reason, details }) => {
                (operation, reason, details)
            }
        };
        let owners = operation.map(|operation| plan.owners(operation)).unwrap_or_default();
        let owners: BTreeSet<usize> = owners.iter().copied().collect();
        match reason {
            Reason::WaitTimedOut | Reason::DuplicateUuid if owners.is_empty() => {
                Sent::Conflict((0..group.len()).collect())
            }
            Reason::WaitTimedOut | Reason::DuplicateUuid => Sent::Conflict(owners),
            Reason::NotLeader | Reason::NotOwner | Reason::Resources => {
                Sent::Away(format!("Northbound does not take changes now: {reason}: {details}"))
            }
            Reason::Constraint | Reason::Referential | Reason::Syntax | Reason::Other(_) => {
                Sent::Refused(owners, format!("{reason}: {details}"))
            }
        }
    }

    fn happened(&mut self, unit: Loaded) {
        let mark = unit.dirty.mark;
        self.work.settled.done(mark, Some(unit.dirty.token), self.begun);
        if let Some(at) = self.jobs.get(&mark).and_then(|job| job.committed) {
            self.work.counters.latency.observe(at.elapsed().as_secs_f64());
        }
        self.work.counters.done.inc();
        self.written.push(unit);
    }

    /// Somebody else was quicker: once more, from the start, after a moment.
    fn conflict(&mut self, unit: Loaded) {
        self.work.counters.conflicts.inc();
        let mark = unit.dirty.mark;
        let Some(job) = self.jobs.get_mut(&mark) else { return };
        job.conflicts += 1;
        if job.conflicts > CONFLICTS_MAX {
            job.conflicts = 0;
            let pause = self.work.jittered(backoff(REFUSED_PAUSE.0, unit.dirty.tries));
            self.put_off(unit.dirty, pause, "others keep writing it".to_owned());
            return;
        }
        let most = Duration::from_millis(1) * (1 << job.conflicts.min(7));
        let pause = self.work.jittered(most);
        self.end(mark, Fate::Again(pause));
    }

    fn refused(&mut self, unit: Loaded, why: String) {
        self.work.counters.refused.inc();
        let mark = unit.dirty.mark;
        let pause = self.work.jittered(backoff(REFUSED_PAUSE.0, unit.dirty.tries));
        tracing::warn!(unit = mark.kind, id = %mark.id, "Northbound refuses a unit: {why}");
        self.put_off(unit.dirty, pause, why);
    }

    fn waits(&mut self, unit: Loaded, row: RowName) {
        let pause = self.work.jittered(backoff(AWAY_PAUSE, unit.dirty.tries));
        let why = format!("waits for {} {}", row.table.name(), row.key);
        let mark = unit.dirty.mark;
        self.work.settled.done(mark, None, self.begun);
        self.deferred.push((unit.dirty, pause, why));
        self.end(mark, Fate::Parked(row));
    }

    fn put_off(&mut self, dirty: Dirty, pause: Duration, why: String) {
        self.work.settled.done(dirty.mark, None, self.begun);
        self.end(dirty.mark, Fate::Done);
        self.deferred.push((dirty, pause, why));
    }

    /// Clears the marks of what was written, and puts off the others.
    async fn clear(&mut self) {
        if self.written.is_empty() && self.deferred.is_empty() {
            return;
        }
        let now = self.work.chance.now();
        let ctx = Ctx::system(now);
        let (written, deferred) = (&self.written, &self.deferred);
        let work = &self.work;
        let cleared = work
            .db
            .write(&ctx, |tx| async move {
                let now_ms = now.as_millisecond();
                clear(&tx, written, now_ms + millis(work.settings.look_again)).await?;
                for (dirty, pause, why) in deferred {
                    dirty::defer(&tx, dirty, now_ms + millis(*pause), why);
                }
                Ok(())
            })
            .await;
        match cleared {
            Ok(()) => {
                let marks: Vec<Mark> = self.written.iter().map(|unit| unit.dirty.mark).collect();
                marks.into_iter().for_each(|mark| self.end(mark, Fate::Done));
            }
            Err(error) => self.trouble = Some(format!("marks cannot be cleared: {error}")),
        }
    }

    fn end(&mut self, mark: Mark, fate: Fate) {
        if let Some(job) = self.jobs.remove(&mark) {
            self.units.push((job, fate));
        }
    }

    fn rest_again(&mut self, pause: Duration) {
        let pause = self.work.jittered(pause);
        let rest = std::mem::take(&mut self.jobs);
        self.units.extend(rest.into_values().map(|job| (job, Fate::Again(pause))));
    }
}

/// The marks first: a mark that is made after that is seen to be another one when it is cleared.
async fn load(tx: Tx, marks: &[Mark]) -> Result<(Vec<Dirty>, snapshot::Snapshots)> {
    let dirty = dirty::of(&tx, marks).await?;
    let marked: Vec<Mark> = dirty.iter().map(|dirty| dirty.mark).collect();
    let snapshots = snapshot::load(&tx, &marked).await?;
    Ok((dirty, snapshots))
}

/// Clears marks. A unit without an anchor, which shows to nobody that it was written, is looked at
/// once more. Of one whose mark somebody has removed although we wrote it, nobody knows which
/// state was written last.
async fn clear(tx: &Tx, written: &[Loaded], look_again_at: i64) -> Result<()> {
    let (mut done, mut changed) = (Vec::new(), HashSet::new());
    for unit in written {
        let was_looked_at = unit.dirty.why.as_deref() == Some(dirty::LOOK_AGAIN);
        if unit.anchored || (was_looked_at && !unit.changed) {
            done.push(unit.dirty.clone());
        } else {
            dirty::look_again(tx, &unit.dirty, look_again_at);
        }
        if unit.changed || unit.anchored {
            changed.insert(unit.dirty.mark);
        }
    }
    for mark in dirty::finish(tx, &done).await? {
        if changed.contains(&mark) {
            tx.mark(mark.kind, mark.id);
        }
    }
    Ok(())
}

/// Those units at these places, and the others.
fn split(group: Vec<Loaded>, places: &BTreeSet<usize>) -> (Vec<Loaded>, Vec<Loaded>) {
    let (mut these, mut others) = (Vec::new(), Vec::new());
    for (place, unit) in group.into_iter().enumerate() {
        if places.contains(&place) { these.push(unit) } else { others.push(unit) }
    }
    (these, others)
}

fn backoff(first: Duration, tries: i64) -> Duration {
    first.saturating_mul(1 << tries.clamp(0, 10)).min(REFUSED_PAUSE.1)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[allow(clippy::cast_precision_loss)]
fn count(units: usize) -> f64 {
    units as f64
}
