//! The clock and the dice of the reconciler, so that a simulation can have its own.

use jiff::Timestamp;
use uuid::Uuid;

/// The clock and the dice.
pub trait Chance: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;
    /// A random number.
    fn number(&self) -> u64;
}

/// Those of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Real;

impl Chance for Real {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn number(&self) -> u64 {
        Uuid::new_v4().as_u64_pair().0
    }
}
