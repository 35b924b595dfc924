//! Networks: a broadcast domain, made of segments. Which segment a network gets is in
//! `network/provider.rs`, its MTU in `network/mtu.rs`.

pub mod mtu;
pub mod provider;

use serde_json::{Map, Value as Json};
use wire::attr::{Child, Column, Resource};
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::resource;
use wire::row::{Record, Row};
use wire::types::dns::DnsDomain;
use wire::types::hint::Zones;
use wire::types::name::Name;
use wire::types::segment::ProviderSegment;
use wire::types::{Id, Raw, Text};
use wire::value::Value;

use crate::backend::Backend;
use crate::kind::{Call, Kind, Pending};
use crate::settings::Settings;
use crate::unit::{Unit, reads};
use crate::{port, rbac, security_group, segment, standard};

/// The segments of a network, in their order.
static SEGMENTS: Child = Child {
    table: "segments",
    parent: "network_id",
    keys: &[
        ("network_type", Column::Text(32)),
        ("physical_network", Column::Text(64)),
        ("segmentation_id", Column::Int),
    ],
    flat: false,
    order: "segment_index",
    kept: None,
};

static SUBNETS: Child = Child {
    table: "subnets",
    parent: "network_id",
    keys: &[("id", Column::Text(36))],
    flat: true,
    order: "id",
    kept: None,
};

/// The address scope of the pool that subnets of a family come from.
macro_rules! scope_of {
    ($family:literal) => {
        concat!(
            "SELECT p.address_scope_id FROM subnets s JOIN subnetpools p ON p.id = s.subnetpool_id ",
            "WHERE s.network_id = t.id AND s.ip_version = ",
            $family,
            " AND p.address_scope_id IS NOT NULL LIMIT 1"
        )
    };
}

resource! {
    /// A broadcast domain.
    Network = Resource::of("network", "networks").taggable().visible(concat!(
        "(t.project_id = :project OR EXISTS (SELECT 1 FROM rbac_policies r ",
        "WHERE r.object_id = t.id AND r.object_type = 'network' ",
        "AND r.target_project IN (:project, '*')))"
    ));
    id: Id = ro().filter().sort();
    name: Name = rw().text("").filter().sort();
    project_id: Text<255> = init().filter().sort().policy();
    admin_state_up: bool = rw().flag(true).filter().sort();
    mtu: i64 = rw().int(0).filter().sort().enforce().ext("net-mtu");
    status: Text<16> = ro().filter().sort();
    subnets: Vec<Id> = ro().child(&SUBNETS);
    shared: bool = rw().flag(false).filter().enforce().policy().sql(rbac::shared!("network"));
    availability_zone_hints: Zones = init().list().sort().ext("network_availability_zone");
    availability_zones: Vec<Text<255>> = ro().computed().ext("network_availability_zone");
    ipv4_address_scope: Option<Id> = ro().sql(scope_of!("4")).ext("address-scope");
    ipv6_address_scope: Option<Id> = ro().sql(scope_of!("6")).ext("address-scope");
    router_external: bool =
        rw().flag(false).filter().enforce().policy().wire("router:external").ext("external-net");
    is_default: bool = rw().flag(false).filter().enforce().policy();
    description: Text<255> = rw().text("").filter();
    port_security_enabled: bool = rw().flag(true).enforce().ext("port-security");
    dns_domain: DnsDomain = rw().text("").ext("dns-integration");
    vlan_transparent: Option<bool> = init().never_null().flag(false).filter();
    qinq: bool = init().flag(false).filter().ext("qinq");
    qos_policy_id: Option<Id> = rw().null().enforce();
    l2_adjacency: bool = ro().ext("l2_adjacency").sql(
        "NOT EXISTS (SELECT 1 FROM subnets s WHERE s.network_id = t.id AND s.segment_id IS NOT NULL)"
    );
    network_type: Option<Text<32>> = rw().never_null().unset().filter().enforce().ext("provider")
        .wire("provider:network_type").sql(provider::only!("network_type"));
    physical_network: Option<Text<64>> = rw().never_null().unset().filter().enforce()
        .ext("provider")
        .wire("provider:physical_network").sql(provider::only!("physical_network"));
    segmentation_id: Option<i64> = rw().never_null().unset().filter().enforce().ext("provider")
        .wire("provider:segmentation_id").sql(provider::only!("segmentation_id"));
    segments: Option<Vec<ProviderSegment>> = rw().unset().enforce().computed().ext("multi-provider");
    tags: Vec<Text<255>> = ro().child(&standard::TAGS);
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
    generation: i64 = ro().hidden();
    segment_rows: Vec<Raw> = ro().hidden().policy().child(&SEGMENTS);
}

/// The kind.
pub struct Networks;

