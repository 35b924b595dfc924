//! Tells Nova what happened to the ports of its servers (`os-server-external-events`). What has to
//! be told are rows of the database (`model::nova_event`), so nothing is lost with this process.
//! Here: finding Nova, what is said to it, and the loop that tells.

pub mod endpoint;
pub mod message;
pub mod teller;
