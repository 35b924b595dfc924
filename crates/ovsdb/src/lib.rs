//! A client of the Open vSwitch Database protocol, [RFC 7047] with the extensions of `ovsdb-server`
//! (`monitor_cond_since`, chosen UUIDs, the `_Server` database). It knows nothing of OVN.
//!
//! [RFC 7047]: https://www.rfc-editor.org/rfc/rfc7047

pub mod collection;
pub mod condition;
pub mod error;
pub mod layout;
pub mod remote;
pub mod replica;
pub mod row;
pub mod schema;
pub mod transaction;
pub mod value;
