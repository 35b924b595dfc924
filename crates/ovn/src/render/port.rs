//! A port is a port of its network's switch, with its DHCP options, its membership in the groups of
//! its security groups, and the chassis that answer for it if it is external. What it is and what
//! it asks of the chassis is in `render/port_options.rs`.

use std::collections::BTreeSet;

use model::snapshot::{FixedAddress, PortSnapshot};
use ovsdb::value::Datum;
use serde_json::Value as Json;
use wire::types::Id;
use wire::types::pair::AddressPair;
use wire::types::words::IpVersion;

use super::port_options::{self as options, Part};
use super::{chassis, dhcp, external_ids as ids, subnet};
use crate::facts::Facts;
use crate::nb;
use crate::want::{RowName, Wants, row_named};

/// The port of a floating IP is nowhere in OVN: packets to it are translated on their way.
const FLOATING_IP: &str = "network:floatingip";
/// Ports of load balancers' addresses, which somebody else puts into the switch.
const LOAD_BALANCER_PREFIX: &str = "ovn-lb-vip-";
const UNKNOWN: &str = "unknown";

pub fn render(port: &PortSnapshot, facts: &Facts, wants: &mut Wants) {
    if port.device_owner == FLOATING_IP {
        return;
    }
    let row = nb::port(port.id);
    let part = options::part(port);
    let security = if part == Part::Vtep { BTreeSet::new() } else { port_security(port) };
    let dhcp4 = dhcp_options(port, IpVersion::V4, facts, wants);
    let dhcp6 = dhcp_options(port, IpVersion::V6, facts, wants);
    let told = dhcp4.is_some() || dhcp6.is_some();
    let is_external = part == Part::External;
    let group = is_external.then(|| chassis::group_of(port, facts));
    let nested = options::nested(port);
    wants.row(
        row_named(&row)
            .text("name", &row.key)
            .text("type", part.word())
            .texts("addresses", addresses(port, part, &security, told))
            .texts("port_security", &security)
            .one("enabled", port.admin_state_up)
            .keys("external_ids", external_ids(port, part))
            .pairs("options", options::options(port, part, facts), &[])
            .is("parent_name", Datum::maybe(nested.map(|(parent, _)| parent)))
            .is("tag_request", Datum::maybe(nested.map(|(_, tag)| tag)))
            .refers("dhcpv4_options", dhcp4)
            .refers("dhcpv6_options", dhcp6)
            .refers("ha_chassis_group", group),
    );
    wants.member(nb::switch(port.network_id), "ports", row.clone());
    for group in groups(port) {
        wants.member(nb::port_group(group), "ports", row.clone());
    }
    if !security.is_empty() {
        wants.member(nb::drop_group(), "ports", row);
    }
    if is_external && chassis::are_dedicated(facts) {
        chassis::port_group(port, facts, wants);
    }
}

/// True for a device that is part of the network itself, which nothing filters.
fn is_trusted(port: &PortSnapshot) -> bool {
    port.device_owner.starts_with("network:")
}

/// The security groups that filter a port.
fn groups(port: &PortSnapshot) -> impl Iterator<Item = Id> {
    port.security_groups.iter().copied().filter(|_| !is_trusted(port))
}

/// The row of DHCP options that a port is answered from, which is made if it is the port's own.
fn dhcp_options(
    port: &PortSnapshot,
    version: IpVersion,
    facts: &Facts,
    wants: &mut Wants,
) -> Option<RowName> {
    match dhcp::of_port(port, version, facts) {
        dhcp::Told::Nothing => None,
        dhcp::Told::AsSubnet(subnet_id) => Some(nb::dhcp_options(subnet_id)),
        dhcp::Told::Own { subnet, options, kept } => {
            let own = nb::port_dhcp_options(subnet.id, port.id);
            let row = subnet::row(&own, subnet, Some(port.id));
            wants.row(row.pairs("options", options, kept));
            Some(own)
        }
    }
}

/// The port's MAC address with its addresses, in their order; `None`: the stored one is damaged.
fn own_addresses(port: &PortSnapshot) -> Option<String> {
    let mut own = port.mac_address?.to_string();
    for fixed_ip in &port.fixed_ips {
        own.push_str(&format!(" {}", fixed_ip.ip_address));
    }
    Some(own)
}

/// The pairs that name another MAC address than the port's.
fn foreign_pairs(port: &PortSnapshot) -> impl Iterator<Item = &AddressPair> {
    let own = port.mac_address;
    sound_pairs(port).filter(move |pair| pair.mac_address != own && pair.mac_address.is_some())
}

