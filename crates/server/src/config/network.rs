//! The options about networking: what projects get, how much of it, and from which ranges.

use std::collections::BTreeMap;

use clap::Args;
use model::settings::{Settings, VlanRange};

/// What projects get.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Networking")]
pub struct NetworkOptions {
    /// Types of the networks that projects make, the first that has room is taken
    #[arg(
        long,
        env = "NUCLEON_NETWORK_TYPES",
        default_value = "geneve",
        value_delimiter = ',',
        value_parser = network_type,
        value_name = "TYPE"
    )]
    pub network_types: Vec<String>,

    /// Types that an administrator may ask for with provider:network_type
    #[arg(
        long,
        env = "NUCLEON_TYPE_DRIVERS",
        default_value = "local,flat,vlan,geneve,vxlan,gre",
        value_delimiter = ',',
        value_parser = network_type,
        value_name = "TYPE"
    )]
    pub type_drivers: Vec<String>,

    /// Physical networks that can carry a flat network; * permits any
    #[arg(
        long,
        env = "NUCLEON_FLAT_NETWORKS",
        default_value = "*",
        value_delimiter = ',',
        value_name = "PHYSICAL_NETWORK"
    )]
    pub flat_networks: Vec<String>,

    /// VLANs that projects get, such as public:100:2000; a physical network alone can be asked for
    /// by an administrator
    #[arg(
        long,
        env = "NUCLEON_VLAN_RANGES",
        value_delimiter = ',',
        value_parser = vlan_range,
        value_name = "PHYSICAL_NETWORK[:FIRST:LAST]"
    )]
    pub vlan_ranges: Vec<VlanRange>,

    /// Tunnel identifiers that projects get (Geneve, VXLAN, GRE)
    #[arg(
        long,
        env = "NUCLEON_VNI_RANGES",
        default_value = "1:65536",
        value_delimiter = ',',
        value_parser = vni_range,
        value_name = "FIRST:LAST"
    )]
    pub vni_ranges: Vec<(i64, i64)>,

    /// MTU of the physical networks
    #[arg(
        long,
        env = "NUCLEON_GLOBAL_PHYSNET_MTU",
        default_value_t = 1500,
        value_name = "BYTES",
        value_parser = clap::value_parser!(i64).range(0..=65_535),
    )]
    pub global_physnet_mtu: i64,

    /// Physical networks with another MTU
    #[arg(
        long,
        env = "NUCLEON_PHYSICAL_NETWORK_MTUS",
        value_delimiter = ',',
        value_parser = pair,
        value_name = "PHYSICAL_NETWORK:BYTES"
    )]
    pub physical_network_mtus: Vec<(String, i64)>,

    /// MTU of the network that tunnels cross; 0: that of the physical networks
    #[arg(
        long,
        env = "NUCLEON_PATH_MTU",
        default_value_t = 0,
        value_name = "BYTES",
        value_parser = clap::value_parser!(i64).range(0..=65_535),
    )]
    pub path_mtu: i64,

    /// Bytes that Geneve adds to a packet, without the outer IP header
    #[arg(
        long,
        env = "NUCLEON_GENEVE_MAX_HEADER_SIZE",
        default_value_t = 38,
        value_name = "BYTES",
        value_parser = clap::value_parser!(i64).range(30..=1000),
    )]
    pub geneve_max_header_size: i64,

    /// Let networks be VLAN transparent
    #[arg(long, env = "NUCLEON_VLAN_TRANSPARENT")]
    pub vlan_transparent: bool,

    /// Domain of the names of ports
    #[arg(
        long,
        env = "NUCLEON_DNS_DOMAIN",
        default_value = "openstacklocal",
        value_name = "DOMAIN"
    )]
    pub dns_domain: String,

    /// Availability zones of networks that name none
    #[arg(
        long,
        env = "NUCLEON_DEFAULT_AVAILABILITY_ZONES",
        value_delimiter = ',',
        value_name = "ZONE"
    )]
    pub default_availability_zones: Vec<String>,

    /// How many of a resource a project may have that has no quota of its own; -1 is any number.
    /// Can be given repeatedly
    #[arg(
        long,
        env = "NUCLEON_QUOTA",
        value_delimiter = ',',
        value_parser = quota,
        value_name = "RESOURCE=NUMBER"
    )]
    pub quota: Vec<(String, i64)>,

    /// Allowed address pairs that a port may have
    #[arg(
        long,
        env = "NUCLEON_MAX_ALLOWED_ADDRESS_PAIR",
        default_value_t = 10,
        value_name = "NUMBER"
    )]
    pub max_allowed_address_pair: usize,

    /// Name servers that a subnet may have
    #[arg(long, env = "NUCLEON_MAX_DNS_NAMESERVERS", default_value_t = 5, value_name = "NUMBER")]
    pub max_dns_nameservers: usize,

    /// Host routes that a subnet may have
    #[arg(
        long,
        env = "NUCLEON_MAX_SUBNET_HOST_ROUTES",
        default_value_t = 20,
        value_name = "NUMBER"
    )]
    pub max_subnet_host_routes: usize,

    /// First octets of the MAC addresses of ports; those that are 00 from the fourth on are chosen
    #[arg(
        long,
        env = "NUCLEON_BASE_MAC",
        default_value = "fa:16:3e:00:00:00",
        value_parser = base_mac,
        value_name = "MAC"
    )]
    pub base_mac: [u8; 6],

    /// Objects that one request may create
    #[arg(long, env = "NUCLEON_BULK_LIMIT", default_value_t = 1000, value_name = "NUMBER")]
    pub bulk_limit: usize,

    /// Rows in one page of a list; 0: as many as the caller asks for
    #[arg(long, env = "NUCLEON_PAGE_LIMIT", default_value_t = 0, value_name = "NUMBER")]
    pub page_limit: u64,
}

