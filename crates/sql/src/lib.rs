//! The one door to the database. `Db` hides which engine it is, `Tx` is one transaction, and what
//! is read and written by table needs no SQL. Not here: what the tables mean (`model`).
//!
//! - Writes are buffered and reads flush them, so a transaction costs one round trip per read and
//!   one for all the writes and the commit.
//! - Correctness comes from constraints and conditional writes, not from isolation: an act that was
//!   overtaken says `Error::Retry` and is run again as a whole.
//! - A violated constraint becomes the fault that the statement named for it: `Write::or`.

mod db;
pub mod dialect;
pub mod dirty;
mod engine;
mod failure;
pub mod kept;
mod list;
mod migrate;
mod sabotage;
mod schema;
mod select;
mod statement;
mod stats;
mod store;
mod stream;
mod tx;

pub use db::Db;
pub use migrate::Migration;
pub use select::Scope;
pub use stats::Stats;
pub use stream::{Stream, stream};
pub use tx::{Committed, Mark, Tx, Write};
