//! The server in the process beside the real `ovsdb-server`: the same requests, the same answers.
//! Spoken to without any client of ours, so that no mistake is made on both sides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

#[macro_use]
mod house;
mod faults;
mod sessions;
mod transactions;
