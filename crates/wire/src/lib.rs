//! Everything a caller of the Networking API can see, as plain data: the wire contract of each kind
//! of thing, what a caller asked, what he is answered. No I/O, no async, no clock.

pub mod attr;
pub mod ctx;
pub mod draft;
pub mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod query;
pub mod row;
pub mod show;
pub mod types;
pub mod value;
