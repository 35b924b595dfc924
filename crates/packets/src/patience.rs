//! Waiting for what becomes true by itself, never longer than it may take.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take that has no bound of its own here.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer: that, and how long it took.
///
/// # Panics
/// After [`PATIENCE`], saying what was waited for.
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> (T, Duration) {
    within(PATIENCE, what, ask)
}

/// As [`until`], with a bound of its own.
///
/// # Panics
/// After that time, saying what was waited for.
pub fn within<T>(bound: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> (T, Duration) {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return (answer, began.elapsed());
        }
        assert!(began.elapsed() < bound, "waited {bound:?} in vain: {what}");
        sleep(Duration::from_millis(10));
    }
}
