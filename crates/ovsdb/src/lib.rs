//! A client of the Open vSwitch Database protocol, [RFC 7047] with the extensions of `ovsdb-server`
//! (`monitor_cond_since`, chosen UUIDs, the `_Server` database). It knows nothing of OVN.
//!
//! [RFC 7047]: https://www.rfc-editor.org/rfc/rfc7047

pub mod client;
pub mod collection;
pub mod condition;
mod connection;
pub mod error;
pub mod frame;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod layout;
mod leader;
pub mod lock;
mod monitor;
pub mod remote;
pub mod replica;
pub mod row;
pub mod rpc;
pub mod schema;
#[cfg(feature = "server")]
pub mod server;
mod session;
pub mod tls;
pub mod transaction;
pub mod value;
