//! Tests of the wire contract's language, from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod draft;
mod fault;
mod query;
mod reference;
mod show;
mod table;
mod types;
