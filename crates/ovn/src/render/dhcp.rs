//! DHCP: what the ports of a subnet are told, and what one port is told instead.

use std::collections::BTreeMap;

use model::snapshot::{PortSnapshot, SubnetSnapshot};
use wire::types::Id;
use wire::types::dhcp_opt::DhcpOption;
use wire::types::ip::Ip;
use wire::types::mac::{Base, Mac};
use wire::types::words::{IpVersion, Ipv6Mode, VnicType};

use super::encode::{Kind, dhcp_value, text};
use crate::facts::Facts;

/// Options by OVN's names.
pub type Map = BTreeMap<String, String>;

/// Where the metadata service is reached.
const METADATA: &str = "169.254.169.254/32";
/// What the operator's options cannot change.
const PROHIBITED4: [&str; 7] = [
    "server_id",
    "lease_time",
    "mtu",
    "router",
    "server_mac",
    "dns_server",
    "classless_static_route",
];
const PROHIBITED6: [&str; 3] = ["dhcpv6_stateless", "dns_server", "server_id"];

/// True for a subnet whose ports are told something by DHCP.
pub fn is_served(enable_dhcp: bool, address_mode: Option<Ipv6Mode>) -> bool {
    enable_dhcp && address_mode != Some(Ipv6Mode::Slaac)
}

/// The option that holds the server's MAC address, which stays what it was: clients know it.
pub fn kept(version: IpVersion) -> &'static [&'static str] {
    match version {
        IpVersion::V4 => &["server_mac"],
        IpVersion::V6 => &["server_id"],
    }
}

/// What the ports of a subnet are told.
pub fn of_subnet(subnet: &SubnetSnapshot, facts: &Facts) -> Map {
    match subnet.ip_version {
        IpVersion::V4 => version4(subnet, facts),
        IpVersion::V6 => version6(subnet, facts),
    }
}

/// A MAC address for the server that every process comes to by itself.
fn server_mac(subnet: &SubnetSnapshot, facts: &Facts) -> String {
    let [.., a, b, c, d] = subnet.id.0.into_bytes();
    let base = Base::read(&Mac(facts.settings.base_mac).to_string()).unwrap_or_default();
    Mac::random(&base, u32::from_be_bytes([a, b, c, d])).to_string()
}

fn version4(subnet: &SubnetSnapshot, facts: &Facts) -> Map {
    // Without an address for the server there is nothing to say.
    let Some(server) = subnet.gateway_ip.or(subnet.metadata_ip) else { return Map::new() };
    let mut options: Map = [
        ("server_id", server.to_string()),
        ("server_mac", server_mac(subnet, facts)),
        ("lease_time", facts.options.dhcp_default_lease_time.to_string()),
        ("mtu", subnet.mtu.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut put = |name: &str, value: Option<String>| {
        value.map(|value| options.insert(name.to_owned(), value))
    };
    let domain = facts.settings.dns_domain.as_str();
    // PARITY: the domain that nobody has chosen is not told.
    put("domain_name", text(domain).filter(|_| !matches!(domain, "" | "openstacklocal")));
    put("router", subnet.gateway_ip.map(|gateway| gateway.to_string()));
    put("dns_server", dns_servers(subnet, facts));
    put("classless_static_route", routes(subnet));
    global(&mut options, &facts.options.dhcp4_global_options, &PROHIBITED4);
    options
}

fn version6(subnet: &SubnetSnapshot, facts: &Facts) -> Map {
    let mut options = Map::from([("server_id".to_owned(), server_mac(subnet, facts))]);
    if let Some(servers) = dns_servers(subnet, facts) {
        options.insert("dns_server".to_owned(), servers);
    }
    if subnet.ipv6_address_mode == Some(Ipv6Mode::Stateless) {
        options.insert("dhcpv6_stateless".to_owned(), "true".to_owned());
    }
    global(&mut options, &facts.options.dhcp6_global_options, &PROHIBITED6);
    options
}

/// The subnet's name servers, else the operator's of its version. The unspecified address among
/// them says that there are none.
fn dns_servers(subnet: &SubnetSnapshot, facts: &Facts) -> Option<String> {
    let version = subnet.ip_version.number();
    let configured = facts.options.dns_servers.iter().map(|address| Ip(*address));
    let servers: Vec<Ip> = match subnet.dns_nameservers.as_slice() {
        [] => configured.filter(|address| address.version() == version).collect(),
        own => own.to_vec(),
    };
    if servers.is_empty() || servers.iter().any(|address| address.0.is_unspecified()) {
        return None;
    }
    let servers: Vec<String> = servers.iter().map(Ip::to_string).collect();
    Some(format!("{{{}}}", servers.join(", ")))
}

/// The way to the metadata service, the subnet's routes, and with them the way everywhere else:
/// clients that know this option look at no other router (RFC 3442).
fn routes(subnet: &SubnetSnapshot) -> Option<String> {
    let metadata = subnet.metadata_ip.map(|ip| format!("{METADATA},{ip}"));
    let own = subnet.host_routes.iter().map(|one| format!("{},{}", one.destination, one.nexthop));
    let mut routes: Vec<String> = metadata.into_iter().chain(own).collect();
    if routes.is_empty() {
        return None;
    }
    routes.extend(subnet.gateway_ip.map(|gateway| format!("0.0.0.0/0,{gateway}")));
    Some(format!("{{{}}}", routes.join(", ")))
}

/// The operator's options, in OVN's own words.
fn global(options: &mut Map, chosen: &BTreeMap<String, String>, prohibited: &[&str]) {
    for (name, value) in chosen.iter().filter(|(name, _)| !prohibited.contains(&name.as_str())) {
        let values: Vec<&str> = value.split(';').collect();
        match values.as_slice() {
            [""] => drop(options.remove(name)),
            [one] => drop(options.insert(name.clone(), (*one).to_owned())),
            several => {
                options.insert(name.clone(), format!("{{{}}}", several.join(", ")));
            }
        }
    }
}

/// What one port is told about DHCP of a version.
pub enum Told<'a> {
    /// Nothing.
    Nothing,
    /// What its subnet's ports are told.
    AsSubnet(Id),
    /// That, changed; `kept` as for [`kept`].
    Own {
        /// The subnet.
        subnet: &'a SubnetSnapshot,
        /// All options.
        options: Map,
        /// Options that stay what they are in the row.
        kept: &'static [&'static str],
    },
}

