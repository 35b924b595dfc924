//! Requests that wait for their own units: a courtesy, bounded and never a failure.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sql::{Committed, Mark};
use tokio::sync::Notify;

/// How many of the latest units are remembered as done, for who asks just afterwards.
const REMEMBERED: usize = 4096;

/// Who waits for which units.
pub struct Settled {
    patience: Duration,
    /// Units are worked on at present.
    is_open: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many batches have begun to load.
    begun: u64,
    waiting: HashMap<Mark, Vec<Waiting>>,
    done: HashSet<(Mark, i64)>,
    /// The same in the order in which they were done.
    latest: VecDeque<(Mark, i64)>,
}

struct Waiting {
    token: i64,
    /// Batches that had begun before.
    since: u64,
    request: Arc<Request>,
}

struct Request {
    left: AtomicUsize,
    none_left: Notify,
}

impl Settled {
    /// Nobody waits yet; everybody waits for `patience` at most.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, is_open: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Whether units are worked on: not while OVN is away.
    pub fn open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    /// Waits until Northbound shows what a commit has changed, or until patience ends; not at all
    /// while nobody works on it.
    pub async fn wait(&self, committed: &Committed) {
        let is_open = self.is_open.load(Ordering::Relaxed);
        if self.patience.is_zero() || committed.marks.is_empty() || !is_open {
            return;
        }
        let Some(request) = self.register(committed) else { return };
        let waited = tokio::time::timeout(self.patience, request.none_left.notified()).await;
        if waited.is_err() {
            // Out of patience is an answer, too.
            self.forget(committed, &request);
        }
    }

    /// Nobody waits for this any more.
    fn forget(&self, committed: &Committed, request: &Arc<Request>) {
        let mut state = self.state();
        for mark in &*committed.marks {
            let Some(waiting) = state.waiting.get_mut(mark) else { continue };
            waiting.retain(|one| !Arc::ptr_eq(&one.request, request));
            if waiting.is_empty() {
                state.waiting.remove(mark);
            }
        }
    }

    fn register(&self, committed: &Committed) -> Option<Arc<Request>> {
        let request = Arc::new(Request { left: AtomicUsize::new(0), none_left: Notify::new() });
        let mut state = self.state();
        for mark in &*committed.marks {
            if state.done.contains(&(*mark, committed.token)) {
                continue;
            }
            request.left.fetch_add(1, Ordering::Relaxed);
            let (token, since) = (committed.token, state.begun);
            let waiting = Waiting { token, since, request: Arc::clone(&request) };
            state.waiting.entry(*mark).or_default().push(waiting);
        }
        (request.left.load(Ordering::Relaxed) > 0).then_some(request)
    }

    /// A batch begins to load; its number.
    pub fn begin(&self) -> u64 {
        let mut state = self.state();
        state.begun += 1;
        state.begun
    }

    /// The batch `begun` has brought a unit in line with the state that this token marks, or the
    /// unit has to wait for longer than anybody would: then nobody does.
    pub fn done(&self, mark: Mark, token: Option<i64>, begun: u64) {
        let mut state = self.state();
        if let Some(token) = token {
            if state.done.insert((mark, token)) {
                state.latest.push_back((mark, token));
            }
            if state.latest.len() > REMEMBERED
                && let Some(oldest) = state.latest.pop_front()
            {
                state.done.remove(&oldest);
            }
        }
        let Some(waiting) = state.waiting.get_mut(&mark) else { return };
        // What was committed before the batch began to load is part of what it loaded.
        let is_done = |one: &mut Waiting| Some(one.token) == token || one.since < begun;
        for one in waiting.extract_if(.., is_done) {
            if one.request.left.fetch_sub(1, Ordering::Relaxed) == 1 {
                one.request.none_left.notify_one();
            }
        }
        if waiting.is_empty() {
            state.waiting.remove(&mark);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;
    use wire::types::Id;

    fn settled(connected: bool) -> (Settled, Committed) {
        let marks: Vec<Mark> = (1..3).map(|kind| Mark { kind, id: Id::random() }).collect();
        let committed = Committed { marks: marks.into(), token: 7, at: std::time::Instant::now() };
        let settled = Settled::new(Duration::from_millis(500));
        settled.open(connected);
        (settled, committed)
    }

    async fn took(settled: &Settled, committed: &Committed) -> Duration {
        let begun = Instant::now();
        settled.wait(committed).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_all_its_units_and_no_longer_than_patience() {
        let (settled, committed) = settled(true);
        let (a, b) = (committed.marks[0], committed.marks[1]);
        let finish = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let begun = settled.begin();
            settled.done(a, Some(7), begun);
            tokio::time::sleep(Duration::from_millis(10)).await;
            // A later state than the request's own.
            settled.done(b, Some(8), begun);
        };
        let (took_, ()) = tokio::join!(took(&settled, &committed), finish);
        assert_eq!(took_, Duration::from_millis(20));
        let other = Committed { token: 9, ..committed };
        assert_eq!(took(&settled, &other).await, Duration::from_millis(500));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_or_cannot_be_done_now_is_not_waited_for() {
        let (done, committed) = settled(true);
        for mark in &*committed.marks {
            done.done(*mark, Some(7), 1);
        }
        assert_eq!(took(&done, &committed).await, Duration::ZERO);
        let (away, committed) = settled(false);
        assert_eq!(took(&away, &committed).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_had_loaded_before_the_commit_settles_nothing() {
        let (settled, committed) = settled(true);
        let begun = settled.begin();
        let older = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            for mark in &*committed.marks {
                settled.done(*mark, Some(6), begun);
            }
        };
        let (took, ()) = tokio::join!(took(&settled, &committed), older);
        assert_eq!(took, Duration::from_millis(500));
        assert!(settled.state().waiting.is_empty(), "who has gone is forgotten");
    }
}
