//! Every error a caller can see, one line each: wire type, HTTP status, message. Types and statuses
//! are Neutron's, since clients match on them; the sentences are ours. Not here: what makes them
//! happen.

use std::fmt::{self, Display};

/// An error that a caller sees: `{"NeutronError": {"type": kind, "message": message, "detail":
/// ""}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Neutron's name for it.
    pub kind: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what would be accepted, in plain words.
    pub message: String,
}

impl Fault {
    /// A fault. Prefer the constructors of this module.
    pub fn new(kind: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { kind, status, message: message.into() }
    }
}

/// Why something could not be done.
#[derive(Debug)]
pub enum Error {
    /// The caller's: safe to show.
    Fault(Box<Fault>),
    /// Somebody else was quicker: run the transaction again. Never leaves `Db::write`.
    Retry(&'static str),
    /// Ours: logged once with its context, shown as a 500 with the request id.
    Internal(anyhow::Error),
}

/// The result of anything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl Error {
    /// An error of ours with this explanation for the log.
    pub fn internal(message: impl Display) -> Self {
        Self::Internal(anyhow::anyhow!("{message}"))
    }

    /// The fault, if it is the caller's.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(out, "{}: {}", fault.kind, fault.message),
            Self::Retry(why) => write!(out, "conflict with another transaction: {why}"),
            Self::Internal(error) => write!(out, "{error:#}"),
        }
    }
}

impl std::error::Error for Error {}

/// Declares constructors: `name(argument, …) = status "WireType", "message with {argument}";`.
macro_rules! faults {
    ($( $name:ident ( $($arg:ident),* ) = $status:literal $kind:literal, $message:literal; )*) => {
        $(
            #[doc = concat!("`", $kind, "`, HTTP ", stringify!($status), ".")]
            pub fn $name($($arg: impl Display),*) -> Error {
                Fault::new($kind, $status, format!($message)).into()
            }
        )*
        /// Every fault of this table: (type, status). Compared with Neutron's by a test.
        pub static ALL: &[(&str, u16)] = &[ $( ($kind, $status) ),* ];
    };
}