impl NetworkOptions {
    /// For the model.
    pub fn settings(&self) -> Settings {
        let defaults = Settings::default();
        let mut quotas = defaults.quotas;
        quotas.extend(self.quota.iter().cloned());
        Settings {
            network_types: self.network_types.clone(),
            type_drivers: self.type_drivers.clone(),
            flat_networks: self.flat_networks.clone(),
            vlan_ranges: self.vlan_ranges.clone(),
            vni_ranges: self.vni_ranges.clone(),
            global_physnet_mtu: self.global_physnet_mtu,
            path_mtu: self.path_mtu,
            physical_network_mtus: self
                .physical_network_mtus
                .iter()
                .cloned()
                .collect::<BTreeMap<_, _>>(),
            geneve_max_header_size: self.geneve_max_header_size,
            vlan_transparent: self.vlan_transparent,
            metadata_ports: defaults.metadata_ports,
            dns_domain: self.dns_domain.clone(),
            default_availability_zones: self.default_availability_zones.clone(),
            quotas,
            max_allowed_address_pair: self.max_allowed_address_pair,
            max_dns_nameservers: self.max_dns_nameservers,
            max_subnet_host_routes: self.max_subnet_host_routes,
            base_mac: self.base_mac,
            bulk_limit: self.bulk_limit,
            page_limit: self.page_limit,
            // Whether there is a Nova is not said here.
            notify_nova: false,
        }
    }
}

const TYPES: [&str; 6] = ["local", "flat", "vlan", "geneve", "vxlan", "gre"];

fn network_type(text: &str) -> Result<String, String> {
    if TYPES.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("there are the types {}", TYPES.join(", ")))
    }
}

fn vlan_range(text: &str) -> Result<VlanRange, String> {
    let accepted = || {
        "use PHYSICAL_NETWORK or PHYSICAL_NETWORK:FIRST:LAST with VLANs from 1 to 4094, FIRST not \
         above LAST"
    };
    let mut parts = text.split(':');
    let physical_network = parts.next().unwrap_or_default().to_owned();
    if physical_network.is_empty() {
        return Err(accepted().to_owned());
    }
    let ids = match (parts.next(), parts.next(), parts.next()) {
        (None, _, _) => None,
        (Some(first), Some(last), None) => Some(range(first, last, 1..=4094).ok_or_else(accepted)?),
        _ => return Err(accepted().to_owned()),
    };
    Ok(VlanRange { physical_network, ids })
}