/// The network, if the caller may refer to it.
///
/// # Errors
/// `NetworkNotFound`.
pub async fn get(call: &Call<'_>, id: Id) -> Result<Network> {
    let row = call.find(&TABLE, id).await?.ok_or_else(|| fault::network_not_found(id))?;
    Ok(Network::load(&row))
}

/// Advances the count of changes of a network's subnets and segments, if nobody was quicker.
pub fn advance(call: &Call<'_>, network: &Network) {
    call.tx
        .exec(
            "UPDATE networks SET generation = generation + 1 WHERE id = ? AND generation = ?",
            vec![Value::text(network.id.to_string()), Value::Int(network.generation)],
        )
        .expect(1, Error::Retry("the network's subnets or segments changed"));
    call.tx.mark(Unit::Network as i16, network.id);
}

impl Kind for Networks {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn quota(&self) -> Option<&'static str> {
        Some("network")
    }

    fn unit(&self) -> Option<Unit> {
        Some(Unit::Network)
    }

    fn not_found(&self, id: &str) -> Error {
        fault::network_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let wanted = provider::wanted(ask)?;
            refuse_unknown_references(call, ask)?;
            let mut row = ask.complete();
            standard::born(call, &mut row);
            row.set(at::status, "ACTIVE".into());
            // PARITY: making its segment is Neutron's first revision of a network.
            row.set(at::revision_number, 1);
            row.set(at::generation, 0);
            let segments = provider::choose(call, wanted).await?;
            transparency(call, ask, &segments)?;
            row.set(at::mtu, mtu::of_network(call.settings, &segments, ask.or_default(at::mtu))?);
            let external = ask.or_default(at::router_external);
            only_default(call, &row).await?;
            row.set(at::is_default, external && ask.or_default(at::is_default));
            if !row.project_id().is_empty() {
                // PARITY: with its first network a project gets its default group.
                security_group::default_group(call, row.project_id()).await?;
            }
            standard::insert(call, self, &row).await?;
            for (index, chosen) in (0_i64..).zip(&segments) {
                segment::store(call, row.id(), chosen, index)?;
            }
            rbac::share(call, "network", &row, ask.or_default(at::shared)).await?;
            if external {
                rbac::entry(call, "network", &row, rbac::EXTERNAL).await?;
            }
            port::metadata::create(call, row.id(), row.project_id()).await?;
            Ok(row)
        })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            refuse_unknown_references(call, ask)?;
            let mut row = ask.applied(old);
            standard::changed(call, &mut row);
            provider::change(call, old, ask).await?;
            if ask.names(at::mtu) {
                let segments = provider::of_row(old);
                let asked = ask.or_default(at::mtu);
                leave_room_for_ipv6(call, old.id(), asked).await?;
                row.set(at::mtu, mtu::of_network(call.settings, &segments, asked)?);
            }
            if let Some(shared) = ask.asked(at::shared) {
                rbac::set_shared(call, "network", old, shared).await?;
            }
            set_external(call, old, ask.asked(at::router_external)).await?;
            if !row.get(at::router_external) {
                row.set(at::is_default, false);
            }
            only_default(call, &row).await?;
            standard::update(call, self, old, &row)?;
            reads::changed(call, old, &row).await?;
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            let id = old.id();
            port::remove_autodelete(call, id).await?;
            if port::count_on_network(call, id).await? > 0 {
                return Err(fault::network_in_use(id));
            }
            remove_subnets(call, id).await?;
            segment::remove_of_network(call, id);
            standard::remove_or(call, self, old)
                .await?
                .or("fk_ports_network", fault::network_in_use(id))
                .or("fk_subnets_network", Error::Retry("a subnet was added"))
                .or("fk_segments_network", Error::Retry("a segment was added"));
            Ok(())
        })
    }

    fn fill(&self, settings: &Settings, _backend: &dyn Backend, rows: &mut [Row]) {
        for row in rows {
            if !settings.vlan_transparent {
                row.put(at::vlan_transparent.index, Value::Missing);
            }
            fill(row);
        }
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// One segment is shown in the `provider:` attributes, several in `segments`.
fn fill(row: &mut Row) {
    // A network is in the zones that were asked for it.
    let zones = row.get(at::availability_zone_hints).0.into_iter().map(|zone| Text(zone.0));
    let zones = zones.collect();
    row.set(at::availability_zones, zones);
    let segments = row.value(at::segment_rows.index).as_json().and_then(Json::as_array);
    let Some(segments) = segments.filter(|segments| segments.len() > 1) else { return };
    let shown = segments
        .iter()
        .map(|segment| {
            let mut shown = Map::new();
            for key in ["network_type", "physical_network", "segmentation_id"] {
                let value = segment.get(key).cloned().unwrap_or(Json::Null);
                shown.insert(format!("provider:{key}"), value);
            }
            Json::Object(shown)
        })
        .collect();
    row.put(at::segments.index, Value::json(Json::Array(shown)));
    for index in [at::network_type.index, at::physical_network.index, at::segmentation_id.index] {
        row.put(index, Value::Missing);
    }
}

/// References to kinds of which none can exist yet, and to zones that the data plane does not have.
fn refuse_unknown_references(call: &Call<'_>, ask: &Draft) -> Result<()> {
    if let Some(Some(policy)) = ask.asked(at::qos_policy_id) {
        return Err(fault::qos_policy_not_found(policy));
    }
    let zones = call.backend.availability_zones();
    let asked = ask.asked(at::availability_zone_hints).map(|hints| hints.0).unwrap_or_default();
    match asked.iter().find(|hint| !zones.contains(&hint.0)) {
        Some(unknown) => Err(fault::availability_zone_not_found(&unknown.0)),
        None => Ok(()),
    }
}

fn transparency(call: &Call<'_>, ask: &Draft, segments: &[segment::Chosen]) -> Result<()> {
    let transparent = ask.or_default(at::vlan_transparent) == Some(true);
    let stacked = ask.or_default(at::qinq);
    if transparent && stacked {
        return Err(fault::bad_request(
            "'vlan_transparent' and 'qinq' exclude each other; set one of them.",
        ));
    }
    let carried = |kind: &str| matches!(kind, "vlan" | "geneve" | "flat");
    let Some(kind) = segments.iter().map(|segment| segment.network_type.as_str()).next() else {
        return Ok(());
    };
    if transparent && (!call.settings.vlan_transparent || !carried(kind)) {
        return Err(fault::vlan_transparency(kind));
    }
    if stacked && kind != "vlan" {
        return Err(fault::vlan_qinq(kind));
    }
    Ok(())
}

/// IPv6 needs an MTU that IPv4 does not.
async fn leave_room_for_ipv6(call: &Call<'_>, network_id: Id, asked: i64) -> Result<()> {
    if asked == 0 || asked >= mtu::MTU_MIN_IPV6 {
        return Ok(());
    }
    let six = call
        .tx
        .rows(
            "SELECT id FROM subnets WHERE network_id = ? AND ip_version = 6 LIMIT 1",
            &[Value::text(network_id.to_string())],
        )
        .await?;
    match six.first().and_then(|row| row.first()).and_then(Value::as_text) {
        Some(_) => Err(fault::network_mtu_subnet_conflict(network_id, mtu::MTU_MIN_IPV6)),
        None => Ok(()),
    }
}

/// There is one default external network at most.
async fn only_default(call: &Call<'_>, row: &Row) -> Result<()> {
    if !row.get(at::is_default) {
        return Ok(());
    }
    let other = call
        .tx
        .rows(
            "SELECT id FROM networks WHERE is_default = ? AND id <> ? LIMIT 1",
            &[Value::Bool(true), Value::text(row.id().to_string())],
        )
        .await?;
    match other.first().and_then(|row| row.first()).and_then(Value::as_text) {
        Some(other) => Err(fault::default_external_network_exists(other)),
        None => Ok(()),
    }
}

async fn set_external(call: &Call<'_>, old: &Row, asked: Option<bool>) -> Result<()> {
    match (old.get(at::router_external), asked) {
        (false, Some(true)) => {
            rbac::entry(call, "network", old, rbac::EXTERNAL).await?;
        }
        (true, Some(false)) => {
            let ports = call
                .tx
                .rows(
                    "SELECT 1 FROM ports WHERE network_id = ? \
                     AND device_owner IN ('network:router_gateway', 'network:floatingip') LIMIT 1",
                    &[Value::text(old.id().to_string())],
                )
                .await?;
            if !ports.is_empty() {
                return Err(fault::external_network_in_use(old.id()));
            }
            rbac::remove_entries(
                call,
                "object_id = ? AND action = ?",
                vec![Value::text(old.id().to_string()), Value::text(rbac::EXTERNAL)],
            )
            .await?;
        }
        _ => {}
    }
    Ok(())
}

async fn remove_subnets(call: &Call<'_>, network_id: Id) -> Result<()> {
    let Some(subnets) = crate::kind("subnets") else {
        return Ok(());
    };
    for id in ids(call, "SELECT id FROM subnets WHERE network_id = ?", network_id).await? {
        if let Some(row) = call.tx.find(subnets.table(), &call.everything(), id).await? {
            subnets.delete(call, &row).await?;
        }
    }
    Ok(())
}

async fn ids(call: &Call<'_>, sql: &'static str, network_id: Id) -> Result<Vec<Id>> {
    let rows = call.tx.rows(sql, &[Value::text(network_id.to_string())]).await?;
    Ok(rows
        .iter()
        .filter_map(|row| row.first().and_then(Value::as_text).and_then(Id::read))
        .collect())
}
