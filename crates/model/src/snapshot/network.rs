//! What a network's rendering reads.

use std::collections::{BTreeMap, BTreeSet};

use sql::Tx;
use wire::fault::Result;
use wire::types::Id;
use wire::types::hint::Zones;
use wire::types::profile::Dict;
use wire::types::words::VnicType;

use super::cells::{Cells, by_ids};
use super::port::is_external;

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSnapshot {
    /// Its id.
    pub id: Id,
    /// `name`
    pub name: String,
    /// `mtu`
    pub mtu: i64,
    /// `router:external`
    pub router_external: bool,
    /// `vlan_transparent`
    pub vlan_transparent: bool,
    /// `qinq`
    pub qinq: bool,
    /// `availability_zone_hints`, in their order.
    pub availability_zone_hints: Vec<String>,
    /// `revision_number`
    pub revision_number: i64,
    /// Its segments, in their order.
    pub segments: Vec<SegmentSnapshot>,
    /// It has ports whose cards are not plugged into the virtual switch.
    pub has_external_ports: bool,
}

/// A segment of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSnapshot {
    /// Its id.
    pub id: Id,
    /// `network_type`
    pub network_type: String,
    /// `physical_network`
    pub physical_network: Option<String>,
    /// `segmentation_id`
    pub segmentation_id: Option<i64>,
}

/// The hints of a network in the order in which Neutron writes them.
pub(super) fn sorted(hints: Zones) -> Vec<String> {
    let mut hints: Vec<String> = hints.0.into_iter().map(|zone| zone.0).collect();
    hints.sort();
    hints
}

pub(super) async fn load(tx: &Tx, ids: &BTreeSet<Id>) -> Result<BTreeMap<Id, NetworkSnapshot>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut networks = BTreeMap::new();
    let sql = "SELECT id, name, mtu, router_external, vlan_transparent, qinq, \
               availability_zone_hints, revision_number FROM networks WHERE id IN ({keys})";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(id) = cells.id() else { continue };
        let network = NetworkSnapshot {
            id,
            name: cells.text(),
            mtu: cells.number(),
            router_external: cells.flag(),
            vlan_transparent: cells.flag(),
            qinq: cells.flag(),
            availability_zone_hints: sorted(cells.json()),
            revision_number: cells.number(),
            segments: Vec::new(),
            has_external_ports: false,
        };
        networks.insert(id, network);
    }
    let sql = "SELECT network_id, id, network_type, physical_network, segmentation_id \
               FROM segments WHERE network_id IN ({keys}) ORDER BY segment_index, id";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let (Some(network), Some(id)) = (cells.id(), cells.id()) else { continue };
        let Some(network) = networks.get_mut(&network) else { continue };
        network.segments.push(SegmentSnapshot {
            id,
            network_type: cells.text(),
            physical_network: Some(cells.text()).filter(|name| !name.is_empty()),
            segmentation_id: cells.maybe_number(),
        });
    }
    let sql = "SELECT p.network_id, b.vnic_type, b.profile FROM ports p \
               JOIN port_bindings b ON b.active_port = p.id WHERE p.network_id IN ({keys}) \
               AND b.vnic_type IN ('direct', 'direct-physical', 'macvtap', 'baremetal')";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let network = cells.id().and_then(|id| networks.get_mut(&id));
        let vnic_type = cells.read().unwrap_or(VnicType::Normal);
        if let Some(network) = network {
            network.has_external_ports |= is_external(vnic_type, &cells.json::<Dict>());
        }
    }
    Ok(networks)
}