/// The pairs whose address is one: what else a damaged row may hold is no part of a list.
fn sound_pairs(port: &PortSnapshot) -> impl Iterator<Item = &AddressPair> {
    port.allowed_address_pairs
        .iter()
        .filter(|pair| pair.prefix().is_some() && !pair.ip_address.contains(char::is_whitespace))
}

/// What a port may send from; empty: from anything.
fn port_security(port: &PortSnapshot) -> BTreeSet<String> {
    let mut permitted = BTreeSet::new();
    let Some(mac) = port.mac_address.filter(|_| port.port_security_enabled && !is_trusted(port))
    else {
        return permitted;
    };
    let mut own = own_addresses(port).unwrap_or_default();
    for pair in sound_pairs(port).filter(|pair| pair.mac_address == Some(mac)) {
        own.push_str(&format!(" {}", pair.ip_address));
    }
    for pair in foreign_pairs(port) {
        let (Some(other), ip) = (pair.mac_address, &pair.ip_address) else { continue };
        // A virtual router of VRRP announces the address in either of these ways.
        permitted.insert(format!("VRRPv3 {mac} {other} {ip}"));
        permitted.insert(format!("{other} {ip}"));
    }
    permitted.insert(own);
    permitted
}

/// Where packets to the port are sent.
fn addresses(
    port: &PortSnapshot,
    part: Part,
    security: &BTreeSet<String>,
    told: bool,
) -> BTreeSet<String> {
    let load_balancer = port.name.starts_with(LOAD_BALANCER_PREFIX)
        && port.device_owner.is_empty()
        && port.vif_type == "unbound";
    if load_balancer {
        return BTreeSet::new();
    }
    let mut addresses = BTreeSet::new();
    if part == Part::Vtep {
        addresses.insert(UNKNOWN.to_owned());
        return addresses;
    }
    let is_known = !security.is_empty()
        || part != Part::Plain
        || told
        || port.device_owner == "network:vpn_router_gateway";
    if is_known {
        addresses.extend(own_addresses(port));
        if !security.is_empty() {
            let others = foreign_pairs(port).filter_map(|pair| pair.mac_address);
            addresses.extend(others.map(|mac| mac.to_string()));
        }
    }
    // A port that nothing filters may send from any address, so packets to any may be for it.
    if security.is_empty() && part == Part::Plain {
        addresses.insert(UNKNOWN.to_owned());
    }
    addresses
}

fn external_ids(port: &PortSnapshot, part: Part) -> [(&'static str, Option<String>); 15] {
    let cidr = |one: &FixedAddress| format!("{}/{}", one.ip_address, one.cidr.prefix_length());
    let fixed_ips = port.fixed_ips.iter().filter(|_| part != Part::Vtep);
    let cidrs: Vec<String> = fixed_ips.clone().map(cidr).collect();
    let groups: Vec<String> = groups(port).map(|id| id.to_string()).collect();
    let scope = |version: IpVersion| {
        let of_version = |one: &&FixedAddress| one.ip_address.version() == version.number();
        let mut scopes =
            fixed_ips.clone().filter(of_version).filter_map(|one| one.address_scope_id);
        scopes.next_back().map(|id| id.to_string()).unwrap_or_default()
    };
    // PARITY: the MTU is only said where somebody beside the guest needs it.
    let mtu = if options::needs_mtu(port, part) { port.mtu.to_string() } else { String::new() };
    let is_up = port.status == "ACTIVE" && !port.host.is_empty();
    let parent = port.vif_details.get("parent_hostname").and_then(Json::as_str);
    let parent = parent.filter(|host| !host.is_empty());
    [
        (ids::PORT_NAME, Some(port.name.clone())),
        (ids::DEVICE_ID, Some(port.device_id.clone())),
        (ids::PROJECT_ID, Some(port.project_id.clone())),
        (ids::CIDRS, Some(cidrs.join(" "))),
        (ids::DEVICE_OWNER, Some(port.device_owner.clone())),
        (ids::ADDRESS_SCOPE4, Some(scope(IpVersion::V4))),
        (ids::ADDRESS_SCOPE6, Some(scope(IpVersion::V6))),
        (ids::NETWORK_NAME, Some(nb::switch(port.network_id).key)),
        (ids::SECURITY_GROUP_IDS, Some(groups.join(" "))),
        (ids::REVISION_NUMBER, Some(port.revision_number.to_string())),
        (ids::VNIC_TYPE, Some(port.vnic_type.as_str().to_owned())),
        (ids::PORT_CAPABILITIES, Some(port.capabilities().join(";"))),
        (ids::MTU, Some(mtu)),
        (ids::HOST_ID, is_up.then(|| port.host.clone())),
        (ids::PARENT_HOSTNAME, parent.map(str::to_owned)),
    ]
}
