//! Networks of subnets from a pool: cut by length or taken by name, so that no two overlap and no
//! project passes its share. Two that race both advance the pool's generation, and one begins anew.

use wire::attr::Wire;
use wire::fault::{self, Error, Result};
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::value::Value;

use super::bounds::Bounds;
use super::prefix_set::PrefixSet;
use super::{Subnetpool, advance};
use crate::kind::Call;

/// A subnet from the pool.
struct Allocation {
    cidr: Cidr,
    project_id: String,
}

/// Cuts a network of this prefix length.
///
/// # Errors
/// `MinPrefixSubnetAllocationError`, `MaxPrefixSubnetAllocationError`, `SubnetPoolQuotaExceeded`,
/// `SubnetAllocationError` where nothing of that length is left.
pub async fn cut(
    call: &Call<'_>,
    pool: &Subnetpool,
    project_id: &str,
    length: i64,
) -> Result<Cidr> {
    bounds(pool).check(length)?;
    let free = free(call, pool, project_id, length).await?;
    u8::try_from(length).ok().and_then(|length| free.cut(length)).ok_or_else(|| {
        fault::subnet_allocation_error(format!(
            "The subnet pool {} has no free network with the prefix length {length}.",
            pool.id
        ))
    })
}

/// Takes this network.
///
/// # Errors
/// As [`cut`]; `SubnetAllocationError` where it is not free or not of the pool.
pub async fn take(call: &Call<'_>, pool: &Subnetpool, project_id: &str, cidr: &Cidr) -> Result<()> {
    let length = i64::from(cidr.prefix_length());
    bounds(pool).check(length)?;
    if free(call, pool, project_id, length).await?.covers(cidr) {
        return Ok(());
    }
    Err(fault::subnet_allocation_error(format!(
        "'cidr' is {cidr}, which is not free in the subnet pool {}.",
        pool.id
    )))
}

/// The networks of the subnets of a pool.
///
/// # Errors
/// Those of the database.
pub async fn taken(call: &Call<'_>, pool_id: Id) -> Result<PrefixSet> {
    Ok(allocations(call, pool_id).await?.into_iter().map(|one| one.cidr).collect())
}

fn bounds(pool: &Subnetpool) -> Bounds {
    Bounds {
        min: pool.min_prefixlen.0,
        max: pool.max_prefixlen.0,
        default: pool.default_prefixlen.0,
    }
}

/// What is free in a pool, once the project may have a network of this length.
async fn free(
    call: &Call<'_>,
    pool: &Subnetpool,
    project_id: &str,
    length: i64,
) -> Result<PrefixSet> {
    advance(call, pool);
    let allocations = allocations(call, pool.id).await?;
    if let Some(quota) = pool.default_quota.map(|quota| quota.0).filter(|quota| *quota > 0) {
        let own = allocations.iter().filter(|one| one.project_id == project_id);
        let used = own.map(|one| i64::from(one.cidr.prefix_length())).chain([length]);
        let version = pool.ip_version.number();
        let units = used.fold(0u128, |sum, length| sum.saturating_add(size(version, length)));
        // PARITY: shares are counted in addresses of IPv4 and in /64 networks of IPv6.
        let unit = if version == 4 { 1 } else { 1u128 << 64 };
        if units > (quota as u128).saturating_mul(unit) {
            return Err(fault::subnetpool_quota_exceeded(quota));
        }
    }
    let all: PrefixSet = pool.prefixes.iter().copied().collect();
    Ok(all.without(&allocations.into_iter().map(|one| one.cidr).collect()))
}

/// How many addresses a network of this prefix length has.
fn size(version: u8, length: i64) -> u128 {
    let width = if version == 4 { 32 } else { 128 };
    u32::try_from(width - length).ok().and_then(|bits| 1u128.checked_shl(bits)).unwrap_or(u128::MAX)
}

async fn allocations(call: &Call<'_>, pool_id: Id) -> Result<Vec<Allocation>> {
    let sql = "SELECT cidr, project_id FROM subnets WHERE pool_id = ?";
    let rows = call.tx.rows(sql, &[pool_id.store()]).await?;
    let damaged = || Error::internal(format!("a subnet of the pool {pool_id} has a damaged cidr"));
    let read = |row: &Vec<Value>| {
        let [cidr, project_id] = row.as_slice() else {
            return Err(damaged());
        };
        Ok(Allocation {
            cidr: Cidr::load(cidr).ok_or_else(damaged)?,
            project_id: project_id.as_text().unwrap_or("").to_owned(),
        })
    };
    rows.iter().map(read).collect()
}
