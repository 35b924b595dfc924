//! What a port's rendering reads: itself with its active binding, addresses and groups, the MTU and
//! zones of its network, DHCP and address scopes of its subnets, who else may use its addresses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use sql::Tx;
use wire::fault::Result;
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::types::dhcp_opt::DhcpOption;
use wire::types::ip::Ip;
use wire::types::mac::Mac;
use wire::types::pair::AddressPair;
use wire::types::profile::Dict;
use wire::types::words::{Ipv6Mode, VnicType};
use wire::value::Value;

use super::cells::{Cells, by_ids};
use super::network::sorted;
use super::subnet::{self, SubnetSnapshot};

/// A port.
#[derive(Clone, Debug, PartialEq)]
pub struct PortSnapshot {
    /// Its id.
    pub id: Id,
    /// `project_id`
    pub project_id: String,
    /// `network_id`
    pub network_id: Id,
    /// `name`
    pub name: String,
    /// `mac_address`; `None`: the stored one is damaged.
    pub mac_address: Option<Mac>,
    /// `admin_state_up`
    pub admin_state_up: bool,
    /// `status`
    pub status: String,
    /// `device_id`
    pub device_id: String,
    /// `device_owner`
    pub device_owner: String,
    /// `port_security_enabled`
    pub port_security_enabled: bool,
    /// `allowed_address_pairs`
    pub allowed_address_pairs: Vec<AddressPair>,
    /// `extra_dhcp_opts`
    pub extra_dhcp_opts: Vec<DhcpOption>,
    /// `revision_number`
    pub revision_number: i64,
    /// `binding:host_id`; empty: none.
    pub host: String,
    /// `binding:vnic_type`
    pub vnic_type: VnicType,
    /// `binding:vif_type`
    pub vif_type: String,
    /// `binding:profile`
    pub profile: Dict,
    /// `binding:vif_details`
    pub vif_details: Dict,
    /// The network's `mtu`.
    pub mtu: i64,
    /// The network's `availability_zone_hints`.
    pub availability_zone_hints: Vec<String>,
    /// Its addresses, in their order.
    pub fixed_ips: Vec<FixedAddress>,
    /// `security_groups`
    pub security_groups: Vec<Id>,
    /// The subnets of its addresses, where it has DHCP options of its own.
    pub subnets: BTreeMap<Id, SubnetSnapshot>,
}

/// An address of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAddress {
    /// The address.
    pub ip_address: Ip,
    /// Its subnet.
    pub subnet_id: Id,
    /// The subnet's `cidr`.
    pub cidr: Cidr,
    /// The subnet's `enable_dhcp`.
    pub enable_dhcp: bool,
    /// The subnet's `ipv6_address_mode`.
    pub ipv6_address_mode: Option<Ipv6Mode>,
    /// The address scope of the subnet's pool.
    pub address_scope_id: Option<Id>,
    /// The ports with an address in the subnet that may use this one too.
    pub shared_with: BTreeSet<Id>,
}

impl PortSnapshot {
    /// True for a port whose card is not plugged into the virtual switch.
    pub fn is_external(&self) -> bool {
        is_external(self.vnic_type, &self.profile)
    }

    /// What the profile says that the card can do.
    pub fn capabilities(&self) -> Vec<&str> {
        let listed = self.profile.get("capabilities").and_then(Json::as_array);
        listed.into_iter().flatten().filter_map(Json::as_str).collect()
    }
}

/// True for a card that the virtual switch serves from outside: it is handed to the machine whole,
/// and has no representor here.
pub fn is_external(vnic_type: VnicType, profile: &Dict) -> bool {
    let direct = matches!(
        vnic_type,
        VnicType::Direct | VnicType::DirectPhysical | VnicType::Macvtap | VnicType::Baremetal
    );
    let capabilities = profile.get("capabilities").and_then(Json::as_array);
    let switchdev = |list: &Vec<Json>| list.iter().any(|one| one.as_str() == Some("switchdev"));
    direct && !capabilities.is_some_and(switchdev)
}

