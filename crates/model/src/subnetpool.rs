//! Subnet pools: addresses from which subnets are cut. The rules are in `subnetpool/`.

mod action;
pub mod allocation;
pub mod bounds;
pub mod prefix_set;
mod scope;

use serde_json::Value as Json;
use wire::attr::{Resource, Wire};
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::query::{Filter, Query};
use wire::resource;
use wire::row::{Record, Row};
use wire::types::cidr::Cidr;
use wire::types::name::NotEmptyName;
use wire::types::whole::Count;
use wire::types::words::IpVersion;
use wire::types::{Id, Text};
use wire::value::Value;

use crate::backend::Backend;
use crate::kind::{Call, Kind, Pending, Verbs};
use crate::settings::Settings;
use crate::unit::reads;
use crate::{rbac, standard};
use bounds::Bounds;
use prefix_set::PrefixSet;

resource! {
    /// Addresses from which subnets are cut.
    Subnetpool = Resource::of("subnetpool", "subnetpools")
        .taggable().visible(rbac::visible!("subnetpool"));
    id: Id = ro().filter().sort();
    name: NotEmptyName = rw().filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    prefixes: Vec<Cidr> = rw();
    default_quota: Option<Count> = rw().unset().filter().sort();
    ip_version: IpVersion = ro().filter().sort();
    default_prefixlen: Count = rw().unset().filter().sort();
    min_prefixlen: Count = rw().unset().filter().sort();
    max_prefixlen: Count = rw().unset().filter().sort();
    is_default: bool = rw().flag(false).filter().sort().enforce().policy();
    shared: bool = init().flag(false).filter().sort().enforce().policy()
        .sql(rbac::shared!("subnetpool"));
    address_scope_id: Option<Id> = rw().unset().filter().sort().ext("address-scope");
    description: Text<255> = rw().text("").filter();
    tags: Vec<Text<255>> = ro().child(&standard::TAGS);
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
    /// The IP version of a default pool.
    default_of: Option<i64> = ro().hidden();
    generation: i64 = ro().hidden();
}

/// The kind.
pub struct Subnetpools;

