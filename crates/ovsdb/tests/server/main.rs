//! The server in the process beside the real `ovsdb-server`: the same requests, the same answers.
//! Spoken to without any client of ours, so that no mistake is made on both sides.

#[macro_use]
mod house;
mod faults;
mod sessions;
mod transactions;
