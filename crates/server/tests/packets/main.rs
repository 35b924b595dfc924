//! What the server says, proved with packets: on a real OVN, between guests on hypervisors that
//! are network namespaces. It needs root and Debian's packages; see the crate `packets`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod cloud;

mod addresses;
mod binding;
mod cluster;
mod drift;
mod external;
mod hostile;
mod metadata;
mod migration;
mod names;
mod nova;
mod security_group;
mod source;