fn vni_range(text: &str) -> Result<(i64, i64), String> {
    text.split_once(':').and_then(|(first, last)| range(first, last, 1..=16_777_215)).ok_or_else(
        || "use FIRST:LAST with identifiers from 1 to 16777215, FIRST not above LAST".to_owned(),
    )
}

fn range(first: &str, last: &str, within: std::ops::RangeInclusive<i64>) -> Option<(i64, i64)> {
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (within.contains(&first) && within.contains(&last) && first <= last).then_some((first, last))
}

fn pair(text: &str) -> Result<(String, i64), String> {
    text.rsplit_once(':')
        .filter(|(name, _)| !name.is_empty())
        .and_then(|(name, number)| Some((name.to_owned(), number.parse().ok()?)))
        .filter(|(_, bytes)| (0..=65_535).contains(bytes))
        .ok_or_else(|| "use PHYSICAL_NETWORK:BYTES with 0 to 65535 bytes".to_owned())
}

fn quota(text: &str) -> Result<(String, i64), String> {
    let known = Settings::default().quotas;
    let names = || known.keys().cloned().collect::<Vec<_>>().join(", ");
    let (name, number) = text
        .split_once('=')
        .and_then(|(name, number)| Some((name.trim(), number.trim().parse::<i64>().ok()?)))
        .filter(|(_, number)| (-1..=i64::from(i32::MAX)).contains(number))
        .ok_or("use RESOURCE=NUMBER, with -1 for any number")?;
    if known.contains_key(name) {
        Ok((name.to_owned(), number))
    } else {
        Err(format!("there are quotas for {}", names()))
    }
}

fn base_mac(text: &str) -> Result<[u8; 6], String> {
    let accepted = || "use six octets such as fa:16:3e:00:00:00, the first of them even";
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut octets {
        let part = parts.next().filter(|part| part.len() == 2).ok_or_else(accepted)?;
        *octet = u8::from_str_radix(part, 16).map_err(|_| accepted())?;
    }
    let is_multicast = octets.first().is_some_and(|first| first % 2 == 1);
    if parts.next().is_some() || is_multicast {
        return Err(accepted().to_owned());
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_vlans_are_read() {
        let range = |name: &str, ids| VlanRange { physical_network: name.into(), ids };
        assert_eq!(vlan_range("public:100:2000"), Ok(range("public", Some((100, 2000)))));
        assert_eq!(vlan_range("public"), Ok(range("public", None)));
        for bad in ["", ":1:2", "p:1", "p:0:5", "p:5:4", "p:1:4095", "p:1:2:3", "p:a:b"] {
            assert!(vlan_range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_of_tunnels_are_read() {
        assert_eq!(vni_range("1:65536"), Ok((1, 65536)));
        for bad in ["", "1", "0:5", "5:4", "1:16777216", "1:2:3"] {
            assert!(vni_range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_quota_is_for_something_that_exists() {
        assert_eq!(quota("port=500"), Ok(("port".into(), 500)));
        assert_eq!(quota("port=-1"), Ok(("port".into(), -1)));
        for bad in ["port", "port=", "port=-2", "port=x", "pord=5"] {
            assert!(quota(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn generated_macs_are_of_single_stations() {
        assert_eq!(base_mac("fa:16:3E:4f:00:00"), Ok([0xfa, 0x16, 0x3e, 0x4f, 0, 0]));
        for bad in ["", "fa:16:3e", "fb:16:3e:00:00:00", "fa:16:3e:00:00:00:00", "fa:1:3e:0:0:0"] {
            assert!(base_mac(bad).is_err(), "{bad}");
        }
    }
}