faults! {
    // The request itself.
    bad_request(why) = 400 "HTTPBadRequest", "{why}";
    bad_limit(why) = 400 "BadRequest", "{why}";
    invalid_input(why) = 400 "InvalidInput", "{why}";
    not_found(what) = 404 "HTTPNotFound", "{what}";
    method_not_allowed(method, path) = 405 "HTTPMethodNotAllowed", "{method} is not possible on {path}.";
    not_authorized(rule) = 403 "PolicyNotAuthorized", "The policy rule {rule} does not permit this to you.";
    admin_required(what) = 403 "AdminRequired", "Only an administrator can {what}.";
    not_acceptable(given) = 406 "HTTPNotAcceptable", "Replies are application/json, which 'Accept: {given}' does not take.";
    invalid_action_for_type(action, kind, known) = 400 "InvalidActionForType", "'action' must be one of {known} for a {kind}, not {action}.";
    too_large(limit) = 413 "HTTPRequestEntityTooLarge", "The body is larger than the accepted {limit} bytes.";
    unavailable(what) = 503 "HTTPServiceUnavailable", "{what}";
    revision_mismatch(collection, id, revision) = 412 "RevisionNumberConstraintFailed", "{collection} {id} is at revision {revision}, which is not the one in If-Match; read it again and decide anew.";
    conflict_state(what) = 409 "Conflict", "{what}";

    // References and their owners.
    network_not_found(net_id) = 404 "NetworkNotFound", "There is no network {net_id} that this project can use.";
    subnet_not_found(subnet_id) = 404 "SubnetNotFound", "There is no subnet {subnet_id} that this project can use.";
    port_not_found(port_id) = 404 "PortNotFound", "There is no port {port_id} that this project can use.";

    // Quotas, tags, sharing.
    over_quota(resource, limit) = 409 "OverQuota", "The project has reached its quota of {limit} for {resource}; delete some or ask for a higher quota.";
    tag_not_found(tag) = 404 "TagNotFound", "The resource does not have the tag {tag}.";

    // Address scopes.
    address_scope_not_found(id) = 404 "AddressScopeNotFound", "There is no address scope {id} that this project can use.";
    address_scope_in_use(id) = 409 "AddressScopeInUse", "Address scope {id} still has subnet pools; move or delete them first.";
    invalid_quota_value(resource, used, asked) = 409 "InvalidQuotaValue", "The project uses {used} of {resource}, more than the asked {asked}; ask with force=true to set it all the same.";
    tenant_quota_not_found(project) = 404 "TenantQuotaNotFound", "The project {project} has no quota of its own.";

    // RBAC policies.
    rbac_policy_not_found(id) = 404 "RbacPolicyNotFound", "There is no RBAC policy {id} that this project can see.";
    duplicate_rbac_policy(object_id, target) = 409 "DuplicateRbacPolicy", "{object_id} is shared with {target} in this way already.";
    rbac_policy_in_use(object_id, projects) = 409 "RbacPolicyInUse", "{object_id} is still used through this policy by the projects {projects}; remove what uses it first.";
    rbac_object_not_found(kind, object_id) = 400 "InvalidInput", "There is no {kind} {object_id} that this project can share.";

    // Networks and segments.
    // PARITY: tempest looks for the words of the first clause.
    network_in_use(net_id) = 409 "NetworkInUse", "There are one or more ports still in use on the network {net_id}; delete them first.";
    invalid_shared_setting(network) = 409 "InvalidSharedSetting", "Network {network} is used by other projects and must stay shared; delete their ports first.";
    external_network_in_use(net_id) = 409 "ExternalNetworkInUse", "Network {net_id} is in use as an external network and must stay external.";
    default_external_network_exists(net_id) = 409 "DefaultExternalNetworkExists", "Network {net_id} is the default external network already; there can be one.";
    vlan_transparency(network_type) = 400 "VlanTransparencyDriverError", "Networks of the type {network_type} cannot be VLAN transparent here.";
    vlan_qinq(network_type) = 400 "VlanQinqDriverError", "Networks of the type {network_type} cannot carry stacked VLANs; those of the type vlan can.";
    no_network_available() = 503 "NoNetworkAvailable", "No segment is left in the ranges for networks of projects.";
    vlan_id_in_use(vlan_id, physical_network) = 409 "VlanIdInUse", "VLAN {vlan_id} of the physical network {physical_network} is in use.";
    flat_network_in_use(physical_network) = 409 "FlatNetworkInUse", "The physical network {physical_network} already has a flat network.";
    tunnel_id_in_use(tunnel_id) = 409 "TunnelIdInUse", "The tunnel identifier {tunnel_id} is in use.";
    segments_with_provider() = 400 "SegmentsSetInConjunctionWithProviders", "Give either 'segments' or the 'provider:' attributes, not both.";
    segments_duplicate() = 400 "SegmentsContainDuplicateEntry", "'segments' names the same segment twice.";
    segment_not_found(segment_id) = 404 "SegmentNotFound", "There is no segment {segment_id}.";
    segment_in_use(segment_id, why) = 409 "SegmentInUse", "Segment {segment_id} is in use: {why}.";
    qos_policy_not_found(policy_id) = 404 "QosPolicyNotFound", "There is no QoS policy {policy_id} that this project can use.";
    availability_zone_not_found(availability_zone) = 404 "AvailabilityZoneNotFound", "There is no availability zone {availability_zone}.";
    bad_agent(why) = 400 "BadRequest", "{why}";
    agent_not_found(id) = 404 "AgentNotFound", "There is no agent {id}.";

    // Ports and their bindings.
    mac_address_in_use(net_id, mac) = 409 "MacAddressInUse", "Another port of network {net_id} has the MAC address {mac}; choose another one or let the server choose.";
    port_bound(port_id, vif_type, old_mac, new_mac) = 409 "PortBound", "Port {port_id} is plugged in (binding:vif_type {vif_type}), so its MAC address {old_mac} cannot become {new_mac}; unbind it first.";
    port_bound_numa_affinity_policy(port_id, host_id, numa_affinity_policy) = 409 "PortBoundNUMAAffinityPolicy", "Port {port_id} is bound to the host {host_id}, so 'numa_affinity_policy' cannot become {numa_affinity_policy}; unbind it first.";
    unsupported_port_device_owner(op, port_id, device_owner) = 409 "UnsupportedPortDeviceOwner", "The {op} of port {port_id} is not possible while its 'device_owner' is {device_owner}.";
    port_in_use(port_id, net_id, device_id) = 409 "PortInUse", "Port {port_id} of network {net_id} is plugged in for the device '{device_id}', so 'binding:vnic_type' cannot change; unbind it first.";
    allowed_address_pair_exhausted(quota) = 400 "AllowedAddressPairExhausted", "'allowed_address_pairs' can have at most {quota} entries.";
    duplicate_address_pair_in_request(mac_address, ip_address) = 400 "DuplicateAddressPairInRequest", "'allowed_address_pairs' has the pair of {mac_address} and {ip_address} twice.";
    address_pair_and_port_security_required() = 409 "AddressPairAndPortSecurityRequired", "A port with 'allowed_address_pairs' needs 'port_security_enabled' true.";
    port_security_and_ip_required_for_security_groups() = 400 "PortSecurityAndIPRequiredForSecurityGroups", "A port with 'security_groups' needs 'port_security_enabled' true, and a device that is not part of the network itself.";
    port_security_port_has_security_group() = 409 "PortSecurityPortHasSecurityGroup", "The port has security groups; set 'security_groups' to [] to disable its port security.";
    duplicate_dhcp_option(opt_name, ip_version) = 409 "NeutronDbObjectDuplicateEntry", "'extra_dhcp_opts' gives the option {opt_name} of IPv{ip_version} two values; give it one.";
    invalid_virtual_mac_address(mac) = 400 "InvalidVirtualMACAddress", "The MAC address {mac} in 'allowed_address_pairs' must be the port's, or one of VRRP: 00:00:5e:00:01:xx with IPv4, 00:00:5e:00:02:xx with IPv6.";
    bad_port(why) = 400 "BadRequest", "{why}";
    ovn_port_update(why) = 400 "OVNPortUpdateError", "{why}";
    port_binding_already_active(port_id, host) = 409 "PortBindingAlreadyActive", "The binding of port {port_id} on the host {host} is active already.";
    port_binding_already_exists(port_id, host) = 409 "PortBindingAlreadyExists", "Port {port_id} already has a binding on the host {host}.";
    port_binding_not_found(port_id, host) = 404 "PortBindingNotFound", "Port {port_id} has no binding on the host {host}.";
    port_binding_error(port_id, host) = 500 "PortBindingError", "Port {port_id} cannot be plugged in on the host {host}.";

    // Addresses of ports.
    invalid_ip_for_subnet(ip_address, cidr) = 400 "InvalidIpForSubnet", "'fixed_ips' asks for {ip_address}, which a port cannot have in the subnet {cidr}; it must be in it and be neither the network's nor the broadcast address.";
    invalid_ip_for_network(ip_address, net_id) = 400 "InvalidIpForNetwork", "'fixed_ips' asks for {ip_address}, which a port cannot have in any subnet of the network {net_id}.";
    ip_address_already_allocated(ip, subnet_id) = 409 "IpAddressAlreadyAllocated", "The address {ip} of the subnet {subnet_id} is another port's; ask for another one or for none.";
    allocation_on_auto_address_subnet(ip, subnet_id) = 400 "AllocationOnAutoAddressSubnet", "'fixed_ips' asks for {ip}; ports of the subnet {subnet_id} make their addresses from their MAC addresses, so name the subnet alone.";
    ip_address_generation_failure(subnets) = 409 "IpAddressGenerationFailure", "No address is left in the allocation pools of {subnets}; delete ports or add a subnet.";
    no_readable_subnet(network_id) = 409 "IpAddressGenerationFailure", "No subnet of the network {network_id} has addresses that can be read; an operator has to mend it, see 'nucleon db check'.";
    ip_address_generation_failure_no_matching_subnet(network_id, service_type) = 409 "IpAddressGenerationFailureNoMatchingSubnet", "No subnet of the network {network_id} has a service type for the device owner '{service_type}'.";
    fixed_ips_subnets_not_on_same_segment() = 400 "FixedIpsSubnetsNotOnSameSegment", "'fixed_ips' names subnets of different segments; those of a port must be of one.";
    host_not_connected_to_any_segment(host, network_id) = 409 "HostNotConnectedToAnySegment", "The host {host} reaches no segment of the network {network_id} that has a subnet.";
    host_not_compatible_with_fixed_ips(host, port_id) = 409 "HostNotCompatibleWithFixedIps", "The host {host} does not reach the segments that the addresses of port {port_id} are of; change 'fixed_ips' too.";

    // Subnets.
    bad_subnet(why) = 400 "BadRequest", "{why}";
    subnet_in_use(subnet_id, why) = 409 "SubnetInUse", "Subnet {subnet_id} is in use: {why}.";
    invalid_allocation_pool(pool) = 400 "InvalidAllocationPool", "The allocation pool {pool} must be of the subnet's IP version and not end before it starts.";
    out_of_bounds_allocation_pool(pool, subnet_cidr) = 400 "OutOfBoundsAllocationPool", "The allocation pool {pool} has addresses that ports of the subnet {subnet_cidr} cannot have.";
    overlapping_allocation_pools(pool_1, pool_2) = 409 "OverlappingAllocationPools", "The allocation pools {pool_1} and {pool_2} have addresses in common.";
    gateway_conflict_with_allocation_pools(ip_address, pool) = 409 "GatewayConflictWithAllocationPools", "The gateway {ip_address} is in the allocation pool {pool}; change one of them.";
    gateway_ip_in_use(ip_address, port_id) = 409 "GatewayIpInUse", "The gateway {ip_address} is the address of the router port {port_id} and cannot change.";
    ipam_value_invalid(gateway_ip, cidr) = 409 "IpamValueInvalid", "The gateway {gateway_ip} cannot be the network's or the broadcast address of {cidr}.";
    dns_name_servers_exhausted(subnet_id, quota) = 400 "DNSNameServersExhausted", "'dns_nameservers' of {subnet_id} can have at most {quota} entries.";
    host_routes_exhausted(subnet_id, quota) = 400 "HostRoutesExhausted", "'host_routes' of {subnet_id} can have at most {quota} entries.";
    network_mtu_subnet_conflict(net_id, mtu) = 409 "NetworkMTUSubnetConflict", "The MTU of the network {net_id} must be at least {mtu} for this subnet.";
    network_ids_dont_match(subnet_network, segment_id) = 400 "NetworkIdsDontMatch", "'segment_id' names {segment_id}, which is not a segment of the network {subnet_network}.";
    subnets_not_all_associated_with_segments(network_id) = 400 "SubnetsNotAllAssociatedWithSegments", "Either all subnets of the network {network_id} must have a 'segment_id' or none.";
    subnet_segment_association_change_not_allowed() = 400 "SubnetSegmentAssociationChangeNotAllowed", "'segment_id' of a subnet that has one cannot change.";
    no_update_subnet_when_multiple_segments_on_network(network_id) = 400 "NoUpdateSubnetWhenMultipleSegmentsOnNetwork", "'segment_id' cannot change, as the network {network_id} has several segments.";
    network_subnet_pool_affinity() = 400 "NetworkSubnetPoolAffinityError", "All subnets of an IP version on one network must be from the same subnet pool.";
    network_address_scope_affinity() = 400 "NetworkAddressScopeAffinityError", "All subnets of an IP version on one network must be in the same address scope.";

    // Subnet pools.
    address_scope_update_error(address_scope_id, why) = 400 "AddressScopeUpdateError", "Address scope {address_scope_id} cannot be changed so: {why}.";
    subnetpool_not_found(subnetpool_id) = 404 "SubnetPoolNotFound", "There is no subnet pool {subnetpool_id} that this project can use.";
    subnetpool_delete_error(why) = 400 "SubnetPoolDeleteError", "The subnet pool cannot be deleted: {why}.";
    subnetpool_quota_exceeded(quota) = 409 "SubnetPoolQuotaExceeded", "The project has used its share of the pool ('default_quota' {quota}); ask for a smaller subnet.";
    subnet_allocation_error(why) = 409 "SubnetAllocationError", "{why}";
    min_prefix_subnet_allocation_error(prefixlen, min_prefixlen) = 400 "MinPrefixSubnetAllocationError", "The prefix length {prefixlen} is too short for the pool; it must be at least {min_prefixlen}.";
    max_prefix_subnet_allocation_error(prefixlen, max_prefixlen) = 400 "MaxPrefixSubnetAllocationError", "The prefix length {prefixlen} is too long for the pool; it must be at most {max_prefixlen}.";
    empty_subnetpool_prefix_list() = 400 "EmptySubnetPoolPrefixList", "'prefixes' must have at least one network.";
    prefix_version_mismatch() = 400 "PrefixVersionMismatch", "'prefixes' must be all IPv4 or all IPv6.";
    illegal_subnetpool_prefix_bounds(prefix_type, prefixlen, relation, base_prefixlen) = 400 "IllegalSubnetPoolPrefixBounds", "'{prefix_type}' is {prefixlen} and must be {relation} {base_prefixlen}.";
    illegal_subnetpool_prefix_update(why) = 400 "IllegalSubnetPoolPrefixUpdate", "'prefixes' cannot become so: {why}.";
    illegal_subnetpool_update(why) = 400 "IllegalSubnetPoolUpdate", "The subnet pool cannot be changed so: {why}.";
    illegal_subnetpool_ip_version(address_scope_id, ip_version) = 400 "IllegalSubnetPoolIpVersionAssociationToAddressScope", "'address_scope_id' names {address_scope_id}, which is for IPv{ip_version} pools.";
    address_scope_prefix_conflict() = 409 "AddressScopePrefixConflict", "'prefixes' have addresses in common with another pool of the address scope.";
    onboard_not_authorized() = 403 "NotAuthorized", "Only the owner of a network can onboard its subnets.";

    // Security groups, their rules, and address groups. Clients look for some words of these
    // messages.
    security_group_not_found(id) = 404 "SecurityGroupNotFound", "There is no security group {id} that this project can use.";
    security_group_in_use(id) = 409 "SecurityGroupInUse", "Security group {id} is in use by ports; take it from them first.";
    security_group_conflict(why) = 409 "SecurityGroupConflict", "{why}";
    security_group_cannot_remove_default() = 409 "SecurityGroupCannotRemoveDefault", "The project's default security group can be deleted only by an administrator.";
    security_group_cannot_update_default() = 409 "SecurityGroupCannotUpdateDefault", "The project's default security group keeps its name; 'name' cannot be given.";
    security_group_rule_not_found(id) = 404 "SecurityGroupRuleNotFound", "There is no security group rule {id} that this project can see.";
    security_group_rule_exists(group) = 409 "SecurityGroupRuleExists", "Security group {group} has a rule that permits the same already.";
    duplicate_security_group_rule_in_post(place) = 409 "DuplicateSecurityGroupRuleInPost", "The rule at position {place} of the request permits the same as one before it.";
    security_group_not_single_group_rules() = 400 "SecurityGroupNotSingleGroupRules", "All rules of one request must have the same 'security_group_id'.";
    security_group_rules_not_single_project() = 400 "SecurityGroupRulesNotSingleProject", "All rules of one request must have the same 'project_id'.";
    security_group_invalid_port_range() = 400 "SecurityGroupInvalidPortRange", "Both ends of the range must be given, and port_range_min must be <= port_range_max.";
    security_group_invalid_port_value(port) = 400 "SecurityGroupInvalidPortValue", "Invalid value for port {port}: a port is a number from 1 to 65535.";
    security_group_invalid_icmp_value(field, attribute, value) = 400 "SecurityGroupInvalidIcmpValue", "Invalid value for ICMP {field}: '{attribute}' must be from 0 to 255, not {value}.";
    security_group_missing_icmp_type(code) = 400 "SecurityGroupMissingIcmpType", "ICMP type (port-range-min) is missing, which the ICMP code {code} in 'port_range_max' needs.";
    security_group_protocol_required_with_ports() = 400 "SecurityGroupProtocolRequiredWithPorts", "A rule with 'port_range_min' or 'port_range_max' needs a 'protocol' too.";
    security_group_invalid_protocol_for_port(protocol) = 400 "SecurityGroupInvalidProtocolForPort", "Rules for the protocol {protocol} have no ports; those for tcp, udp, udplite, sctp, dccp and ICMP can have them.";
    security_group_ethertype_conflict(ethertype, protocol) = 400 "SecurityGroupEthertypeConflictWithProtocol", "The protocol {protocol} is one of IPv6, so 'ethertype' cannot be {ethertype}.";
    security_group_rule_parameter_conflict(ethertype, prefix) = 400 "SecurityGroupRuleParameterConflict", "Conflicting value ethertype {ethertype}: 'remote_ip_prefix' {prefix} is of the other IP version.";
    security_group_multiple_remotes() = 400 "SecurityGroupMultipleRemoteEntites", "A rule can have only one of 'remote_ip_prefix', 'remote_group_id' and 'remote_address_group_id'.";
    default_security_group_rule_not_found(id) = 404 "DefaultSecurityGroupRuleNotFound", "There is no default security group rule {id}.";
    default_security_group_rule_exists() = 409 "DefaultSecurityGroupRuleExists", "Another default rule for the same groups permits the same already.";
    duplicate_default_rule_in_post(place) = 409 "DuplicateDefaultSgRuleInPost", "The default rule at position {place} of the request permits the same as one before it.";
    default_statefulness_not_found(id) = 404 "SecurityGroupDefaultStatefulnessNotFound", "There is no default statefulness {id} that this project can see.";
    default_statefulness_exists(project) = 409 "SecurityGroupDefaultStatefulnessAlreadyExists", "There is a default statefulness for {project} already; change that one.";
    address_group_not_found(id) = 404 "AddressGroupNotFound", "There is no address group {id} that this project can use.";
    address_group_in_use(id) = 409 "AddressGroupInUse", "Address group {id} is in use by security group rules; delete them first.";
    addresses_already_exist(id, addresses) = 400 "AddressesAlreadyExist", "Address group {id} has {addresses} already; leave out what it has.";
    addresses_not_found(id, addresses) = 404 "AddressesNotFound", "Address group {id} does not have {addresses}; name only what it has.";
}
