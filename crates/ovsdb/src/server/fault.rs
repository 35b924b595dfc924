//! What tests let go wrong with a transaction.

use serde_json::{Value as Json, json};

/// What goes wrong with one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Nothing.
    None,
    /// It is refused with this `error` tag.
    Refuse(&'static str),
    /// The connection breaks before the server sees it.
    HangBefore,
    /// It happens, but the connection breaks before anyone hears of it on that connection.
    HangAfter,
}

impl Mischief {
    /// The results of a refused transaction.
    pub(super) fn refusal(&self) -> Option<Json> {
        match self {
            Self::Refuse(error) => {
                Some(json!([{ "error": error, "details": "refused by the test" }]))
            }
            _ => None,
        }
    }

    pub(super) fn hangs_before(&self) -> bool {
        *self == Self::HangBefore
    }

    pub(super) fn hangs_after(&self) -> bool {
        *self == Self::HangAfter
    }
}

/// Says of each transaction (database, operations) what goes wrong with it.
pub type Mischievous = Box<dyn FnMut(&str, &[Json]) -> Mischief + Send>;

/// What is to go wrong.
#[derive(Default)]
pub(super) struct Faults {
    /// So many transactions are refused.
    pub refuse: usize,
    /// So many transactions happen without a reply.
    pub lose: usize,
    /// Asked for all others.
    pub mischievous: Option<Mischievous>,
}

impl Faults {
    /// What goes wrong with this transaction.
    pub fn next(&mut self, database: &str, operations: &[Json]) -> Mischief {
        if self.refuse > 0 {
            self.refuse -= 1;
            return Mischief::Refuse("resources exhausted");
        }
        if self.lose > 0 {
            self.lose -= 1;
            return Mischief::HangAfter;
        }
        self.mischievous.as_mut().map_or(Mischief::None, |ask| ask(database, operations))
    }
}
