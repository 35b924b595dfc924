//! Device owners that have rules of their own about addresses.

/// DHCP ports.
pub const DHCP: &str = "network:dhcp";
/// Ports of services that are on every host, like the metadata service.
pub const DISTRIBUTED: &str = "network:distributed";
/// Subnets of routed provider networks without a segment.
pub const ROUTED: &str = "network:routed";

/// The interfaces of routers on the networks of projects.
pub const ROUTER_INTERFACES: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];

/// Ports that the server removes by itself when nothing else is left.
pub const AUTO_DELETE: [&str; 3] = [DHCP, DISTRIBUTED, "network:floatingip_agent_gateway"];

/// True for router interfaces.
pub fn is_router_interface(device_owner: &str) -> bool {
    ROUTER_INTERFACES.contains(&device_owner)
}

/// True for router interfaces and the ports that distributed routers translate addresses at.
pub fn is_router_interface_or_snat(device_owner: &str) -> bool {
    is_router_interface(device_owner) || device_owner == "network:router_centralized_snat"
}

/// True for all ports of routers, gateways among them.
pub fn is_router_port(device_owner: &str) -> bool {
    is_router_interface_or_snat(device_owner) || device_owner == "network:router_gateway"
}

/// True where the first free address is chosen and not any.
pub fn prefers_first(device_owner: &str) -> bool {
    device_owner == DHCP || device_owner == DISTRIBUTED
}