/// What a port is told.
pub fn of_port<'a>(port: &'a PortSnapshot, version: IpVersion, facts: &Facts) -> Told<'a> {
    let baremetal = port.vnic_type == VnicType::Baremetal;
    let is_device = ["network:", "neutron:"].iter().any(|of| port.device_owner.starts_with(of));
    let asked: Vec<&DhcpOption> =
        port.extra_dhcp_opts.iter().filter(|option| option.ip_version == version).collect();
    if is_device
        || (baremetal && facts.options.disable_dhcp_for_baremetal)
        || asked.iter().any(|option| disables(option))
    {
        return Told::Nothing;
    }
    let Some(subnet_id) = subnet_of(port, version) else { return Told::Nothing };
    let changes: Vec<(&str, Option<String>)> =
        asked.iter().filter_map(|option| change(option, baremetal)).collect();
    match port.subnets.get(&subnet_id) {
        Some(subnet) if !changes.is_empty() => {
            let kept = kept(version);
            let chosen = changes.iter().any(|(name, _)| kept.contains(name));
            let options = changed(of_subnet(subnet, facts), changes);
            Told::Own { subnet, options, kept: if chosen { &[] } else { kept } }
        }
        _ => Told::AsSubnet(subnet_id),
    }
}

fn disables(option: &DhcpOption) -> bool {
    let is_true = |value: &String| value.eq_ignore_ascii_case("true");
    option.opt_name == "dhcp_disabled" && option.opt_value.as_ref().is_some_and(is_true)
}

/// The subnet that serves a port: the first of its addresses that has DHCP, in version 6 preferably
/// one that gives addresses.
fn subnet_of(port: &PortSnapshot, version: IpVersion) -> Option<Id> {
    let served = || {
        port.fixed_ips
            .iter()
            .filter(|one| one.ip_address.version() == version.number())
            .filter(|one| is_served(one.enable_dhcp, one.ipv6_address_mode))
    };
    let gives = |mode: Option<Ipv6Mode>| mode != Some(Ipv6Mode::Stateless);
    let best = served().find(|one| gives(one.ipv6_address_mode)).or_else(|| served().next())?;
    Some(best.subnet_id)
}

/// What an option of a port changes: OVN's name for it, and its value, `None` to take it away. An
/// option that OVN does not have, and a value that is none of the option's type, change nothing.
fn change(option: &DhcpOption, baremetal: bool) -> Option<(&'static str, Option<String>)> {
    let name = option.opt_name.as_str();
    let (known, kind) = match option.ip_version {
        IpVersion::V4 => known4(name, baremetal)?,
        IpVersion::V6 => known6(name, baremetal)?,
    };
    let given = option.opt_value.as_deref()?;
    if given.is_empty() {
        return Some((known, (kind == Kind::Routes).then(|| "{}".to_owned())));
    }
    Some((known, Some(dhcp_value(kind, given)?)))
}

