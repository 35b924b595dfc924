//! One of all processes, the holder of a lock in Northbound, watches for what nobody marked: rows
//! that others have changed or removed, a database that was restored, chassis that have come or
//! gone, and from time to time everything. What is found is marked, and worked on as all else is.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use ovsdb::client::Client;
use ovsdb::collection::Set;
use ovsdb::replica::{Change, Replica};
use ovsdb::row::Row;
use ovsdb::value::{Atom, Datum};
use sql::Mark;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use uuid::Uuid;
use wire::ctx::Ctx;
use wire::fault::{Error, Result};

use super::Work;
use crate::audit::{Audit, Finding, PIECE};
use crate::diff::SYNC;
use crate::nb::Table;
use crate::owned;

/// The lock.
const LOCK: &str = "nucleon";
/// How long changed rows are left to those who may be at work on them.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// How long chassis may come and go until everything is compared, at least.
const FACTS_SETTLE: Duration = Duration::from_secs(1);
/// Comparing everything again waits so many times as long as it took: hosts that are restarted one
/// after the other must not keep the database busy.
const REST: f64 = 4.0;
/// Between two comparisons of everything at least, when too much happens to follow each change.
const AUDIT_PAUSE: Duration = Duration::from_secs(30);

/// Watches whenever this process holds the lock.
pub async fn watch(work: &Arc<Work>) {
    let lock = work.nb.lock(LOCK);
    let mut held = lock.held();
    work.counters.leader.set(0);
    loop {
        if held.wait_for(|held| *held).await.is_err() {
            // The client was stopped.
            return std::future::pending().await;
        }
        work.counters.leader.set(1);
        tracing::info!("this process watches over Northbound");
        tokio::select! {
            () = Watchman::new(work).run() => {}
            _ = held.wait_for(|held| !*held) => {}
        }
        work.counters.leader.set(0);
    }
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    Seen,
    /// It could not be looked at, which is logged.
    Failed,
}

struct Watchman {
    work: Arc<Work>,
    /// Units of rows that somebody has changed.
    suspects: BTreeSet<Mark>,
    look_at: Instant,
    audit_at: Instant,
    audited_at: Option<Instant>,
    looks: JoinSet<Looked>,
    audits: JoinSet<Looked>,
}

impl Watchman {
    fn new(work: &Arc<Work>) -> Self {
        let now = Instant::now();
        Self {
            work: Arc::clone(work),
            suspects: BTreeSet::new(),
            look_at: now,
            audit_at: now,
            audited_at: None,
            looks: JoinSet::new(),
            audits: JoinSet::new(),
        }
    }

    async fn run(mut self) {
        let mut changes = self.work.nb.changes();
        let (mut status, mut facts) = (self.work.nb.status(), self.work.facts.clone());
        let mut generation = status.borrow_and_update().generation;
        facts.mark_unchanged();
        loop {
            let ready = facts.borrow().is_some();
            let (can_look, can_audit) = (self.looks.is_empty(), self.audits.is_empty());
            tokio::select! {
                slice = changes.recv() => self.changed(slice),
                Ok(()) = status.changed() => {
                    let now = status.borrow_and_update().generation;
                    if std::mem::replace(&mut generation, now) != now {
                        self.audit_within(Duration::ZERO);
                    }
                }
                Ok(()) = facts.changed() => {
                    self.audit_within(settle(self.work.counters.audit_seconds.get()));
                }
                () = tokio::time::sleep_until(self.look_at),
                    if ready && can_look && !self.suspects.is_empty() => self.look(),
                () = tokio::time::sleep_until(self.audit_at), if ready && can_audit => self.audit(),
                Some(looked) = self.looks.join_next() => self.looked(looked),
                Some(looked) = self.audits.join_next() => self.looked(looked),
            }
        }
    }

    /// What could not be looked at is part of everything, which is looked at again.
    fn looked(&mut self, looked: std::result::Result<Looked, JoinError>) {
        if !matches!(looked, Ok(Looked::Seen)) {
            self.audit_within(AUDIT_PAUSE);
        }
    }

    fn audit_within(&mut self, pause: Duration) {
        self.audit_at = self.audit_at.min(Instant::now() + pause);
    }

