//! Which units are to be worked on, in memory: those that wait, those that are in work, and those
//! that are tried again in a moment. A set: what waits twice is worked on once. Losing one is
//! harmless, its mark is stored.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use sql::Mark;
use tokio::time::Instant;

use crate::want::RowName;

/// Units that wait here at most; more are found again by their marks.
const MOST: usize = 65_536;
/// Units that are remembered as waiting for a row, at most.
const MOST_PARKED: usize = 4_096;

/// A unit to be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The unit.
    pub mark: Mark,
    /// When the change was committed that this process made; `None`: found by its stored mark.
    pub committed: Option<std::time::Instant>,
    /// How often somebody else was quicker.
    pub conflicts: u32,
    /// The batch that it was in broke down: it is worked on alone, to keep no other from its end.
    pub alone: bool,
}

impl Job {
    /// A unit whose stored mark was found.
    #[must_use]
    pub fn found(mark: Mark) -> Self {
        Self { mark, committed: None, conflicts: 0, alone: false }
    }
}

/// The units.
#[derive(Debug, Default)]
pub struct Queue {
    /// In the order in which they came.
    order: VecDeque<Mark>,
    waiting: HashMap<Mark, Job>,
    /// Since when there is one that waits.
    since: Option<Instant>,
    /// In work; with a job if it is to be worked on again afterwards.
    busy: HashMap<Mark, Option<Job>>,
    later: BTreeMap<(Instant, Mark), Job>,
    /// The same by unit: until when it has a pause, which only a commit cuts short.
    pausing: HashMap<Mark, Instant>,
    parked: HashMap<Mark, RowName>,
}

impl Queue {
    /// Adds a unit that was marked. One in work is worked on again afterwards.
    pub fn kick(&mut self, job: Job, now: Instant) {
        match self.busy.get_mut(&job.mark) {
            Some(again) => {
                again.get_or_insert(job);
            }
            None => self.push(job, now),
        }
    }

    /// Adds a unit whose mark was found to be due. One in work is about to be cleared, and one that
    /// has a pause keeps it, with the number of its conflicts.
    pub fn found(&mut self, mark: Mark, now: Instant) {
        if !self.busy.contains_key(&mark) && !self.pausing.contains_key(&mark) {
            self.push(Job::found(mark), now);
        }
    }

    fn push(&mut self, job: Job, now: Instant) {
        if self.waiting.len() >= MOST || self.waiting.contains_key(&job.mark) {
            return;
        }
        self.since.get_or_insert(now);
        self.order.push_back(job.mark);
        self.waiting.insert(job.mark, job);
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Nothing waits, is in work or is tried again in a moment.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.busy.is_empty() && self.later.is_empty()
    }

    /// Takes a batch: when there are enough for a full one, or the first has waited for `gather`.
    pub fn take(&mut self, most: usize, gather: Duration, now: Instant) -> Vec<Job> {
        self.recall(now);
        let is_ripe = self.since.is_some_and(|since| now >= since + gather);
        if !is_ripe && self.waiting.len() < most {
            return Vec::new();
        }
        let is_alone = |mark: &Mark| self.waiting.get(mark).is_some_and(|job| job.alone);
        let count = match self.order.iter().take(most).position(is_alone) {
            Some(0) => 1,
            Some(before) => before,
            None => most.min(self.order.len()),
        };
        let marks: Vec<Mark> = self.order.drain(..count).collect();
        self.since = (!self.order.is_empty()).then_some(now);
        for mark in &marks {
            self.busy.insert(*mark, None);
            self.parked.remove(mark);
        }
        marks.iter().filter_map(|mark| self.waiting.remove(mark)).collect()
    }

    /// When there may be something to take that there is not yet.
    #[must_use]
    pub fn next(&self, gather: Duration) -> Option<Instant> {
        let later = self.later.keys().next().map(|(at, _)| *at);
        self.since.map(|since| since + gather).into_iter().chain(later).min()
    }

