//! What the rendering of a network's names reads: its domain, and its ports that are named and
//! belong to a device.

use std::collections::{BTreeMap, BTreeSet};

use sql::Tx;
use wire::fault::Result;
use wire::types::Id;
use wire::types::ip::Ip;

use super::cells::{Cells, by_ids};

/// The names of a network's ports.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsSnapshot {
    /// The network.
    pub network_id: Id,
    /// Its `dns_domain`.
    pub dns_domain: String,
    /// The ports, by their ids.
    pub ports: Vec<NamedPort>,
}

/// A port with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPort {
    /// Its id.
    pub id: Id,
    /// `dns_name`
    pub dns_name: String,
    /// Its addresses, in their order.
    pub addresses: Vec<Ip>,
}

pub(super) async fn load(tx: &Tx, ids: &BTreeSet<Id>) -> Result<BTreeMap<Id, DnsSnapshot>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut networks = BTreeMap::new();
    let sql = "SELECT id, dns_domain FROM networks WHERE id IN ({keys})";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(network_id) = cells.id() else { continue };
        let dns_domain = cells.text();
        networks.insert(network_id, DnsSnapshot { network_id, dns_domain, ports: Vec::new() });
    }
    let sql = "SELECT p.network_id, p.id, p.dns_name, a.ip_address FROM ports p \
               JOIN ip_allocations a ON a.port_id = p.id WHERE p.network_id IN ({keys}) \
               AND p.dns_name <> '' AND p.device_id <> '' ORDER BY p.id, a.place";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(network) = cells.id().and_then(|id| networks.get_mut(&id)) else { continue };
        let Some(id) = cells.id() else { continue };
        let (dns_name, address) = (cells.text(), cells.read::<Ip>());
        match network.ports.last_mut().filter(|port| port.id == id) {
            Some(port) => port.addresses.extend(address),
            None => {
                let addresses = address.into_iter().collect();
                network.ports.push(NamedPort { id, dns_name, addresses });
            }
        }
    }
    Ok(networks)
}
