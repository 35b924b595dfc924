//! What an address group's rendering reads.

use std::collections::{BTreeMap, BTreeSet};

use sql::Tx;
use wire::fault::Result;
use wire::types::Id;
use wire::types::cidr::Cidr;

use super::cells::{Cells, by_ids};

/// An address group.
#[derive(Clone, Debug, PartialEq)]
pub struct AddressGroupSnapshot {
    /// Its id.
    pub id: Id,
    /// `revision_number`
    pub revision_number: i64,
    /// `addresses`
    pub addresses: Vec<Cidr>,
}

pub(super) async fn load(
    tx: &Tx,
    ids: &BTreeSet<Id>,
) -> Result<BTreeMap<Id, AddressGroupSnapshot>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut groups = BTreeMap::new();
    let sql = "SELECT id, revision_number FROM address_groups WHERE id IN ({keys})";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(id) = cells.id() else { continue };
        let revision_number = cells.number();
        groups.insert(id, AddressGroupSnapshot { id, revision_number, addresses: Vec::new() });
    }
    let sql = "SELECT address_group_id, address FROM address_group_addresses \
               WHERE address_group_id IN ({keys}) ORDER BY address";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        if let Some(group) = cells.id().and_then(|id| groups.get_mut(&id)) {
            group.addresses.extend(cells.read::<Cidr>());
        }
    }
    Ok(groups)
}
