//! What the rendering of units reads, in a constant number of statements for any number of units.
//! A unit that is gone is in none of the maps. Not here: what becomes of it (`ovn`), and who is
//! marked when something here changes (`unit/reads.rs`).

mod address_group;
mod cells;
mod dns;
mod network;
mod port;
mod security_group;
mod subnet;

use std::collections::{BTreeMap, BTreeSet};

use sql::{Mark, Tx};
use wire::fault::Result;
use wire::types::Id;

pub use address_group::AddressGroupSnapshot;
pub use dns::{DnsSnapshot, NamedPort};
pub use network::{NetworkSnapshot, SegmentSnapshot};
pub use port::{FixedAddress, PortSnapshot, is_external};
pub use security_group::{RuleSnapshot, SecurityGroupSnapshot};
pub use subnet::SubnetSnapshot;

use crate::unit::Unit;

/// The state of units, by their ids.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    /// Networks with their segments.
    pub networks: BTreeMap<Id, NetworkSnapshot>,
    /// Subnets.
    pub subnets: BTreeMap<Id, SubnetSnapshot>,
    /// Ports.
    pub ports: BTreeMap<Id, PortSnapshot>,
    /// Security groups with their rules.
    pub security_groups: BTreeMap<Id, SecurityGroupSnapshot>,
    /// Address groups.
    pub address_groups: BTreeMap<Id, AddressGroupSnapshot>,
    /// The names of networks' ports, by the network.
    pub dns: BTreeMap<Id, DnsSnapshot>,
}

/// Reads the state of the marked units.
///
/// # Errors
/// Those of the database.
pub async fn load(tx: &Tx, marks: &[Mark]) -> Result<Snapshots> {
    let of = |unit: Unit| -> BTreeSet<Id> {
        marks.iter().filter(|mark| mark.kind == unit as i16).map(|mark| mark.id).collect()
    };
    Ok(Snapshots {
        networks: network::load(tx, &of(Unit::Network)).await?,
        subnets: subnet::load(tx, &of(Unit::Subnet)).await?,
        ports: port::load(tx, &of(Unit::Port)).await?,
        security_groups: security_group::load(tx, &of(Unit::SecurityGroup)).await?,
        address_groups: address_group::load(tx, &of(Unit::AddressGroup)).await?,
        dns: dns::load(tx, &of(Unit::NetworkDns)).await?,
    })
}

/// The marks of all units that there are.
///
/// # Errors
/// Those of the database.
pub async fn every(tx: &Tx) -> Result<Vec<Mark>> {
    let tables = [
        (Unit::Network, "SELECT id FROM networks ORDER BY id"),
        (Unit::Subnet, "SELECT id FROM subnets ORDER BY id"),
        (Unit::Port, "SELECT id FROM ports ORDER BY id"),
        (Unit::SecurityGroup, "SELECT id FROM security_groups ORDER BY id"),
        (Unit::AddressGroup, "SELECT id FROM address_groups ORDER BY id"),
        (Unit::NetworkDns, "SELECT DISTINCT network_id FROM ports WHERE dns_name <> ''"),
    ];
    let mut marks = vec![Unit::global()];
    for (unit, sql) in tables {
        let rows = tx.rows(sql, &[]).await?;
        marks.extend(
            rows.iter().filter_map(|row| cells::Cells::of(row).id()).map(|id| unit.mark(id)),
        );
    }
    Ok(marks)
}