    fn changed(&mut self, slice: std::result::Result<Arc<[Change]>, RecvError>) {
        let Ok(slice) = slice else {
            let earliest = self.audited_at.map(|at| at + AUDIT_PAUSE);
            let pause = earliest.map(|at| at.saturating_duration_since(Instant::now()));
            return self.audit_within(pause.unwrap_or_default());
        };
        let Some(replica) = self.work.nb.read() else { return };
        if self.suspects.is_empty() {
            self.look_at = Instant::now() + LOOK_AFTER;
        }
        self.suspects.extend(suspects(&slice, &replica));
    }

    fn look(&mut self) {
        let suspects: Vec<Mark> = std::mem::take(&mut self.suspects).into_iter().collect();
        self.looks.spawn(look(Arc::clone(&self.work), suspects));
    }

    fn audit(&mut self) {
        self.audited_at = Some(Instant::now());
        self.audit_at = Instant::now() + self.work.jittered(self.work.settings.audit_every);
        self.audits.spawn(audit(Arc::clone(&self.work)));
    }
}

/// How long chassis may come and go when comparing everything takes so many seconds.
fn settle(audit_seconds: f64) -> Duration {
    Duration::try_from_secs_f64(audit_seconds * REST).unwrap_or_default().max(FACTS_SETTLE)
}

/// The units of rows that were changed by somebody who does not say so: a change of ours comes
/// together with another token on the unit's anchor. Units that are gone have none, and neither has
/// what another process removed: then a look at them finds nothing.
fn suspects(changes: &[Change], replica: &Replica) -> BTreeSet<Mark> {
    let (mut ours, mut suspects) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let Some(table) = Table::named(change.table) else { continue };
        let (old, new) = (change.old.as_deref(), change.new.as_deref());
        let Some(row) = new.or(old) else { continue };
        // Whose it was counts as well: an edit may have taken away what says whose it is.
        let units = [old, new].into_iter().flatten();
        let units = units.filter_map(|row| owned::unit_of(replica, table, change.uuid, row));
        if token(new).is_some() && token(old) != token(new) {
            ours.extend(units);
            continue;
        }
        let mut is_own = old.is_none() || new.is_none();
        for (name, _) in row.iter() {
            let (before, after) = (old.map(|row| row.get(name)), new.map(|row| row.get(name)));
            if before == after {
                continue;
            }
            match table.members(name) {
                Some(members) => moved(before, after, |uuid| {
                    let row = replica.row(members.name(), uuid);
                    let unit = row.and_then(|row| owned::unit_of(replica, members, uuid, row));
                    suspects.extend(unit);
                }),
                None => is_own = true,
            }
        }
        if is_own {
            suspects.extend(units);
        }
    }
    &suspects - &ours
}

/// Who has written a row last, if he says so.
fn token(row: Option<&Row>) -> Option<&str> {
    row?.get("external_ids").text_at(SYNC)
}

/// The rows that came into a set or went out of it, in one walk: most of a long set stays.
fn moved(before: Option<&Datum>, after: Option<&Datum>, mut see: impl FnMut(Uuid)) {
    fn members(datum: Option<&Datum>) -> Peekable<impl Iterator<Item = Uuid>> {
        let set = datum.and_then(Datum::as_set).map(Set::as_slice).unwrap_or_default();
        set.iter().filter_map(Atom::as_uuid).peekable()
    }
    let (mut before, mut after) = (members(before), members(after));
    loop {
        let one = match (before.peek(), after.peek()) {
            (None, None) => return,
            (Some(old), Some(new)) if old == new => {
                before.next();
                after.next();
                continue;
            }
            (Some(old), Some(new)) if old < new => before.next(),
            (Some(_), None) => before.next(),
            (_, Some(_)) => after.next(),
        };
        one.into_iter().for_each(&mut see);
    }
}

async fn look(work: Arc<Work>, suspects: Vec<Mark>) -> Looked {
    let looked = async {
        let Some(audit) = auditor(&work) else { return Ok(0) };
        mark(&work, audit.compare_twice(&suspects).await?).await
    };
    match looked.await {
        Ok(0) => Looked::Seen,
        Ok(found) => {
            work.counters.drift.inc_by(found);
            tracing::warn!(units = found, "somebody has changed rows in Northbound");
            Looked::Seen
        }
        Err(error) => {
            tracing::warn!("changes in Northbound cannot be looked at: {error:?}");
            Looked::Failed
        }
    }
}