pub(super) async fn load(tx: &Tx, ids: &BTreeSet<Id>) -> Result<BTreeMap<Id, PortSnapshot>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT p.id, p.project_id, p.network_id, p.name, p.mac_address, p.admin_state_up, \
               p.status, p.device_id, p.device_owner, p.port_security_enabled, \
               p.allowed_address_pairs, p.extra_dhcp_opts, p.revision_number, b.host, \
               b.vnic_type, b.vif_type, b.profile, b.vif_details, n.mtu, \
               n.availability_zone_hints \
               FROM ports p JOIN networks n ON n.id = p.network_id \
               LEFT JOIN port_bindings b ON b.active_port = p.id WHERE p.id IN ({keys})";
    let rows = by_ids(tx, sql, ids).await?;
    let mut ports: BTreeMap<Id, PortSnapshot> =
        rows.iter().filter_map(|row| read(row)).map(|port| (port.id, port)).collect();
    addresses(tx, ids, &mut ports).await?;
    let sql = "SELECT port_id, security_group_id FROM port_security_groups \
               WHERE port_id IN ({keys}) ORDER BY security_group_id";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        if let Some(port) = cells.id().and_then(|id| ports.get_mut(&id)) {
            port.security_groups.extend(cells.id());
        }
    }
    with_options(tx, &mut ports).await?;
    Ok(ports)
}

fn read(row: &[Value]) -> Option<PortSnapshot> {
    let mut cells = Cells::of(row);
    Some(PortSnapshot {
        id: cells.id()?,
        project_id: cells.text(),
        network_id: cells.id()?,
        name: cells.text(),
        mac_address: cells.read(),
        admin_state_up: cells.flag(),
        status: cells.text(),
        device_id: cells.text(),
        device_owner: cells.text(),
        port_security_enabled: cells.flag(),
        allowed_address_pairs: cells.json(),
        extra_dhcp_opts: cells.json(),
        revision_number: cells.number(),
        host: cells.text(),
        vnic_type: cells.read().unwrap_or(VnicType::Normal),
        vif_type: cells.text(),
        profile: cells.json(),
        vif_details: cells.json(),
        mtu: cells.number(),
        availability_zone_hints: sorted(cells.json()),
        fixed_ips: Vec::new(),
        security_groups: Vec::new(),
        subnets: BTreeMap::new(),
    })
}

async fn addresses(
    tx: &Tx,
    ids: &BTreeSet<Id>,
    ports: &mut BTreeMap<Id, PortSnapshot>,
) -> Result<()> {
    let sql = "SELECT a.port_id, a.ip_address, a.subnet_id, s.cidr, s.enable_dhcp, \
               s.ipv6_address_mode, o.address_scope_id FROM ip_allocations a \
               JOIN subnets s ON s.id = a.subnet_id LEFT JOIN subnetpools o ON o.id = s.pool_id \
               WHERE a.port_id IN ({keys}) ORDER BY a.port_id, a.place";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(port) = cells.id().and_then(|id| ports.get_mut(&id)) else { continue };
        let (Some(ip_address), Some(subnet_id)) = (cells.read(), cells.id()) else { continue };
        let Some(cidr) = cells.read() else { continue };
        port.fixed_ips.push(FixedAddress {
            ip_address,
            subnet_id,
            cidr,
            enable_dhcp: cells.flag(),
            ipv6_address_mode: cells.read(),
            address_scope_id: cells.id(),
            shared_with: BTreeSet::new(),
        });
    }
    let sql = "SELECT a.port_id, a.ip_address, q.port_id FROM ip_allocations a \
               JOIN ports p ON p.id = a.port_id \
               JOIN port_address_pairs q ON q.network_id = p.network_id \
               AND q.ip_address = a.ip_address AND q.port_id <> a.port_id \
               WHERE a.port_id IN ({keys}) AND EXISTS (SELECT 1 FROM ip_allocations o \
               WHERE o.port_id = q.port_id AND o.subnet_id = a.subnet_id)";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(port) = cells.id().and_then(|id| ports.get_mut(&id)) else { continue };
        let (Some(shared), Some(by)) = (cells.read::<Ip>(), cells.id()) else { continue };
        for fixed_ip in port.fixed_ips.iter_mut().filter(|one| one.ip_address == shared) {
            fixed_ip.shared_with.insert(by);
        }
    }
    Ok(())
}

/// The subnets of those ports that have DHCP options of their own, which repeat their subnet's.
async fn with_options(tx: &Tx, ports: &mut BTreeMap<Id, PortSnapshot>) -> Result<()> {
    let own = |port: &&PortSnapshot| !port.extra_dhcp_opts.is_empty();
    let named = ports.values().filter(own).flat_map(|port| &port.fixed_ips);
    let wanted: BTreeSet<Id> = named.map(|fixed_ip| fixed_ip.subnet_id).collect();
    let subnets = subnet::load(tx, &wanted).await?;
    for port in ports.values_mut().filter(|port| !port.extra_dhcp_opts.is_empty()) {
        for fixed_ip in &port.fixed_ips {
            if let Some(subnet) = subnets.get(&fixed_ip.subnet_id) {
                port.subnets.insert(subnet.id, subnet.clone());
            }
        }
    }
    Ok(())
}
