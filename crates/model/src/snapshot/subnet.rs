//! What a subnet's rendering reads: itself, its network's MTU, and where the metadata service of
//! its network is reached.

use std::collections::{BTreeMap, BTreeSet};

use sql::Tx;
use wire::attr::Wire;
use wire::fault::Result;
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::types::ip::Ip;
use wire::types::route::HostRoute;
use wire::types::words::{IpVersion, Ipv6Mode};
use wire::value::Value;

use super::cells::{Cells, by_ids, by_keys};
use crate::port::metadata;

/// A subnet.
#[derive(Clone, Debug, PartialEq)]
pub struct SubnetSnapshot {
    /// Its id.
    pub id: Id,
    /// `network_id`
    pub network_id: Id,
    /// `ip_version`
    pub ip_version: IpVersion,
    /// `cidr`
    pub cidr: Cidr,
    /// `gateway_ip`
    pub gateway_ip: Option<Ip>,
    /// `enable_dhcp`
    pub enable_dhcp: bool,
    /// `ipv6_address_mode`
    pub ipv6_address_mode: Option<Ipv6Mode>,
    /// `dns_nameservers`
    pub dns_nameservers: Vec<Ip>,
    /// `host_routes`
    pub host_routes: Vec<HostRoute>,
    /// `revision_number`
    pub revision_number: i64,
    /// The network's `mtu`.
    pub mtu: i64,
    /// The address of the network's metadata port in the subnet.
    pub metadata_ip: Option<Ip>,
}

pub(super) async fn load(tx: &Tx, ids: &BTreeSet<Id>) -> Result<BTreeMap<Id, SubnetSnapshot>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT s.id, s.network_id, s.ip_version, s.cidr, s.gateway_ip, s.enable_dhcp, \
               s.ipv6_address_mode, s.dns_nameservers, s.host_routes, s.revision_number, n.mtu \
               FROM subnets s JOIN networks n ON n.id = s.network_id WHERE s.id IN ({keys})";
    let rows = by_ids(tx, sql, ids).await?;
    let mut subnets: BTreeMap<Id, SubnetSnapshot> =
        rows.iter().filter_map(|row| read(row)).map(|subnet| (subnet.id, subnet)).collect();
    let networks: BTreeSet<Id> = subnets.values().map(|subnet| subnet.network_id).collect();
    let devices: Vec<Value> =
        networks.into_iter().map(|id| Value::text(metadata::device(id))).collect();
    let sql = "SELECT a.subnet_id, a.ip_address FROM ports p \
               JOIN ip_allocations a ON a.port_id = p.id \
               WHERE p.device_owner = 'network:distributed' AND p.device_id IN ({keys}) \
               ORDER BY p.id, a.place";
    for row in by_keys(tx, sql, &devices).await? {
        let mut cells = Cells::of(&row);
        // Of several, every server must come to the same one.
        if let Some(subnet) = cells.id().and_then(|id| subnets.get_mut(&id)) {
            subnet.metadata_ip = subnet.metadata_ip.or_else(|| cells.read());
        }
    }
    Ok(subnets)
}

fn read(row: &[Value]) -> Option<SubnetSnapshot> {
    let mut cells = Cells::of(row);
    Some(SubnetSnapshot {
        id: cells.id()?,
        network_id: cells.id()?,
        ip_version: cells.read()?,
        cidr: cells.read().unwrap_or_else(Cidr::empty),
        gateway_ip: cells.read(),
        enable_dhcp: cells.flag(),
        ipv6_address_mode: cells.read(),
        dns_nameservers: cells.json(),
        host_routes: cells.json(),
        revision_number: cells.number(),
        mtu: cells.number(),
        metadata_ip: None,
    })
}
