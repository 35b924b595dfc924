//! What the operator chooses about networking. Parsed by the program, read everywhere here.

use std::collections::BTreeMap;

/// A range of VLAN ids on a physical network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VlanRange {
    /// The physical network.
    pub physical_network: String,
    /// The ids, both included; without one, the network takes VLANs that an administrator names.
    pub ids: Option<(i64, i64)>,
}

/// The operator's choices; [`Settings::default`] has Neutron's defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The types that networks of projects get, first one first.
    pub network_types: Vec<String>,
    /// The types that may be asked for.
    pub type_drivers: Vec<String>,
    /// Physical networks that can be flat; `*`: any.
    pub flat_networks: Vec<String>,
    /// VLAN ranges.
    pub vlan_ranges: Vec<VlanRange>,
    /// Geneve and VXLAN identifiers, and GRE keys, both included.
    pub vni_ranges: Vec<(i64, i64)>,
    /// The MTU of the physical network.
    pub global_physnet_mtu: i64,
    /// The MTU that tunnels may use; 0: the physical one.
    pub path_mtu: i64,
    /// Physical networks with an MTU of their own.
    pub physical_network_mtus: BTreeMap<String, i64>,
    /// The bytes that Geneve adds at most (without the IP header).
    pub geneve_max_header_size: i64,
    /// Networks may be asked to be VLAN transparent.
    pub vlan_transparent: bool,
    /// The domain of ports' names, with or without a dot at its end.
    pub dns_domain: String,
    /// Availability zones for networks that name none.
    pub default_availability_zones: Vec<String>,
    /// Limits of projects without their own; -1: none.
    pub quotas: BTreeMap<String, i64>,
    /// Allowed address pairs of one port at most.
    pub max_allowed_address_pair: usize,
    /// Name servers of one subnet at most.
    pub max_dns_nameservers: usize,
    /// Host routes of one subnet at most.
    pub max_subnet_host_routes: usize,
    /// The first three or four octets of generated MAC addresses; zero octets are random.
    pub base_mac: [u8; 6],
    /// Objects in one bulk create at most.
    pub bulk_limit: usize,
    /// Rows in one page at most; 0: as many as there are.
    pub page_limit: u64,
    /// There is a Nova that is told what happens to the ports of its servers.
    pub notify_nova: bool,
    /// Each network has a port for the metadata service.
    pub metadata_ports: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let quotas = [
            ("network", 100),
            ("subnet", 100),
            ("port", 500),
            ("subnetpool", -1),
            ("security_group", 10),
            ("security_group_rule", 100),
            ("rbac_policy", 10),
            ("router", 10),
            ("router_route", 30),
            ("floatingip", 50),
            ("trunk", -1),
        ];
        Self {
            network_types: vec!["geneve".into()],
            type_drivers: ["local", "flat", "vlan", "geneve", "vxlan", "gre"]
                .map(str::to_owned)
                .into(),
            flat_networks: vec!["*".into()],
            vlan_ranges: Vec::new(),
            vni_ranges: vec![(1, 65536)],
            global_physnet_mtu: 1500,
            path_mtu: 0,
            physical_network_mtus: BTreeMap::new(),
            geneve_max_header_size: 38,
            vlan_transparent: false,
            dns_domain: "openstacklocal".into(),
            default_availability_zones: Vec::new(),
            quotas: quotas.iter().map(|(name, limit)| ((*name).to_owned(), *limit)).collect(),
            max_allowed_address_pair: 10,
            max_dns_nameservers: 5,
            max_subnet_host_routes: 20,
            base_mac: [0xfa, 0x16, 0x3e, 0, 0, 0],
            bulk_limit: 1000,
            page_limit: 0,
            notify_nova: false,
            metadata_ports: false,
        }
    }
}

impl Settings {
    /// The limit of a resource for a project without its own; -1: none.
    pub fn quota(&self, resource: &str) -> i64 {
        self.quotas.get(resource).copied().unwrap_or(-1)
    }
}
