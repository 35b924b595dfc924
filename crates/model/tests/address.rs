//! Subnets, pools and the addresses of ports, against a database of each engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

#[path = "address/cloud.rs"]
mod cloud;
#[path = "address/pool.rs"]
mod pool;
#[path = "address/port.rs"]
mod port;
#[path = "address/subnet.rs"]
mod subnet;
