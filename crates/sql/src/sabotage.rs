//! `Sabotage`: for tests, which of a database's next statements fails, on the engine itself and in
//! the middle of its transaction. Without the feature `sabotage` none ever does.

use std::borrow::Cow;
#[cfg(feature = "sabotage")]
use std::sync::atomic::{AtomicU64, Ordering};

/// What no engine takes for a statement.
#[cfg(feature = "sabotage")]
const BROKEN: &str = "THIS IS SABOTAGE";

/// Counts down to the statement that fails.
#[derive(Default)]
pub(crate) struct Sabotage {
    /// Statements up to the one that fails, with it; 0: none does.
    #[cfg(feature = "sabotage")]
    left: AtomicU64,
}

impl Sabotage {
    /// The statement as it is to be sent.
    #[cfg(not(feature = "sabotage"))]
    pub fn passed<'s>(&self, sql: Cow<'s, str>) -> Cow<'s, str> {
        sql
    }

    /// The statement as it is to be sent.
    #[cfg(feature = "sabotage")]
    pub fn passed<'s>(&self, sql: Cow<'s, str>) -> Cow<'s, str> {
        let count = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) {
            Ok(1) => Cow::Borrowed(BROKEN),
            Ok(_) | Err(_) => sql,
        }
    }

    /// Lets the statement of this number fail, counted from the next one; 0: none. True where the
    /// one that was to fail last has done so.
    #[cfg(feature = "sabotage")]
    pub fn set(&self, number: u64) -> bool {
        self.left.swap(number, Ordering::SeqCst) == 0
    }
}
