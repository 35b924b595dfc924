//! The client against servers: what a transaction may say and what becomes of it, what is followed
//! and through what it stays so, locks, clusters, TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[macro_use]
mod house;
mod cluster;
mod flaky;
mod following;
mod hardship;
mod locks;
mod tls;
mod transact;
