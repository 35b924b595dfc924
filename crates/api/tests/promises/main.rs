//! The promises of SECURITY.md, kept in front of the whole server in the process: what a caller
//! may do and see, what bad input does, what races and failures leave behind, and what damaged
//! rows do. On the three engines. Not here: the program as a process (`server`'s tests).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod access;
mod cloud;
mod concurrency;
mod damaged;
mod halves;
mod hostile;
mod http;
mod panics;
mod phrases;
mod reference;
