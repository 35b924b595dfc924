//! What a security group's rendering reads. Its members are part of the ports.

use std::collections::{BTreeMap, BTreeSet};

use sql::Tx;
use wire::fault::Result;
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::types::protocol::Protocol;
use wire::types::words::{Direction, Ethertype};

use super::cells::{Cells, by_ids};

/// A security group.
#[derive(Clone, Debug, PartialEq)]
pub struct SecurityGroupSnapshot {
    /// Its id.
    pub id: Id,
    /// `stateful`
    pub stateful: bool,
    /// Its rules by their ids.
    pub rules: Vec<RuleSnapshot>,
}

/// A rule. Damaged rows are left out: a rule that permits less is the safe side.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSnapshot {
    /// Its id.
    pub id: Id,
    /// `direction`
    pub direction: Direction,
    /// `ethertype`
    pub ethertype: Ethertype,
    /// `protocol`
    pub protocol: Option<Protocol>,
    /// `port_range_min`
    pub port_range_min: Option<i64>,
    /// `port_range_max`
    pub port_range_max: Option<i64>,
    /// `remote_group_id`
    pub remote_group_id: Option<Id>,
    /// `remote_address_group_id`
    pub remote_address_group_id: Option<Id>,
    /// `normalized_cidr`
    pub normalized_cidr: Option<Cidr>,
}

pub(super) async fn load(
    tx: &Tx,
    ids: &BTreeSet<Id>,
) -> Result<BTreeMap<Id, SecurityGroupSnapshot>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut groups = BTreeMap::new();
    let sql = "SELECT id, stateful FROM security_groups WHERE id IN ({keys})";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(id) = cells.id() else { continue };
        let stateful = cells.flag();
        groups.insert(id, SecurityGroupSnapshot { id, stateful, rules: Vec::new() });
    }
    let sql = "SELECT security_group_id, id, direction, ethertype, protocol, port_range_min, \
               port_range_max, remote_group_id, remote_address_group_id, normalized_cidr \
               FROM security_group_rules WHERE security_group_id IN ({keys}) ORDER BY id";
    for row in by_ids(tx, sql, ids).await? {
        let mut cells = Cells::of(&row);
        let Some(group) = cells.id().and_then(|id| groups.get_mut(&id)) else { continue };
        match rule(cells) {
            Some(rule) => group.rules.push(rule),
            None => tracing::warn!(
                target: "nucleon::damaged",
                collection = "security_group_rules",
                id = %group.id,
                "a rule of this group does not convert and permits nothing; \
                 run `nucleon db check`"
            ),
        }
    }
    Ok(groups)
}

fn rule(mut cells: Cells<'_>) -> Option<RuleSnapshot> {
    Some(RuleSnapshot {
        id: cells.id()?,
        direction: cells.read()?,
        ethertype: cells.read()?,
        protocol: cells.strict()?,
        port_range_min: cells.strict()?,
        port_range_max: cells.strict()?,
        remote_group_id: cells.strict()?,
        remote_address_group_id: cells.strict()?,
        normalized_cidr: cells.strict()?,
    })
}