impl Kind for Subnetpools {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn quota(&self) -> Option<&'static str> {
        Some("subnetpool")
    }

    fn verbs(&self) -> Verbs {
        Verbs { bulk: false, ..Verbs::ALL }
    }

    fn not_found(&self, id: &str) -> Error {
        fault::subnetpool_not_found(id)
    }

    // PARITY: the lengths are kept as numbers and shown as texts.
    fn fill(&self, _settings: &Settings, _backend: &dyn Backend, rows: &mut [Row]) {
        for row in rows {
            for at in [at::default_prefixlen, at::min_prefixlen, at::max_prefixlen] {
                if let Value::Int(length) = row.value(at.index) {
                    let shown = Value::Text(length.to_string());
                    row.put(at.index, shown);
                }
            }
        }
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(create(call, ask))
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(update(call, old, ask))
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            let why = "subnets have addresses of it";
            let sql = "SELECT id FROM subnets WHERE pool_id = ? LIMIT 1";
            if !call.tx.rows(sql, &[old.id().store()]).await?.is_empty() {
                return Err(fault::subnetpool_delete_error(why));
            }
            standard::remove_or(call, self, old)
                .await?
                .or("fk_subnets_subnetpool", fault::subnetpool_delete_error(why));
            Ok(())
        })
    }

    fn actions(&self) -> &'static [&'static str] {
        &["add_prefixes", "remove_prefixes", "onboard_network_subnets"]
    }

    fn act<'a>(
        &'a self,
        call: &'a Call<'a>,
        row: &'a Row,
        action: &'a str,
        body: &'a Json,
    ) -> Pending<'a, Json> {
        Box::pin(async move {
            match action {
                "add_prefixes" => action::add_prefixes(call, row, body).await,
                "remove_prefixes" => action::remove_prefixes(call, row, body).await,
                "onboard_network_subnets" => action::onboard(call, row, body).await,
                _ => Err(fault::not_found(format!("There is no action {action}."))),
            }
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// The subnet pool, if the caller may refer to it.
///
/// # Errors
/// `SubnetPoolNotFound`.
pub async fn get(call: &Call<'_>, id: Id) -> Result<Row> {
    call.find(&TABLE, id).await?.ok_or_else(|| fault::subnetpool_not_found(id))
}

/// The default pool of an IP version, if there is one that the caller may refer to.
///
/// # Errors
/// Those of the database.
pub async fn default_of(call: &Call<'_>, version: u8) -> Result<Option<Row>> {
    let query = Query {
        filters: vec![Filter::In {
            attr: at::default_of.index,
            values: vec![Value::Int(i64::from(version))],
        }],
        ..Query::default()
    };
    Ok(call.tx.list(&TABLE, &call.scope(), &query).await?.into_iter().next())
}

/// Advances the count of changes of a pool's addresses, if nobody was quicker.
fn advance(call: &Call<'_>, pool: &Subnetpool) {
    call.tx
        .exec(
            "UPDATE subnetpools SET generation = generation + 1 WHERE id = ? AND generation = ?",
            vec![pool.id.store(), Value::Int(pool.generation)],
        )
        .expect(1, Error::Retry("the subnet pool's addresses changed"));
}

/// The IP version of prefixes and the prefixes as few as possible.
///
/// # Errors
/// `EmptySubnetPoolPrefixList`, `PrefixVersionMismatch`.
fn compact(prefixes: &[Cidr]) -> Result<(IpVersion, Vec<Cidr>)> {
    let version = prefixes.first().ok_or_else(fault::empty_subnetpool_prefix_list)?.version();
    if prefixes.iter().any(|prefix| prefix.version() != version) {
        return Err(fault::prefix_version_mismatch());
    }
    let set: PrefixSet = prefixes.iter().copied().collect();
    Ok((if version == 4 { IpVersion::V4 } else { IpVersion::V6 }, set.cidrs()))
}

/// PARITY: a pool without a quota is made by not naming it.
fn refuse_null_quota(ask: &Draft) -> Result<()> {
    match ask.asked(at::default_quota) {
        Some(None) => {
            Err(fault::invalid_input("'default_quota' must be a whole number, not null."))
        }
        _ => Ok(()),
    }
}

async fn create(call: &Call<'_>, ask: &Draft) -> Result<Row> {
    refuse_null_quota(ask)?;
    let (version, prefixes) = compact(&ask.or_default(at::prefixes))?;
    let bounds = Bounds::of(
        version.number(),
        ask.asked(at::min_prefixlen),
        ask.asked(at::max_prefixlen),
        ask.asked(at::default_prefixlen),
    )?;
    let mut row = ask.complete();
    standard::born(call, &mut row);
    row.set(at::prefixes, prefixes);
    row.set(at::ip_version, version);
    row.set(at::generation, 0);
    row.set(at::default_quota, ask.asked(at::default_quota).flatten());
    row.set(at::address_scope_id, ask.asked(at::address_scope_id).flatten());
    complete(&mut row, version, bounds);
    scope::check(call, &Subnetpool::load(&row)).await?;
    standard::insert(call, &Subnetpools, &row)
        .await?
        .or("uq_subnetpools_default", another_default(version))
        .or("fk_subnetpools_address_scope", Error::Retry("the address scope has been deleted"));
    rbac::share(call, "subnetpool", &row, ask.or_default(at::shared)).await?;
    Ok(row)
}

async fn update(call: &Call<'_>, old: &Row, ask: &Draft) -> Result<Row> {
    refuse_null_quota(ask)?;
    let have = Subnetpool::load(old);
    let mut row = ask.applied(old);
    standard::changed(call, &mut row);
    if let Some(asked) = ask.asked(at::prefixes) {
        row.set(at::prefixes, grown(&have, &asked)?);
    }
    let count = |asked: Option<Count>, have: Count| Some(asked.unwrap_or(have));
    let bounds = Bounds::of(
        have.ip_version.number(),
        count(ask.asked(at::min_prefixlen), have.min_prefixlen),
        count(ask.asked(at::max_prefixlen), have.max_prefixlen),
        count(ask.asked(at::default_prefixlen), have.default_prefixlen),
    )?;
    complete(&mut row, have.ip_version, bounds);
    scope::changeable(call, &have).await?;
    let new = Subnetpool::load(&row);
    scope::check(call, &new).await?;
    if new.prefixes != have.prefixes || new.address_scope_id != have.address_scope_id {
        advance(call, &have);
    }
    standard::update(call, &Subnetpools, old, &row)?
        .or("uq_subnetpools_default", another_default(have.ip_version))
        .or("fk_subnetpools_address_scope", Error::Retry("the address scope has been deleted"));
    reads::changed(call, old, &row).await?;
    Ok(row)
}

/// The asked prefixes, which must have all of what the pool has.
fn grown(have: &Subnetpool, asked: &[Cidr]) -> Result<Vec<Cidr>> {
    let before: PrefixSet = have.prefixes.iter().copied().collect();
    let after: PrefixSet = asked.iter().copied().collect();
    if !after.includes(&before) {
        return Err(fault::illegal_subnetpool_prefix_update(
            "they must include the prefixes that the pool has; the action remove_prefixes takes \
             prefixes away",
        ));
    }
    compact(asked).map(|(_, prefixes)| prefixes)
}

fn complete(row: &mut Row, version: IpVersion, bounds: Bounds) {
    row.set(at::min_prefixlen, Count(bounds.min));
    row.set(at::max_prefixlen, Count(bounds.max));
    row.set(at::default_prefixlen, Count(bounds.default));
    let is_default = row.get(at::is_default);
    row.set(at::default_of, is_default.then(|| i64::from(version.number())));
}

fn another_default(version: IpVersion) -> Error {
    fault::invalid_input(format!(
        "'is_default' cannot be true: there already is a default subnet pool of IPv{version}."
    ))
}