async fn audit(work: Arc<Work>) -> Looked {
    let begun = Instant::now();
    let audited = async {
        let Some(audit) = auditor(&work) else { return Ok((0, 0)) };
        let units = audit.units().await?;
        let mut found = 0;
        for piece in units.chunks(PIECE) {
            found += mark(&work, audit.compare_twice(piece).await?).await?;
        }
        Ok((units.len(), found))
    };
    match audited.await {
        Ok((units, found)) => {
            let took = begun.elapsed();
            work.counters.drift.inc_by(found);
            work.counters.audit_seconds.set(took.as_secs_f64());
            work.counters.audits.inc();
            tracing::info!(units, found, ?took, "compared Northbound");
            Looked::Seen
        }
        Err(error) => {
            let error: Error = error;
            tracing::warn!("Northbound cannot be compared: {error:?}");
            Looked::Failed
        }
    }
}

fn auditor(work: &Work) -> Option<Audit> {
    let facts = work.facts.borrow().clone()?;
    let nb: Client = work.nb.clone();
    Some(Audit { db: work.db.clone(), nb, facts })
}

/// Marks what was found; how many units were not marked before.
async fn mark(work: &Work, findings: Vec<Finding>) -> Result<u64> {
    let now = work.chance.now();
    let lost = &lost(&findings, now.as_millisecond());
    if lost.is_empty() {
        return Ok(0);
    }
    work.db
        .write(&Ctx::system(now), |tx| async move {
            lost.iter().for_each(|mark| tx.mark(mark.kind, mark.id));
            Ok(())
        })
        .await?;
    let unknown = findings.iter().filter(|finding| finding.known.is_none()).count();
    Ok(u64::try_from(unknown).unwrap_or_default())
}

/// The units that nobody may come back to. A mark alone does not say that somebody will: who works
/// on it may have compared the rows before they were changed, and is about to clear it. One that
/// was put off is worked on from the beginning when its time comes.
fn lost(findings: &[Finding], now_ms: i64) -> Vec<Mark> {
    let rests = |finding: &&Finding| {
        finding.known.as_ref().is_some_and(|dirty| dirty.tries > 0 && dirty.due_at > now_ms)
    };
    findings.iter().filter(|finding| !rests(finding)).map(|finding| finding.mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Difference;
    use proptest::prelude::*;
    use sql::dirty::Dirty;
    use wire::types::Id;

    #[test]
    fn a_difference_is_left_only_to_a_mark_that_was_put_off() {
        let now_ms = 10_000;
        let finding = |number: u128, known: Option<(i64, i64)>| {
            let mark = Mark { kind: 1, id: Id::read(&format!("{number:032x}")).unwrap() };
            let dirty = |(tries, due_at)| Dirty { mark, token: 1, due_at, tries, why: None };
            let difference = Difference::Edits(Vec::new());
            Finding { mark, difference, known: known.map(dirty) }
        };
        let unmarked = finding(1, None);
        let in_work = finding(2, Some((0, now_ms + 2000)));
        let put_off = finding(3, Some((1, now_ms + 2000)));
        let tried_again = finding(4, Some((1, now_ms - 1)));
        let wanted = [unmarked.mark, in_work.mark, tried_again.mark];
        assert_eq!(lost(&[unmarked, in_work, put_off, tried_again], now_ms), wanted);
    }

    #[test]
    fn the_longer_comparing_takes_the_longer_chassis_may_come_and_go() {
        assert_eq!([0.0, 0.1, 60.0].map(settle).map(|pause| pause.as_secs()), [1, 1, 240]);
    }

    proptest! {
        #[test]
        fn what_moved_is_in_one_of_both_sets(
            old in prop::collection::btree_set(0_u128..20, 0..20),
            new in prop::collection::btree_set(0_u128..20, 0..20),
        ) {
            let set = |numbers: &BTreeSet<u128>| {
                Datum::set(numbers.iter().map(|number| Uuid::from_u128(*number)))
            };
            let mut seen = Vec::new();
            moved(Some(&set(&old)), Some(&set(&new)), |uuid| seen.push(uuid.as_u128()));
            let differ: Vec<u128> = old.symmetric_difference(&new).copied().collect();
            prop_assert_eq!(seen, differ);
            let mut gone = Vec::new();
            moved(Some(&set(&old)), None, |uuid| gone.push(uuid.as_u128()));
            prop_assert_eq!(gone, old.into_iter().collect::<Vec<_>>());
        }
    }
}
