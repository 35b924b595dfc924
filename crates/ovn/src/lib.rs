//! Brings OVN in line with what is stored. The way of a change: a mark is collected, the unit's
//! token observed in Northbound, its state loaded from SQL, rendered, compared with the rows there
//! are, and the difference written in one transaction. Not here: HTTP, and what things mean.

pub mod apply;
pub mod diff;
pub mod facts;
pub mod nb;
pub mod owned;
pub mod render;
pub mod want;
