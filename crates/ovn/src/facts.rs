//! What rendering knows besides the stored state: the operator's choices, and the chassis that
//! Southbound shows. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::settings::Settings;

/// What rendering knows.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The choices about networking.
    pub settings: Arc<Settings>,
    /// The choices about OVN.
    pub options: Arc<Options>,
    /// The chassis, in any order.
    pub chassis: Vec<Chassis>,
}

impl Facts {
    /// The zones that count for something with these hints.
    pub fn zones<'a>(&'a self, hints: &'a [String]) -> &'a [String] {
        if hints.is_empty() { &self.settings.default_availability_zones } else { hints }
    }
}

/// The operator's choices about OVN; [`Options::default`] has Neutron's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `dns_servers`, for subnets without any.
    pub dns_servers: Vec<IpAddr>,
    /// `dhcp_default_lease_time`, in seconds.
    pub dhcp_default_lease_time: u32,
    /// `ovn_dhcp4_global_options`; several values are separated by `;`, an empty one removes.
    pub dhcp4_global_options: BTreeMap<String, String>,
    /// `ovn_dhcp6_global_options`, as for version 4.
    pub dhcp6_global_options: BTreeMap<String, String>,
    /// `disable_ovn_dhcp_for_baremetal_ports`
    pub disable_dhcp_for_baremetal: bool,
    /// `dns_records_ovn_owned`
    pub dns_records_ovn_owned: bool,
    /// `igmp_snooping_enable`
    pub igmp_snooping_enable: bool,
    /// `igmp_flood`
    pub igmp_flood: bool,
    /// `igmp_flood_reports`
    pub igmp_flood_reports: bool,
    /// `igmp_flood_unregistered`
    pub igmp_flood_unregistered: bool,
    /// `localnet_learn_fdb`
    pub localnet_learn_fdb: bool,
    /// `fdb_age_threshold`, in seconds.
    pub fdb_age_threshold: u32,
    /// `broadcast_arps_to_all_routers`
    pub broadcast_arps_to_all_routers: bool,
    /// `live_migration_activation_strategy`; empty: none.
    pub live_migration_activation_strategy: String,
    /// `ignore_lsp_down`
    pub ignore_lsp_down: bool,
    /// `fdb_removal_limit`
    pub fdb_removal_limit: u32,
    /// `mac_binding_removal_limit`
    pub mac_binding_removal_limit: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dns_servers: Vec::new(),
            dhcp_default_lease_time: 12 * 60 * 60,
            dhcp4_global_options: BTreeMap::new(),
            dhcp6_global_options: BTreeMap::new(),
            disable_dhcp_for_baremetal: false,
            dns_records_ovn_owned: false,
            igmp_snooping_enable: false,
            igmp_flood: false,
            igmp_flood_reports: true,
            igmp_flood_unregistered: false,
            localnet_learn_fdb: false,
            fdb_age_threshold: 300,
            broadcast_arps_to_all_routers: true,
            live_migration_activation_strategy: "rarp".into(),
            ignore_lsp_down: false,
            fdb_removal_limit: 0,
            mac_binding_removal_limit: 0,
        }
    }
}

/// The name servers that a host asks, by its `resolv.conf`.
#[must_use]
pub fn resolvers(file: &str) -> Vec<IpAddr> {
    let named = file.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let address = |rest: &str| rest.trim().split('%').next()?.parse().ok();
    named.filter_map(address).collect()
}

/// A chassis as Southbound shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chassis {
    /// Its name.
    pub name: String,
    /// Its host.
    pub hostname: String,
    /// The physical networks that it has bridges for.
    pub physical_networks: BTreeSet<String>,
    /// `ovn-cms-options`: `enable-chassis-as-gw`
    pub is_gateway: bool,
    /// `ovn-cms-options`: `enable-chassis-as-extport-host`
    pub hosts_external_ports: bool,
    /// `ovn-cms-options`: `availability-zones=a:b`
    pub availability_zones: BTreeSet<String>,
    /// `ovn-cms-options`: `card-serial-number=…`
    pub card_serial_number: Option<String>,
}
