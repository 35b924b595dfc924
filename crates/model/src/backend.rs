//! What has to be asked of the data plane while answering a caller. Two real answers: OVN, and
//! `none`, to which ports bind without being plugged in. No question does I/O.

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
    /// The host.
    pub host: &'a str,
    /// `binding:vnic_type`.
    pub vnic_type: &'a str,
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
    /// The names of the availability zones of networks.
    fn availability_zones(&self) -> Vec<String>;
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
