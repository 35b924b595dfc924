//! What has to be asked of the data plane while answering a caller. Two real answers: OVN, and
//! `none`, to which ports bind without being plugged in. No question does I/O; only what changes an
//! agent does, since agents are stored in the data plane.

use std::pin::Pin;

use sql::Committed;
use wire::fault;
use wire::types::Id;
use wire::types::profile::Dict;
use wire::types::words::VnicType;

use crate::kind::Pending;

/// What a backend says about binding a port to a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Plug {
    /// `binding:vif_type`.
    pub vif_type: &'static str,
    /// `binding:vif_details`.
    pub vif_details: serde_json::Map<String, serde_json::Value>,
    /// The driver that is named in the binding's level.
    pub driver: &'static str,
}

/// What binding depends on.
#[derive(Clone, Debug)]
pub struct PlugAsk<'a> {
    /// The port.
    pub port_id: Id,
    /// The host.
    pub host: &'a str,
    /// `binding:vnic_type`.
    pub vnic_type: VnicType,
    /// `binding:profile`.
    pub profile: &'a Dict,
    /// The network's type of the segment.
    pub network_type: &'a str,
    /// Its physical network.
    pub physical_network: Option<&'a str>,
}

/// One agent of the data plane, as `/agents` shows it.
#[derive(Clone, Debug)]
pub struct Agent {
    /// All attributes by wire name.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// The data plane.
pub trait Backend: Send + Sync {
    /// How a port is plugged in on a host.
    fn plug(&self, ask: &PlugAsk<'_>) -> Plug;
    /// Whether a host reaches the segments of a physical network; `None`: of tunnels.
    fn reaches(&self, host: &str, physical_network: Option<&str>) -> bool;
    /// The agents.
    fn agents(&self) -> Vec<Agent>;
    /// The names of the availability zones that the data plane has.
    fn availability_zones(&self) -> Vec<String>;
    /// Waits for a moment until the data plane shows what a commit has changed: a courtesy, never a
    /// failure.
    fn settled<'a>(
        &'a self,
        _committed: &'a Committed,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }
    /// Describes an agent. Doing it again changes nothing.
    fn describe_agent<'a>(&'a self, id: &'a str, _description: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { Err(fault::agent_not_found(id)) })
    }
    /// Forgets an agent, with what it said of its host. Doing it again changes nothing.
    fn remove_agent<'a>(&'a self, id: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { Err(fault::agent_not_found(id)) })
    }
}

/// No data plane: every host takes every port, nothing is plugged in.
pub struct NoBackend;

impl Backend for NoBackend {
    fn plug(&self, _ask: &PlugAsk<'_>) -> Plug {
        Plug { vif_type: "other", vif_details: serde_json::Map::new(), driver: "none" }
    }

    fn reaches(&self, _host: &str, _physical_network: Option<&str>) -> bool {
        true
    }

    fn agents(&self) -> Vec<Agent> {
        Vec::new()
    }

    fn availability_zones(&self) -> Vec<String> {
        Vec::new()
    }
}
