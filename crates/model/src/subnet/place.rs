//! A subnet among the others of its network: no overlap, one pool or one address scope, all or none
//! with segments. Read before a change that advances the network's generation, so that it still
//! holds after.

use std::collections::BTreeSet;

use wire::attr::Wire;
use wire::fault::{self, Error, Result};
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::types::hint::SubnetPoolId;
use wire::value::Value;

use crate::ipam::{candidate, owner};
use crate::kind::Call;

/// The network of a subnet whose prefix nobody has delegated yet.
pub const PROVISIONAL_PREFIX: &str = "::/64";

/// Another subnet of the network.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// The subnet.
    pub id: Id,
    /// Its network.
    pub cidr: Cidr,
    /// The pool that it is from.
    pub pool: Option<SubnetPoolId>,
    /// The address scope of that pool.
    pub scope: Option<Id>,
    /// Its segment.
    pub segment: Option<Id>,
    /// It is routed to the network, and needs no segment.
    pub routed: bool,
}

/// The subnets of a network.
///
/// # Errors
/// Those of the database.
pub async fn of_network(call: &Call<'_>, network_id: Id) -> Result<Vec<Neighbour>> {
    let rows = call
        .tx
        .rows(
            "SELECT s.id, s.cidr, s.subnetpool_id, p.address_scope_id, s.segment_id, \
             s.service_types FROM subnets s LEFT JOIN subnetpools p ON p.id = s.pool_id \
             WHERE s.network_id = ?",
            &[network_id.store()],
        )
        .await?;
    rows.iter().map(|row| read(row)).collect()
}

fn read(row: &[Value]) -> Result<Neighbour> {
    let [id, cidr, pool, scope, segment, services] = row else {
        return Err(Error::internal("a subnet was read with other columns than asked for"));
    };
    let damaged = || Error::internal(format!("the subnet {id:?} has a damaged id or cidr"));
    Ok(Neighbour {
        id: Id::load(id).ok_or_else(damaged)?,
        cidr: Cidr::load(cidr).ok_or_else(damaged)?,
        pool: SubnetPoolId::load(pool),
        scope: Id::load(scope),
        segment: Id::load(segment),
        routed: candidate::texts(&candidate::json(services)).iter().any(|one| one == owner::ROUTED),
    })
}

/// Checks that a new subnet has no address in common with another one.
///
/// # Errors
/// `InvalidInput`.
pub fn overlap(neighbours: &[Neighbour], cidr: &Cidr, network_id: Id) -> Result<()> {
    if cidr.prefix_length() == 0 {
        return Err(fault::invalid_input(format!(
            "'cidr' is {cidr}; the prefix length must be at least 1."
        )));
    }
    let other = neighbours
        .iter()
        .filter(|one| one.cidr.to_string() != PROVISIONAL_PREFIX)
        .any(|one| one.cidr.overlaps(cidr));
    if other {
        // Which one is not said: the caller may not be permitted to see it.
        // PARITY: tempest tries the next range when it reads "overlaps with another subnet".
        return Err(fault::invalid_input(format!(
            "'cidr' {cidr} overlaps with another subnet of the network {network_id}; give a range \
             that is free there."
        )));
    }
    Ok(())
}

/// Checks that the subnets of a family come from one pool, or from pools of one address scope.
///
/// # Errors
/// `NetworkSubnetPoolAffinityError`, `NetworkAddressScopeAffinityError`.
pub fn affinity(
    neighbours: &[Neighbour],
    version: u8,
    pool: Option<SubnetPoolId>,
    scope: Option<Id>,
) -> Result<()> {
    let family = || neighbours.iter().filter(|one| one.cidr.version() == version);
    let network_scope = family().find_map(|one| one.scope);
    if let Some(network_scope) = network_scope
        && pool.is_some()
        && scope != Some(network_scope)
    {
        return Err(fault::network_address_scope_affinity());
    }
    let apart = |one: &Neighbour| match pool {
        Some(SubnetPoolId::PrefixDelegation) => one.pool != pool,
        Some(_) => one.pool != pool && network_scope.is_none(),
        None => one.pool.is_some(),
    };
    if family().any(apart) {
        return Err(fault::network_subnet_pool_affinity());
    }
    Ok(())
}

/// Checks that with a new subnet still all subnets of a network have a segment, or none.
///
/// # Errors
/// `SubnetsNotAllAssociatedWithSegments`.
pub fn segments(
    neighbours: &[Neighbour],
    segment: Option<Id>,
    routed: bool,
    network_id: Id,
) -> Result<()> {
    let mut having: BTreeSet<Option<Id>> =
        neighbours.iter().filter(|one| !one.routed).map(|one| one.segment).collect();
    if !routed {
        having.insert(segment);
    }
    if having.len() > 1 && having.contains(&None) {
        return Err(fault::subnets_not_all_associated_with_segments(network_id));
    }
    Ok(())
}

