//! Brings OVN in line with what is stored. The way of a change: a mark is collected, the unit's
//! token observed in Northbound, its state loaded from SQL, rendered, compared with the rows there
//! are, and the difference written in one transaction. Not here: HTTP, and what things mean.

pub mod agent;
pub mod apply;
pub mod audit;
pub mod bind;
pub mod chance;
pub mod counters;
pub mod diff;
pub mod facts;
pub mod known;
pub mod liveness;
pub mod nb;
pub mod owned;
pub mod reconcile;
pub mod render;
pub mod sb;
pub mod want;
pub mod watch;
