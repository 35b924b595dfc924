//! The options about what is written to OVN: what guests are told by DHCP, multicast, learning,
//! migration. Named as Neutron names them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;
use ovn::facts::{Options, resolvers};

/// Where this host's name servers are listed.
const RESOLVERS: &str = "/etc/resolv.conf";

/// What is written to OVN.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "OVN's rows")]
pub struct OvnRowOptions {
    /// Name servers for subnets that have none; without one of a version, those of this host
    #[arg(long, env = "NUCLEON_DNS_SERVERS", value_delimiter = ',', value_name = "IP")]
    pub dns_servers: Vec<IpAddr>,

    /// Seconds for which guests may keep an address without asking again
    #[arg(
        long,
        env = "NUCLEON_DHCP_DEFAULT_LEASE_TIME",
        default_value_t = 12 * 3600,
        value_name = "SECONDS"
    )]
    pub dhcp_default_lease_time: u32,

    /// Options of DHCPv4 for all subnets, by OVN's names: several values are separated by `;`, an
    /// empty one takes an option away
    #[arg(
        long,
        env = "NUCLEON_OVN_DHCP4_GLOBAL_OPTIONS",
        value_delimiter = ',',
        value_parser = pair,
        value_name = "OPTION:VALUE"
    )]
    pub ovn_dhcp4_global_options: Vec<(String, String)>,

    /// Options of DHCPv6 for all subnets, as for version 4
    #[arg(
        long,
        env = "NUCLEON_OVN_DHCP6_GLOBAL_OPTIONS",
        value_delimiter = ',',
        value_parser = pair,
        value_name = "OPTION:VALUE"
    )]
    pub ovn_dhcp6_global_options: Vec<(String, String)>,

    /// Leave DHCP of baremetal ports to somebody else
    #[arg(long, env = "NUCLEON_DISABLE_OVN_DHCP_FOR_BAREMETAL_PORTS")]
    pub disable_ovn_dhcp_for_baremetal_ports: bool,

    /// Let nobody but OVN answer for the names of ports
    #[arg(long, env = "NUCLEON_DNS_RECORDS_OVN_OWNED")]
    pub dns_records_ovn_owned: bool,

    /// Send multicast only to who has joined
    #[arg(long, env = "NUCLEON_IGMP_SNOOPING_ENABLE")]
    pub igmp_snooping_enable: bool,

    /// Send all multicast to the physical network
    #[arg(long, env = "NUCLEON_IGMP_FLOOD")]
    pub igmp_flood: bool,

    /// Send multicast that nobody has joined to every port
    #[arg(long, env = "NUCLEON_IGMP_FLOOD_UNREGISTERED")]
    pub igmp_flood_unregistered: bool,

    /// Learn which addresses are on the physical network
    #[arg(long, env = "NUCLEON_LOCALNET_LEARN_FDB")]
    pub localnet_learn_fdb: bool,

    /// Seconds after which a learnt address is forgotten; 0: never
    #[arg(long, env = "NUCLEON_FDB_AGE_THRESHOLD", default_value_t = 300, value_name = "SECONDS")]
    pub fdb_age_threshold: u32,

    /// What the new host of a moving port waits for: rarp, or nothing at all
    #[arg(
        long,
        env = "NUCLEON_LIVE_MIGRATION_ACTIVATION_STRATEGY",
        default_value = "rarp",
        value_name = "STRATEGY",
        value_parser = ["rarp", ""]
    )]
    pub live_migration_activation_strategy: String,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once(':').ok_or("use OPTION:VALUE, such as ntp_server:10.0.0.1")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("'{name}' is no option of OVN: they are written like ntp_server"));
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

impl OvnRowOptions {
    /// As rendering needs them.
    pub fn options(&self) -> Options {
        let host = std::fs::read_to_string(RESOLVERS).unwrap_or_default();
        Options {
            dns_servers: name_servers(&self.dns_servers, &resolvers(&host)),
            dhcp_default_lease_time: self.dhcp_default_lease_time,
            dhcp4_global_options: map(&self.ovn_dhcp4_global_options),
            dhcp6_global_options: map(&self.ovn_dhcp6_global_options),
            disable_dhcp_for_baremetal: self.disable_ovn_dhcp_for_baremetal_ports,
            dns_records_ovn_owned: self.dns_records_ovn_owned,
            igmp_snooping_enable: self.igmp_snooping_enable,
            igmp_flood: self.igmp_flood,
            igmp_flood_unregistered: self.igmp_flood_unregistered,
            localnet_learn_fdb: self.localnet_learn_fdb,
            fdb_age_threshold: self.fdb_age_threshold,
            live_migration_activation_strategy: self.live_migration_activation_strategy.clone(),
            ..Options::default()
        }
    }
}

fn map(pairs: &[(String, String)]) -> BTreeMap<String, String> {
    pairs.iter().cloned().collect()
}

/// What was chosen, and of a version of which nothing was chosen what the host has.
fn name_servers(chosen: &[IpAddr], host: &[IpAddr]) -> Vec<IpAddr> {
    let lacks = |one: &&IpAddr| !chosen.iter().any(|other| other.is_ipv4() == one.is_ipv4());
    chosen.iter().chain(host.iter().filter(lacks)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_name_servers_stand_in_where_none_of_their_version_is_chosen() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let host = resolvers("# of the host\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nx\n");
        assert_eq!(host, [ip("192.0.2.1"), ip("fe80::1")]);
        assert_eq!(name_servers(&[], &host), host);
        assert_eq!(name_servers(&[ip("192.0.2.9")], &host), [ip("192.0.2.9"), ip("fe80::1")]);
    }

    #[test]
    fn an_option_for_all_subnets_is_a_name_and_a_value() {
        assert_eq!(pair("ntp_server:10.0.0.1;10.0.0.2").unwrap().1, "10.0.0.1;10.0.0.2");
        assert_eq!(pair("router:").unwrap(), ("router".to_owned(), String::new()));
        assert!(pair("ntp_server").is_err());
        assert!(pair("a = 1, b:2").is_err());
    }
}
