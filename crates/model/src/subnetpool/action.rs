//! The actions of a subnet pool: prefixes added and removed, subnets of a network taken in.

use serde_json::{Map, Value as Json, json};
use wire::attr::Wire;
use wire::fault::{self, Error, Result};
use wire::row::{Record, Row};
use wire::types::Id;
use wire::types::cidr::Cidr;
use wire::types::list::MOST_ENTRIES;
use wire::value::Value;

use super::prefix_set::PrefixSet;
use super::{Subnetpool, Subnetpools, advance, allocation, at, scope};
use crate::kind::Call;
use crate::network::{self, Network};
use crate::standard;
use crate::unit::{Unit, reads};

/// `PUT …/add_prefixes`: the pool grows.
///
/// # Errors
/// `HTTPBadRequest`, `IllegalSubnetPoolUpdate` and those of address scopes.
pub async fn add_prefixes(call: &Call<'_>, row: &Row, body: &Json) -> Result<Json> {
    let more = prefixes(body)?;
    let pool = Subnetpool::load(row);
    let all: Vec<Cidr> = pool.prefixes.iter().copied().chain(more).collect();
    let prefixes = grow(call, row, &pool, &all).await?;
    Ok(shown(&prefixes))
}

/// `PUT …/remove_prefixes`: the pool shrinks by what no subnet has.
///
/// # Errors
/// `HTTPBadRequest`, `IllegalSubnetPoolPrefixUpdate`.
pub async fn remove_prefixes(call: &Call<'_>, row: &Row, body: &Json) -> Result<Json> {
    let gone: PrefixSet = prefixes(body)?.into_iter().collect();
    let pool = Subnetpool::load(row);
    let all: PrefixSet = pool.prefixes.iter().copied().collect();
    if !all.overlaps(&gone) {
        return Ok(shown(&pool.prefixes));
    }
    advance(call, &pool);
    if allocation::taken(call, pool.id).await?.overlaps(&gone) {
        return Err(fault::illegal_subnetpool_prefix_update(
            "a subnet has addresses of the prefixes to remove",
        ));
    }
    let left = all.without(&gone).cidrs();
    let mut new = row.clone();
    new.set(at::prefixes, left.clone());
    store(call, row, new)?;
    Ok(shown(&left))
}

/// `PUT …/onboard_network_subnets`: the subnets of a network become the pool's.
///
/// # Errors
/// `InvalidInput`, `NetworkNotFound`, `NotAuthorized`, `IllegalSubnetPoolUpdate` and those of
/// address scopes.
pub async fn onboard(call: &Call<'_>, row: &Row, body: &Json) -> Result<Json> {
    let Some(network_id) = body.get("network_id").filter(|given| !given.is_null()) else {
        return Err(fault::invalid_input("'network_id' must be the UUID of a network."));
    };
    let network_id = Id::parse(network_id)
        .map_err(|why| fault::invalid_input(format!("'network_id' must be a UUID: {why}.")))?;
    let network_row = call
        .find(&network::TABLE, network_id)
        .await?
        .ok_or_else(|| fault::network_not_found(network_id))?;
    if !call.ctx.is_admin && network_row.project_id() != call.ctx.project_id {
        return Err(fault::onboard_not_authorized());
    }
    let pool = Subnetpool::load(row);
    network::advance(call, &Network::load(&network_row));
    let subnets = of_network(call, network_id, pool.ip_version.number()).await?;
    let taken = allocation::taken(call, pool.id).await?;
    for (id, cidr) in &subnets {
        if taken.overlaps(&PrefixSet::from_iter([*cidr])) {
            return Err(fault::illegal_subnetpool_update(format!(
                "the subnet {id} ({cidr}) has addresses of a subnet of the pool"
            )));
        }
    }
    // The subnets move first, so that the pool's rules see them where they are going to be.
    for (id, _) in &subnets {
        adopt(call, *id, pool.id);
        reads::scope_of_subnet(call, *id).await?;
    }
    let new = subnets.iter().map(|(_, cidr)| *cidr);
    let all: Vec<Cidr> = pool.prefixes.iter().copied().chain(new).collect();
    grow(call, row, &pool, &all).await?;
    let entry = |(id, cidr): &(Id, Cidr)| json!({"id": id.to_string(), "cidr": cidr.to_string()});
    Ok(Json::Array(subnets.iter().map(entry).collect()))
}

fn adopt(call: &Call<'_>, subnet_id: Id, pool_id: Id) {
    call.tx
        .exec(
            "UPDATE subnets SET subnetpool_id = ?, pool_id = ?, updated_at = ?, \
             revision_number = revision_number + 1 WHERE id = ?",
            vec![
                pool_id.store(),
                pool_id.store(),
                Value::Text(call.ctx.now_text()),
                subnet_id.store(),
            ],
        )
        .expect(1, Error::Retry("a subnet of the network has been deleted"));
    call.tx.mark(Unit::Subnet as i16, subnet_id);
}

async fn of_network(call: &Call<'_>, network_id: Id, version: u8) -> Result<Vec<(Id, Cidr)>> {
    let rows = call
        .tx
        .rows(
            "SELECT id, cidr FROM subnets WHERE network_id = ? AND ip_version = ? ORDER BY id",
            &[network_id.store(), Value::Int(i64::from(version))],
        )
        .await?;
    let read = |row: &Vec<Value>| match row.as_slice() {
        [id, cidr] => Some((Id::load(id)?, Cidr::load(cidr)?)),
        _ => None,
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// Stores a pool with these prefixes, compacted.
async fn grow(call: &Call<'_>, row: &Row, pool: &Subnetpool, all: &[Cidr]) -> Result<Vec<Cidr>> {
    let (version, prefixes) = super::compact(all)?;
    if version != pool.ip_version {
        return Err(fault::prefix_version_mismatch());
    }
    scope::changeable(call, pool).await?;
    let new = Subnetpool { prefixes: prefixes.clone(), ..pool.clone() };
    scope::check(call, &new).await?;
    advance(call, pool);
    let mut changed = row.clone();
    changed.set(at::prefixes, prefixes.clone());
    store(call, row, changed)?;
    Ok(prefixes)
}

fn store(call: &Call<'_>, old: &Row, mut new: Row) -> Result<()> {
    standard::changed(call, &mut new);
    standard::update(call, &Subnetpools, old, &new)?;
    Ok(())
}

fn prefixes(body: &Json) -> Result<Vec<Cidr>> {
    let refuse = |why: &str| {
        fault::bad_request(format!(
            "'prefixes' must be a list of 1 to {MOST_ENTRIES} networks like 192.0.2.0/24: {why}."
        ))
    };
    match body.get("prefixes").and_then(Json::as_array) {
        Some(list) if (1..=MOST_ENTRIES).contains(&list.len()) => {
            list.iter().map(|one| Cidr::parse(one).map_err(|why| refuse(&why))).collect()
        }
        Some(list) => Err(refuse(&format!("it has {} entries", list.len()))),
        None => Err(refuse("it is missing or no list")),
    }
}

fn shown(prefixes: &[Cidr]) -> Json {
    let list = prefixes.iter().map(|cidr| Json::from(cidr.to_string())).collect();
    Json::Object(Map::from_iter([("prefixes".to_owned(), Json::Array(list))]))
}
