//! Southbound and what is stored: bindings, agents, status. What Neutron answers in the same
//! situations was asked of Neutron 29.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod agents;
mod binding;
mod failures;
mod history;
mod status;
mod world;
