//! Units for tests of rendering. Texts are as given: as a damaged database could hold them, not
//! only as the API accepts them.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};

use model::snapshot::{DnsSnapshot, FixedAddress, NamedPort, PortSnapshot, SubnetSnapshot};
use serde_json::json;
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::types::dhcp_opt::DhcpOption;
use wire::types::ip::Ip;
use wire::types::mac::Mac;
use wire::types::pair::AddressPair;
use wire::types::profile::Dict;
use wire::types::words::{IpVersion, VnicType};

/// The switch of the port.
pub const SWITCH: &str = "neutron-00000000-0000-0000-0000-000000000002";
/// The group of its security group.
pub const GROUP: &str = "pg_00000000_0000_0000_0000_000000000003";

/// An id.
pub fn id(number: u128) -> Id {
    Id::read(&format!("{number:032x}")).unwrap()
}

/// A subnet of version 4 with DHCP.
pub fn subnet() -> SubnetSnapshot {
    SubnetSnapshot {
        id: id(4),
        network_id: id(2),
        ip_version: IpVersion::V4,
        cidr: Cidr::read("10.0.0.0/24").unwrap(),
        gateway_ip: Ip::read("10.0.0.1"),
        enable_dhcp: true,
        ipv6_address_mode: None,
        dns_nameservers: Vec::new(),
        host_routes: Vec::new(),
        revision_number: 0,
        mtu: 1442,
        metadata_ip: Ip::read("10.0.0.2"),
    }
}

/// An unbound port with one address and one group.
pub fn port() -> PortSnapshot {
    let subnet = subnet();
    PortSnapshot {
        id: id(1),
        project_id: "project".into(),
        network_id: id(2),
        name: "port".into(),
        mac_address: Mac::read("fa:16:3e:00:00:01"),
        admin_state_up: true,
        status: "DOWN".into(),
        device_id: String::new(),
        device_owner: String::new(),
        port_security_enabled: true,
        allowed_address_pairs: Vec::new(),
        extra_dhcp_opts: Vec::new(),
        revision_number: 1,
        host: String::new(),
        vnic_type: VnicType::Normal,
        vif_type: "unbound".into(),
        profile: Dict::default(),
        vif_details: Dict::default(),
        mtu: 1442,
        availability_zone_hints: Vec::new(),
        fixed_ips: vec![FixedAddress {
            ip_address: Ip::read("10.0.0.7").unwrap(),
            subnet_id: subnet.id,
            cidr: subnet.cidr,
            enable_dhcp: true,
            ipv6_address_mode: None,
            address_scope_id: None,
            shared_with: BTreeSet::new(),
        }],
        security_groups: vec![id(3)],
        subnets: BTreeMap::new(),
    }
}

/// A profile.
pub fn profile(json: serde_json::Value) -> Dict {
    Dict(json.as_object().unwrap().clone())
}

/// A port whose texts are these, with an option of this name.
pub fn hostile_port(texts: &[String], option: &str) -> PortSnapshot {
    let foreign = Mac::read("fa:16:3e:00:00:09");
    let pair = |mac_address| AddressPair { ip_address: texts[8].clone(), mac_address };
    let subnet = subnet();
    PortSnapshot {
        project_id: texts[3].clone(),
        name: texts[4].clone(),
        status: texts[5].clone(),
        device_id: texts[6].clone(),
        device_owner: texts[7].clone(),
        allowed_address_pairs: vec![pair(foreign), pair(None)],
        extra_dhcp_opts: vec![DhcpOption {
            opt_name: option.to_owned(),
            opt_value: Some(texts[9].clone()),
            ip_version: IpVersion::V4,
        }],
        host: texts[10].clone(),
        vif_type: texts[11].clone(),
        profile: profile(json!({
            "migrating_to": texts[0],
            "capabilities": [texts[1]],
            "parent_name": texts[2],
            "tag": 7,
        })),
        availability_zone_hints: vec![texts[0].clone()],
        subnets: [(subnet.id, subnet)].into(),
        ..port()
    }
}

/// The names of a network with one port.
pub fn names(name: &str, domain: &str) -> DnsSnapshot {
    let addresses = vec![Ip::read("10.0.0.7").unwrap()];
    let port = NamedPort { id: id(1), dns_name: name.to_owned(), addresses };
    DnsSnapshot { network_id: id(2), dns_domain: domain.to_owned(), ports: vec![port] }
}

/// True for a list of addresses as OVN reads it: `unknown`, or a MAC address and what it may use.
pub fn is_addresses(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let is_ip = |word: &&str| Ip::read(word).is_some() || Cidr::read(word).is_some();
    let is_mac = |word: &&str| word.len() == 17 && Mac::read(word).is_some();
    match words.as_slice() {
        ["unknown"] => true,
        ["VRRPv3", own, other, ip] => is_mac(own) && is_mac(other) && is_ip(ip),
        [mac, ips @ ..] => is_mac(mac) && ips.iter().all(is_ip),
        [] => false,
    }
}
