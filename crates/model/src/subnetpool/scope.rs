//! Subnet pools in address scopes: of one IP version, none overlapping another, no network half in
//! one.

use wire::attr::Wire;
use wire::fault::{self, Result};
use wire::row::Row;
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::value::Value;

use super::Subnetpool;
use super::prefix_set::PrefixSet;
use crate::address_scope;
use crate::ipam::candidate;
use crate::kind::Call;

/// Checks that a pool, as it is to be, can be in its address scope.
///
/// # Errors
/// `AddressScopeNotFound`, `IllegalSubnetPoolIpVersionAssociationToAddressScope`,
/// `AddressScopePrefixConflict`, `NetworkAddressScopeAffinityError`.
pub async fn check(call: &Call<'_>, pool: &Subnetpool) -> Result<()> {
    let Some(scope_id) = pool.address_scope_id else {
        return Ok(());
    };
    let scope = address_scope::get(call, scope_id).await?;
    let version = address_scope::ip_version(&scope);
    if version != i64::from(pool.ip_version.number()) {
        return Err(fault::illegal_subnetpool_ip_version(scope_id, version));
    }
    whole_networks(call, pool).await?;
    lock(call, &scope).await?;
    let own: PrefixSet = pool.prefixes.iter().copied().collect();
    let sql = "SELECT prefixes FROM subnetpools WHERE address_scope_id = ? AND id <> ?";
    for row in call.tx.rows(sql, &[scope_id.store(), pool.id.store()]).await? {
        let prefixes = row.first().map(candidate::json).and_then(|json| Vec::<Cidr>::load(&json));
        if prefixes.unwrap_or_default().into_iter().collect::<PrefixSet>().overlaps(&own) {
            return Err(fault::address_scope_prefix_conflict());
        }
    }
    Ok(())
}

/// Holds the scope until the end of the transaction, so that pools that come to it at the same time
/// are compared with each other.
async fn lock(call: &Call<'_>, scope: &Row) -> Result<()> {
    let sql = "UPDATE address_scopes SET ip_version = ip_version WHERE id = ?";
    let held = call.tx.run(sql, &[scope.id().store()], Vec::new()).await?;
    // MariaDB counts changed rows; that it is there is known from `get` and the foreign key.
    tracing::trace!(held, "address scope held");
    Ok(())
}

/// Checks that a pool that has a scope may be changed: its scope must be the caller's.
///
/// # Errors
/// `IllegalSubnetPoolUpdate`.
pub async fn changeable(call: &Call<'_>, pool: &Subnetpool) -> Result<()> {
    let Some(scope_id) = pool.address_scope_id else {
        return Ok(());
    };
    let scope = address_scope::get(call, scope_id).await?;
    if call.ctx.is_admin || scope.project_id() == call.ctx.project_id {
        return Ok(());
    }
    Err(fault::illegal_subnetpool_update(format!(
        "it is in the address scope {scope_id} of another project"
    )))
}

/// The networks that have subnets of a pool must have no others of that family.
async fn whole_networks(call: &Call<'_>, pool: &Subnetpool) -> Result<()> {
    let rows = call
        .tx
        .rows(
            "SELECT s.id FROM subnets s WHERE s.ip_version = ? \
             AND (s.pool_id IS NULL OR s.pool_id <> ?) AND s.network_id IN \
             (SELECT o.network_id FROM subnets o WHERE o.pool_id = ?) LIMIT 1",
            &[
                Value::Int(i64::from(pool.ip_version.number())),
                Id::store(&pool.id),
                Id::store(&pool.id),
            ],
        )
        .await?;
    if rows.is_empty() { Ok(()) } else { Err(fault::network_address_scope_affinity()) }
}