fn changed(mut options: Map, changes: Vec<(&str, Option<String>)>) -> Map {
    for (name, value) in changes {
        let Some(value) = value else {
            options.remove(name);
            continue;
        };
        let merged = match options.get(name).filter(|_| name == "classless_static_route") {
            Some(routes) => merge(routes, &value),
            None => value,
        };
        options.insert(name.to_owned(), merged);
    }
    options
}

/// The routes of both, the subnet's first.
fn merge(one: &str, other: &str) -> String {
    let inside = |routes: &str| routes.trim_matches(['{', '}']).to_owned();
    let both: Vec<String> =
        [inside(one), inside(other)].into_iter().filter(|routes| !routes.is_empty()).collect();
    format!("{{{}}}", both.join(", "))
}

const FLAG: Kind = Kind::Number(1);
const BYTE: Kind = Kind::Number(u8::MAX as u32);
const SECONDS: Kind = Kind::Number(u32::MAX);

/// OVN's options of DHCPv4, by the names and numbers that callers use.
fn known4(name: &str, baremetal: bool) -> Option<(&'static str, Kind)> {
    Some(match name {
        "netmask" | "1" => ("netmask", Kind::Ipv4),
        "router" | "3" => ("router", Kind::Ipv4),
        "dns-server" | "6" => ("dns_server", Kind::Ipv4),
        "log-server" | "7" => ("log_server", Kind::Ipv4),
        "lpr-server" | "9" => ("lpr_server", Kind::Ipv4),
        "domain-name" | "15" => ("domain_name", Kind::Text),
        "swap-server" | "16" => ("swap_server", Kind::Ipv4),
        "ip-forward-enable" | "19" => ("ip_forward_enable", FLAG),
        "policy-filter" | "21" => ("policy_filter", Kind::Ipv4),
        "default-ttl" | "23" => ("default_ttl", BYTE),
        "mtu" | "26" => ("mtu", Kind::Number(u16::MAX as u32)),
        "router-discovery" | "31" => ("router_discovery", FLAG),
        "router-solicitation" | "32" => ("router_solicitation", Kind::Ipv4),
        "arp-timeout" | "35" => ("arp_cache_timeout", SECONDS),
        "ethernet-encap" | "36" => ("ethernet_encap", FLAG),
        "tcp-ttl" | "37" => ("tcp_ttl", BYTE),
        "tcp-keepalive" | "38" => ("tcp_keepalive_interval", SECONDS),
        "nis-server" | "41" => ("nis_server", Kind::Ipv4),
        "ntp-server" | "42" => ("ntp_server", Kind::Ipv4),
        "lease-time" | "51" => ("lease_time", SECONDS),
        "server-id" | "54" => ("server_id", Kind::Ipv4),
        "T1" | "58" => ("T1", SECONDS),
        "T2" | "59" => ("T2", SECONDS),
        "tftp-server" | "66" => ("tftp_server", Kind::Text),
        "bootfile-name" | "67" => ("bootfile_name", Kind::Text),
        "bootfile-name-alt" => ("bootfile_name_alt", Kind::Text),
        "domain-search" | "119" => ("domain_search_list", Kind::Text),
        "classless-static-route" | "121" => ("classless_static_route", Kind::Routes),
        "tftp-server-address" | "150" => ("tftp_server_address", Kind::Ipv4),
        "path-prefix" | "210" => ("path_prefix", Kind::Text),
        "ms-classless-static-route" | "249" => ("ms_classless_static_route", Kind::Routes),
        "wpad" | "252" => ("wpad", Kind::Text),
        "server-ip-address" | "255" => ("next_server", Kind::Ipv4),
        "tag:ipxe,bootfile-name" | "tag:ipxe,67" if baremetal => ("bootfile_name", Kind::Text),
        "tag:!ipxe,bootfile-name" | "tag:!ipxe,67" if baremetal => {
            ("bootfile_name_alt", Kind::Text)
        }
        _ => return None,
    })
}

/// OVN's options of DHCPv6.
fn known6(name: &str, baremetal: bool) -> Option<(&'static str, Kind)> {
    Some(match name {
        "server-id" | "2" => ("server_id", Kind::Mac),
        "ia-addr" | "5" => ("ia_addr", Kind::Ipv6),
        "dns-server" | "23" => ("dns_server", Kind::Ipv6),
        "domain-search" | "24" => ("domain_search", Kind::Text),
        "bootfile-name" | "59" => ("bootfile_name", Kind::Text),
        "tag:ipxe6,bootfile-name" | "tag:ipxe6,59" if baremetal => ("bootfile_name", Kind::Text),
        "tag:!ipxe6,bootfile-name" | "tag:!ipxe6,59" if baremetal => {
            ("bootfile_name_alt", Kind::Text)
        }
        _ => return None,
    })
}
