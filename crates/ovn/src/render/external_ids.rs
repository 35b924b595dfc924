//! The keys of `external_ids` that Neutron writes, and that other agents and operators read.

pub const AVAILABILITY_ZONE_HINTS: &str = "neutron:availability_zone_hints";
pub const ADDRESS_GROUP_ID: &str = "neutron:address_group_id";
pub const CIDRS: &str = "neutron:cidrs";
pub const DEVICE_ID: &str = "neutron:device_id";
pub const DEVICE_OWNER: &str = "neutron:device_owner";
pub const HOST_ID: &str = "neutron:host_id";
pub const MTU: &str = "neutron:mtu";
pub const NETWORK_ID: &str = "neutron:network_id";
pub const NETWORK_NAME: &str = "neutron:network_name";
pub const PARENT_HOSTNAME: &str = "neutron:parent_hostname";
pub const PORT_CAPABILITIES: &str = "neutron:port_capabilities";
pub const PORT_NAME: &str = "neutron:port_name";
pub const PROJECT_ID: &str = "neutron:project_id";
pub const PROVIDER_NETWORK_TYPE: &str = "neutron:provnet-network-type";
pub const PROVIDER_PHYSICAL_NETWORK: &str = "neutron:provnet-physical-network";
pub const REVISION_NUMBER: &str = "neutron:revision_number";
pub const SECURITY_GROUP_ID: &str = "neutron:security_group_id";
pub const SECURITY_GROUP_IDS: &str = "neutron:security_group_ids";
pub const SECURITY_GROUP_RULE_ID: &str = "neutron:security_group_rule_id";
pub const ADDRESS_SCOPE4: &str = "neutron:subnet_pool_addr_scope4";
pub const ADDRESS_SCOPE6: &str = "neutron:subnet_pool_addr_scope6";
pub const VNIC_TYPE: &str = "neutron:vnic_type";
/// Of DHCP options and DNS records, without a prefix.
pub const SUBNET_ID: &str = "subnet_id";
pub const PORT_ID: &str = "port_id";
pub const SWITCH_NAME: &str = "ls_name";
