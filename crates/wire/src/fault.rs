//! Every error a caller can see, one line each: wire type, HTTP status, message. Types and statuses are
//! Neutron's, since clients match on them; the sentences are ours. Not here: what makes them happen.

use std::fmt::{self, Display};

/// An error that a caller sees: `{"NeutronError": {"type": kind, "message": message, "detail": ""}}`.
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
    forbidden(why) = 403 "HTTPForbidden", "{why}";
    too_large(limit) = 413 "HTTPRequestEntityTooLarge", "The body is larger than the accepted {limit} bytes.";
    unsupported_media(given) = 415 "HTTPUnsupportedMediaType", "The body's type {given} is not accepted; send application/json.";
    unavailable(what) = 503 "HTTPServiceUnavailable", "{what}";
    revision_mismatch(collection, id, revision) = 412 "RevisionNumberConstraintFailed", "{collection} {id} is at revision {revision}, which is not the one in If-Match; read it again and decide anew.";
    conflict_state(what) = 409 "Conflict", "{what}";

    // References and their owners.
    network_not_found(net_id) = 404 "NetworkNotFound", "There is no network {net_id} that this project can use.";
    subnet_not_found(subnet_id) = 404 "SubnetNotFound", "There is no subnet {subnet_id} that this project can use.";
    port_not_found(port_id) = 404 "PortNotFound", "There is no port {port_id} that this project can use.";

    // Quotas, tags, sharing.
    over_quota(resource, limit) = 409 "OverQuota", "The project has reached its quota of {limit} for {resource}; delete some or ask for a higher quota.";
    quota_resource_unknown(name, known) = 404 "QuotaResourceUnknown", "There is no quota for {name}; there is one for each of {known}.";
    tag_not_found(tag) = 404 "TagNotFound", "The resource does not have the tag {tag}.";

    // Address scopes.
    address_scope_not_found(id) = 404 "AddressScopeNotFound", "There is no address scope {id} that this project can use.";
    address_scope_in_use(id) = 409 "AddressScopeInUse", "Address scope {id} still has subnet pools; move or delete them first.";
    invalid_quota_value(resource, used, asked) = 409 "InvalidQuotaValue", "The project uses {used} of {resource}, more than the asked {asked}; ask with force=true to set it all the same.";
    tenant_quota_not_found(project) = 404 "ProjectQuotaNotFound", "The project {project} has no quota of its own.";

    // RBAC policies.
    rbac_policy_not_found(id) = 404 "RbacPolicyNotFound", "There is no RBAC policy {id} that this project can see.";
    duplicate_rbac_policy(object_id, target) = 409 "DuplicateRbacPolicy", "{object_id} is shared with {target} in this way already.";
    rbac_policy_in_use(object_id, projects) = 409 "RbacPolicyInUse", "{object_id} is still used through this policy by the projects {projects}; remove what uses it first.";
    rbac_object_not_found(kind, object_id) = 404 "HTTPNotFound", "There is no {kind} {object_id} that this project can share.";

    // Networks and segments.
    network_in_use(net_id) = 409 "NetworkInUse", "Network {net_id} still has ports; delete them first.";
    invalid_shared_setting(network) = 409 "InvalidSharedSetting", "Network {network} is used by other projects and must stay shared; delete their ports first.";
    external_network_in_use(net_id) = 409 "ExternalNetworkInUse", "Network {net_id} is in use as an external network and must stay external.";
    default_external_network_exists(net_id) = 409 "DefaultExternalNetworkExists", "Network {net_id} is the default external network already; there can be one.";
    vlan_transparency(network_type) = 400 "VlanTransparencyDriverError", "Networks of the type {network_type} cannot be VLAN transparent here.";
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
    port_binding_already_active(port_id, host) = 409 "PortBindingAlreadyActive", "The binding of port {port_id} on the host {host} is active already.";
    port_binding_already_exists(port_id, host) = 409 "PortBindingAlreadyExists", "Port {port_id} already has a binding on the host {host}.";
    port_binding_not_found(port_id, host) = 404 "PortBindingNotFound", "Port {port_id} has no binding on the host {host}.";
    port_binding_error(port_id, host) = 500 "PortBindingError", "Port {port_id} cannot be plugged in on the host {host}.";
}
