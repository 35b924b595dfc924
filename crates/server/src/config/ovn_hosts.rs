//! The options about hosts: how their agents are judged, and how ports are plugged in there. Named
//! as Neutron names them.

use std::time::Duration;

use clap::Args;
use ovn::bind::Binding;

/// Hosts of OVN.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "OVN's hosts")]
pub struct OvnHostOptions {
    /// Networks have a port through which guests reach the metadata service
    #[arg(
        long,
        env = "NUCLEON_OVN_METADATA_ENABLED",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "true|false"
    )]
    pub ovn_metadata_enabled: bool,

    /// Seconds that an agent may take to come to a new configuration before it counts as down
    #[arg(
        long,
        env = "NUCLEON_AGENT_DOWN_TIME",
        default_value_t = 75,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(10..),
    )]
    pub agent_down_time: u32,

    /// The directory of the sockets of guests' cards, on hosts with a switch in user space
    #[arg(
        long,
        env = "NUCLEON_VHOST_SOCK_DIR",
        default_value = "/var/run/openvswitch",
        value_name = "DIRECTORY"
    )]
    pub vhost_sock_dir: String,

    /// Hypervisors make the devices of guests before the guests start
    #[arg(
        long,
        env = "NUCLEON_OVS_CREATE_TAP",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "true|false"
    )]
    pub ovs_create_tap: bool,
}

impl OvnHostOptions {
    /// How ports are bound.
    pub fn binding(&self) -> Binding {
        Binding {
            socket_directory: self.vhost_sock_dir.clone(),
            creates_tap: self.ovs_create_tap,
            down_time: Duration::from_secs(self.agent_down_time.into()),
        }
    }
}