/// Checks that a subnet may change its segment: it is the only one of its network and has had none,
/// and the network has one segment.
///
/// # Errors
/// `SubnetsNotAllAssociatedWithSegments`, `SubnetSegmentAssociationChangeNotAllowed`,
/// `NoUpdateSubnetWhenMultipleSegmentsOnNetwork`.
pub fn segment_change(
    neighbours: &[Neighbour],
    segment: Option<Id>,
    segments_of_network: i64,
    network_id: Id,
) -> Result<()> {
    let having: Vec<Option<Id>> =
        neighbours.iter().filter(|one| !one.routed).map(|one| one.segment).collect();
    if having.len() > 1 {
        return Err(fault::subnets_not_all_associated_with_segments(network_id));
    }
    if !having.contains(&None) && !having.contains(&segment) {
        return Err(fault::subnet_segment_association_change_not_allowed());
    }
    if segments_of_network > 1 {
        return Err(fault::no_update_subnet_when_multiple_segments_on_network(network_id));
    }
    Ok(())
}

/// Checks that a segment is one of the network's; answers how many the network has. Who does not
/// see segments is not told that another network has this one.
///
/// # Errors
/// `SegmentNotFound`, `NetworkIdsDontMatch`.
pub async fn segment_of(call: &Call<'_>, network_id: Id, segment: Option<Id>) -> Result<i64> {
    if let Some(segment) = segment {
        let rows = call
            .tx
            .rows("SELECT network_id FROM segments WHERE id = ?", &[segment.store()])
            .await?;
        match rows.first().and_then(|row| row.first()).and_then(Id::load) {
            Some(of) if of == network_id => {}
            Some(_) if call.ctx.sees_all() => {
                return Err(fault::network_ids_dont_match(network_id, segment));
            }
            _ => return Err(fault::segment_not_found(segment)),
        }
    }
    let sql = "SELECT COUNT(*) FROM segments WHERE network_id = ?";
    let rows = call.tx.rows(sql, &[network_id.store()]).await?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_int).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;

    fn subnet(cidr: &str) -> Neighbour {
        Neighbour {
            id: Id::random(),
            cidr: Cidr::read(cidr).unwrap(),
            pool: None,
            scope: None,
            segment: None,
            routed: false,
        }
    }

    fn kind(result: Result<()>) -> &'static str {
        result.unwrap_err().fault().unwrap().kind
    }

    #[test]
    fn subnets_of_a_network_do_not_overlap() {
        let have = [subnet("10.0.0.0/24"), subnet("::/64")];
        let network = Id::random();
        let net = |text: &str| Cidr::read(text).unwrap();
        assert!(overlap(&have, &net("10.0.0.128/25"), network).is_err());
        assert!(overlap(&have, &net("10.0.0.0/16"), network).is_err());
        assert!(overlap(&have, &net("10.0.1.0/24"), network).is_ok());
        assert!(overlap(&have, &net("::/64"), network).is_ok());
        assert!(overlap(&[], &net("0.0.0.0/0"), network).is_err());
    }

    #[test]
    fn subnets_of_a_family_share_a_pool_or_a_scope() {
        let (pool, scope) = (SubnetPoolId::Id(Id::random()), Id::random());
        let other = Some(SubnetPoolId::Id(Id::random()));
        let from_pool = [Neighbour { pool: Some(pool), ..subnet("10.0.0.0/24") }];
        assert!(affinity(&from_pool, 4, Some(pool), None).is_ok());
        assert!(affinity(&from_pool, 6, other, None).is_ok());
        assert_eq!(kind(affinity(&from_pool, 4, other, None)), "NetworkSubnetPoolAffinityError");
        assert_eq!(kind(affinity(&from_pool, 4, None, None)), "NetworkSubnetPoolAffinityError");
        let scoped = [Neighbour { scope: Some(scope), ..from_pool[0].clone() }];
        assert!(affinity(&scoped, 4, other, Some(scope)).is_ok());
        assert_eq!(kind(affinity(&scoped, 4, other, None)), "NetworkAddressScopeAffinityError");
        let plain = [subnet("2001:db8::/64")];
        let delegated = Some(SubnetPoolId::PrefixDelegation);
        assert_eq!(kind(affinity(&plain, 6, delegated, None)), "NetworkSubnetPoolAffinityError");
        assert!(affinity(&plain, 6, None, None).is_ok());
    }

    #[test]
    fn either_all_subnets_of_a_network_have_a_segment_or_none() {
        let network = Id::random();
        let segment = Some(Id::random());
        let with = Neighbour { segment, ..subnet("10.0.0.0/24") };
        assert!(segments(&[subnet("10.0.0.0/24")], segment, false, network).is_err());
        assert!(segments(std::slice::from_ref(&with), None, false, network).is_err());
        assert!(segments(std::slice::from_ref(&with), None, true, network).is_ok());
        assert!(segments(std::slice::from_ref(&with), Some(Id::random()), false, network).is_ok());
        assert!(segment_change(&[subnet("10.0.0.0/24")], segment, 1, network).is_ok());
        assert_eq!(
            kind(segment_change(&[subnet("10.0.0.0/24")], segment, 2, network)),
            "NoUpdateSubnetWhenMultipleSegmentsOnNetwork"
        );
        assert_eq!(
            kind(segment_change(&[with], Some(Id::random()), 1, network)),
            "SubnetSegmentAssociationChangeNotAllowed"
        );
    }
}
