//! The client against servers: what a transaction may say and what becomes of it, what is followed and
//! through what it stays so, locks, clusters, TLS.

#[macro_use]
mod house;
mod following;
mod locks;
mod transact;
