//! A cloud in a box, for tests: a real OVN, hypervisors that are network namespaces with a real
//! `ovs-vswitchd` and `ovn-controller` each, Geneve between them, and guests that send packets.
//! Only for tests, so it panics where a program would report. What is asserted is in the tests.
//!
//! It needs root and Debian's `ovn-central`, `ovn-host`, `openvswitch-switch`, `iproute2`,
//! `iputils-ping` and `ethtool`, but no kernel module: the datapath is the userspace one. The host
//! keeps its interfaces, its files and its OVN if it has one; nothing outlives the test.
//!
//! ```text
//!  guest ─ veth ─ br-int ─┐                                       ┌─ br-int ─ veth ─ guest
//!                         ├─ br-phy ─ phy0 ─ underlay ─ phy0 ─ br-phy ─┤
//!                   Geneve┘      hv1          (bridge)         hv2     └Geneve
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

pub mod advertise;
pub mod central;
pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
pub mod guest;
pub mod hypervisor;
pub mod lab;
pub mod leftover;
pub mod namespace;
pub mod nucleon;
pub mod patience;
pub mod pings;
pub mod program;
