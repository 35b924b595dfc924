//! Segments: the pieces of a physical or tunnelled network that a network is made of.

use wire::attr::Resource;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::resource;
use wire::row::{Record, Row};
use wire::types::name::Name;
use wire::types::segment::ProviderSegment;
use wire::types::{Id, Text};
use wire::value::Value;

use crate::kind::{Call, Kind, Pending, Verbs};
use crate::network::{self, mtu, provider};
use crate::standard;
use crate::unit::Unit;

resource! {
    /// One piece of a network.
    Segment = Resource::of("segment", "segments").ext("segment").visible("1=1").taggable();
    id: Id = ro().filter().sort();
    network_id: Id = init().filter().sort();
    project_id: Text<255> = init().ask();
    network_type: Text<32> = init().filter().sort();
    physical_network: Option<Text<64>> = init().never_null().unset().filter().sort();
    segmentation_id: Option<i64> = init().never_null().unset().sort();
    name: Option<Name> = rw().unset().filter().sort();
    description: Text<255> = rw().text("").filter().ext("standard-attr-segment");
    segment_index: i64 = ro().hidden();
    tags: Vec<Text<255>> = ro().hidden().child(&standard::TAGS);
    created_at: Text<20> = ro();
    updated_at: Text<20> = ro();
    revision_number: i64 = ro().filter();
}

/// The kind.
pub struct Segments;

/// How a segment is realised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// local, flat, vlan, geneve, vxlan or gre.
    pub network_type: String,
    /// The physical network, of flat and VLAN segments.
    pub physical_network: Option<String>,
    /// The VLAN or tunnel id.
    pub segmentation_id: Option<i64>,
    /// The id was chosen here: if somebody is quicker, another will do.
    pub open: bool,
}

impl Kind for Segments {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn verbs(&self) -> Verbs {
        Verbs { bulk: true, ..Verbs::ALL }
    }

    fn not_found(&self, id: &str) -> Error {
        fault::segment_not_found(id)
    }

    fn create<'a>(&'a self, call: &'a Call<'a>, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let network = network::get(call, ask.or_default(at::network_id)).await?;
            let wanted = ProviderSegment {
                network_type: Some(ask.or_default(at::network_type)),
                physical_network: ask.asked(at::physical_network).flatten(),
                segmentation_id: ask.asked(at::segmentation_id).flatten(),
            };
            let chosen = provider::choose_one(call, &wanted).await?;
            mtu::of_network(call.settings, std::slice::from_ref(&chosen), network.mtu)?;
            let mut row = ask.complete();
            standard::born(call, &mut row);
            row.set(at::name, ask.asked(at::name).flatten());
            row.set(at::physical_network, chosen.physical_network.clone().map(Text));
            row.set(at::segmentation_id, chosen.segmentation_id);
            row.set(at::segment_index, next_index(call, network.id).await?);
            standard::insert(call, self, &row)
                .await?
                .or("fk_segments_network", fault::network_not_found(network.id));
            provider::take(call, &chosen, &row.id().to_string());
            network::advance(call, &network);
            Ok(row)
        })
    }

    fn update<'a>(&'a self, call: &'a Call<'a>, old: &'a Row, ask: &'a Draft) -> Pending<'a, Row> {
        Box::pin(async move {
            let mut row = ask.applied(old);
            standard::changed(call, &mut row);
            standard::update(call, self, old, &row)?;
            Ok(row)
        })
    }

    fn delete<'a>(&'a self, call: &'a Call<'a>, old: &'a Row) -> Pending<'a, ()> {
        Box::pin(async move {
            let segment = Segment::load(old);
            let in_use = |why: &str| fault::segment_in_use(segment.id, why);
            for (sql, why) in [
                ("SELECT 1 FROM subnets WHERE segment_id = ? LIMIT 1", "it has subnets"),
                (
                    "SELECT 1 FROM port_binding_levels WHERE segment_id = ? LIMIT 1",
                    "ports are bound through it",
                ),
            ] {
                let used = call.tx.rows(sql, &[Value::text(segment.id.to_string())]).await?;
                if !used.is_empty() {
                    return Err(in_use(why));
                }
            }
            standard::remove_or(call, self, old)
                .await?
                .or("fk_subnets_segment", in_use("it has subnets"));
            call.tx.mark(Unit::Network as i16, segment.network_id);
            Ok(())
        })
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

async fn next_index(call: &Call<'_>, network_id: Id) -> Result<i64> {
    let rows = call
        .tx
        .rows(
            "SELECT MAX(segment_index) FROM segments WHERE network_id = ?",
            &[Value::text(network_id.to_string())],
        )
        .await?;
    let last = rows.first().and_then(|row| row.first()).and_then(Value::as_int);
    Ok(last.map_or(0, |last| last + 1))
}

/// Stores a segment of a network that is being made.
///
/// # Errors
/// Those of the database when they surface; a segment that was asked for and is taken.
pub fn store(call: &Call<'_>, network_id: Id, chosen: &Chosen, index: i64) -> Result<()> {
    let mut row = Draft::blank(&TABLE, wire::draft::Verb::Create).complete();
    standard::born(call, &mut row);
    row.set(at::network_id, network_id);
    row.set(at::name, None);
    row.set(at::network_type, Text(chosen.network_type.clone()));
    row.set(at::physical_network, chosen.physical_network.clone().map(Text));
    row.set(at::segmentation_id, chosen.segmentation_id);
    row.set(at::segment_index, index);
    call.tx.insert(&row)?;
    provider::take(call, chosen, &row.id().to_string());
    Ok(())
}

/// Removes the segments of a network that is being removed; what they took is given back.
pub fn remove_of_network(call: &Call<'_>, network_id: Id) {
    call.tx.exec(
        "DELETE FROM segments WHERE network_id = ?",
        vec![Value::text(network_id.to_string())],
    );
}

/// Gives the only segment of a network another VLAN.
///
/// # Errors
/// `VlanIdInUse`.
pub async fn renumber(call: &Call<'_>, network_id: Id, old: &Chosen, vlan_id: i64) -> Result<()> {
    let network = Value::text(network_id.to_string());
    let physical = old.physical_network.clone().unwrap_or_default();
    call.tx
        .exec(
            "UPDATE segment_allocations SET segmentation_id = ? WHERE network_type = 'vlan' \
             AND physical_network = ? AND segmentation_id = ?",
            vec![
                Value::Int(vlan_id),
                Value::text(&*physical),
                Value::Int(old.segmentation_id.unwrap_or(0)),
            ],
        )
        .or("pk_segment_allocations", fault::vlan_id_in_use(vlan_id, &physical))
        .expect(1, Error::Retry("the network's segment changed"));
    call.tx.exec(
        "UPDATE segments SET segmentation_id = ?, revision_number = revision_number + 1, \
         updated_at = ? WHERE network_id = ?",
        vec![Value::Int(vlan_id), Value::Text(call.ctx.now_text()), network],
    );
    Ok(())
}