    fn recall(&mut self, now: Instant) {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let job = first.remove();
            self.pausing.remove(&job.mark);
            self.kick(job, now);
        }
    }

    /// A unit is no longer in work.
    pub fn done(&mut self, mark: Mark, now: Instant) {
        if let Some(Some(job)) = self.busy.remove(&mark) {
            self.push(job, now);
        }
    }

    /// A unit is no longer in work and is tried again at a time.
    pub fn again(&mut self, job: Job, at: Instant) {
        self.busy.remove(&job.mark);
        if let Some(former) = self.pausing.insert(job.mark, at) {
            self.later.remove(&(former, job.mark));
        }
        self.later.insert((at, job.mark), job);
    }

    /// A unit is no longer in work, and waits for a row.
    pub fn park(&mut self, mark: Mark, row: RowName, now: Instant) {
        self.done(mark, now);
        if self.parked.len() < MOST_PARKED {
            self.parked.insert(mark, row);
        }
    }

    /// Brings back those that wait for a row that is there.
    pub fn unpark(&mut self, is_there: impl Fn(&RowName) -> bool, now: Instant) {
        let come = self.parked.extract_if(|_, row| is_there(row));
        let come: Vec<Mark> = come.map(|(mark, _)| mark).collect();
        for mark in come {
            self.kick(Job::found(mark), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nb::Table;
    use wire::types::Id;

    fn mark() -> Mark {
        Mark { kind: 3, id: Id::random() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_taken_when_it_is_full_or_has_waited() {
        let (mut queue, gather, now) = (Queue::default(), Duration::from_millis(2), Instant::now());
        let first = mark();
        queue.found(first, now);
        queue.found(first, now);
        assert_eq!((queue.len(), queue.take(2, gather, now).len()), (1, 0));
        assert_eq!(queue.next(gather), Some(now + gather));
        queue.found(mark(), now);
        queue.found(mark(), now);
        assert_eq!(queue.take(2, gather, now)[0], Job::found(first));
        assert_eq!(queue.take(2, gather, now).len(), 0);
        assert_eq!(queue.take(2, gather, now + gather).len(), 1);
        assert_eq!(queue.next(gather), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_that_is_marked_while_in_work_is_worked_on_again() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let unit = mark();
        queue.found(unit, now);
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 1);
        queue.found(unit, now);
        queue.done(unit, now);
        assert!(queue.is_idle());
        queue.found(unit, now);
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 1);
        queue.kick(Job::found(unit), now);
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 0);
        queue.done(unit, now);
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_comes_back_after_its_pause_or_with_its_row() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let (unit, pause) = (mark(), Duration::from_millis(5));
        queue.found(unit, now);
        let job = queue.take(9, Duration::ZERO, now).remove(0);
        queue.again(job, now + pause);
        assert_eq!(queue.next(Duration::ZERO), Some(now + pause));
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 0);
        assert_eq!(queue.take(9, Duration::ZERO, now + pause).len(), 1);
        queue.park(unit, RowName::new(Table::PortGroup, "pg"), now);
        queue.unpark(|_| false, now);
        assert!(queue.is_idle());
        queue.unpark(|row| row.key == "pg", now);
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_whose_batch_broke_down_is_alone_in_its_next_one() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for alone in [false, false, true, true, false] {
            queue.kick(Job { alone, ..Job::found(mark()) }, now);
        }
        let mut sizes = || queue.take(9, Duration::ZERO, now).len();
        assert_eq!([sizes(), sizes(), sizes(), sizes(), sizes()], [2, 1, 1, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_that_is_worked_on_waits_for_no_row_any_more() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let unit = mark();
        queue.park(unit, RowName::new(Table::PortGroup, "pg"), now);
        queue.found(unit, now);
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 1);
        queue.done(unit, now);
        assert!(queue.parked.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_cut_short_by_a_commit_and_not_by_the_stored_mark() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let (unit, pause) = (mark(), Duration::from_secs(30));
        queue.found(unit, now);
        let job = queue.take(9, Duration::ZERO, now).remove(0);
        queue.again(Job { conflicts: 7, ..job }, now + pause);
        queue.found(unit, now);
        assert_eq!(queue.take(9, Duration::ZERO, now).len(), 0);
        queue.kick(Job::found(unit), now);
        let job = queue.take(9, Duration::ZERO, now).remove(0);
        queue.again(Job { conflicts: 8, ..job }, now + pause * 2);
        assert_eq!(queue.take(9, Duration::ZERO, now + pause).len(), 0);
        assert_eq!(queue.take(9, Duration::ZERO, now + pause * 2)[0].conflicts, 8);
        queue.done(unit, now);
        assert!(queue.is_idle() && queue.pausing.is_empty());
    }
}
