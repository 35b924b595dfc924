//! A client of the Open vSwitch Database protocol, [RFC 7047] with the extensions of `ovsdb-server`
//! (`monitor_cond_since`, chosen UUIDs, the `_Server` database). It knows nothing of OVN.
//!
//! A [`Client`](client::Client) follows tables of one database over any of several servers, keeps a
//! typed [`Replica`](replica::Replica) of them that is read without asking anybody, and sends
//! [`Transaction`](transaction::Transaction)s, whose outcome comes when the replica shows it.
//!
//! ```no_run
//! use ovsdb::client::{Client, Monitored, Options};
//! use ovsdb::remote::Remote;
//! use ovsdb::transaction::Transaction;
//! use ovsdb::value::Datum;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let remotes = Remote::parse_list("tcp:127.0.0.1:6641,tcp:127.0.0.2:6641")?;
//! let switches = Monitored {
//!     table: "Logical_Switch",
//!     columns: &["name", "ports"],
//!     condition: Vec::new(),
//! };
//! let client = Client::start(Options {
//!     tables: vec![switches],
//!     ..Options::new(remotes, "OVN_Northbound")
//! });
//! client.connected().await;
//!
//! let uuid = uuid::Uuid::new_v4();
//! let mut transaction = Transaction::new();
//! transaction.insert("Logical_Switch", uuid, [("name", Datum::one("blue"))]);
//! client.transact(&transaction).await?;
//!
//! let name = client.read().and_then(|replica| {
//!     Some(replica.row("Logical_Switch", uuid)?.text("name")?.to_owned())
//! });
//! assert_eq!(name.as_deref(), Some("blue"));
//! # Ok(())
//! # }
//! ```
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
