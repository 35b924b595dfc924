//! Which segments a network gets: those that are asked for, checked, or one of the operator's
//! ranges. That no two networks get the same one is decided by the key of `segment_allocations`.

use sql::Write;
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::row::Row;
use wire::types::segment::ProviderSegment;
use wire::value::Value;

use super::at;
use crate::kind::Call;
use crate::segment::{self, Chosen};
use crate::settings::Settings;

/// A column of a network's only segment; null where it has several.
macro_rules! only {
    ($column:literal) => {
        concat!(
            "SELECT g.",
            $column,
            " FROM segments g WHERE g.network_id = t.id AND (SELECT COUNT(*) FROM segments o ",
            "WHERE o.network_id = t.id) = 1"
        )
    };
}
pub(crate) use only;

/// VLAN ids that can be used.
const VLAN_IDS: (i64, i64) = (1, 4094);
/// Random ids that are tried at once before a range is read whole.
const CANDIDATES: usize = 8;

/// The segments that are asked for; none: the operator's choice.
///
/// # Errors
/// 400 for both ways of asking at once, for one without a type, and for the same one twice.
pub fn wanted(ask: &Draft) -> Result<Vec<ProviderSegment>> {
    let one = ProviderSegment {
        network_type: ask.asked(at::network_type).flatten(),
        physical_network: ask.asked(at::physical_network).flatten(),
        segmentation_id: ask.asked(at::segmentation_id).flatten(),
    };
    if ask.asked(at::segments) == Some(None) {
        return Err(fault::bad_request("'segments' must be a list, not null."));
    }
    let many = ask.asked(at::segments).flatten().unwrap_or_default();
    if one != ProviderSegment::default() {
        if !many.is_empty() {
            return Err(fault::segments_with_provider());
        }
        return Ok(vec![one]);
    }
    for (index, segment) in many.iter().enumerate() {
        let whole = segment.network_type.is_some()
            && (segment.physical_network.is_some() || segment.segmentation_id.is_some());
        if whole && many.iter().skip(index + 1).any(|other| other == segment) {
            return Err(fault::segments_duplicate());
        }
    }
    Ok(many)
}

/// Chooses the segments of a new network.
///
/// # Errors
/// `InvalidInput` for what the operator does not offer, `NoNetworkAvailable` when all is taken.
pub async fn choose(call: &Call<'_>, wanted: Vec<ProviderSegment>) -> Result<Vec<Chosen>> {
    if wanted.is_empty() {
        for network_type in &call.settings.network_types {
            let ask = Chosen {
                network_type: network_type.clone(),
                physical_network: None,
                segmentation_id: None,
                open: true,
            };
            if let Some(chosen) = complete(call, ask, &[]).await? {
                return Ok(vec![chosen]);
            }
        }
        return Err(fault::no_network_available());
    }
    let mut chosen: Vec<Chosen> = Vec::with_capacity(wanted.len());
    for segment in wanted {
        let ask = check(call.settings, &segment)?;
        let taken = complete(call, ask, &chosen).await?;
        chosen.push(taken.ok_or_else(fault::no_network_available)?);
    }
    Ok(chosen)
}

/// Chooses one more segment for a network.
///
/// # Errors
/// As [`choose`].
pub async fn choose_one(call: &Call<'_>, wanted: &ProviderSegment) -> Result<Chosen> {
    let ask = check(call.settings, wanted)?;
    complete(call, ask, &[]).await?.ok_or_else(fault::no_network_available)
}

/// Checks a segment against what its type permits and the operator offers.
fn check(settings: &Settings, segment: &ProviderSegment) -> Result<Chosen> {
    let refuse = |why: String| Err(fault::invalid_input(why));
    let Some(kind) = segment.network_type.as_ref().map(|kind| kind.as_str()) else {
        return refuse(format!(
            "'provider:network_type' must be one of {} where another 'provider:' attribute is given.",
            settings.type_drivers.join(", ")
        ));
    };
    if !settings.type_drivers.iter().any(|driver| driver == kind) {
        return refuse(format!(
            "'provider:network_type' must be one of {}, not {}.",
            settings.type_drivers.join(", "),
            wire::types::quoted(&serde_json::Value::from(kind))
        ));
    }
    let physical = segment.physical_network.as_ref().map(|name| name.as_str());
    let id = segment.segmentation_id;
    match (kind, physical, id) {
        ("local", None, None) => {}
        ("local", ..) => {
            return refuse("A local network takes no other 'provider:' attribute.".into());
        }
        ("flat", Some(name), None) if is_flat(settings, name) => {}
        ("flat", Some(name), None) => {
            return refuse(format!(
                "'provider:physical_network' of a flat network must be one of {}, not {name}.",
                settings.flat_networks.join(", ")
            ));
        }
        ("flat", None, _) => {
            return refuse("A flat network needs 'provider:physical_network'.".into());
        }
        ("flat", Some(_), Some(_)) => {
            return refuse("A flat network takes no 'provider:segmentation_id'.".into());
        }
        ("vlan", physical, id) => check_vlan(settings, physical, id)?,
        (kind, Some(_), _) => {
            return refuse(format!("A {kind} network takes no 'provider:physical_network'."));
        }
        (kind, None, Some(id)) => check_tunnel(kind, id)?,
        (_, None, None) => {}
    }
    Ok(Chosen {
        network_type: kind.to_owned(),
        physical_network: physical.map(str::to_owned),
        segmentation_id: id,
        open: id.is_none(),
    })
}

fn is_flat(settings: &Settings, name: &str) -> bool {
    settings.flat_networks.iter().any(|flat| flat == "*" || flat == name)
}

fn check_vlan(settings: &Settings, physical: Option<&str>, id: Option<i64>) -> Result<()> {
    let (first, last) = VLAN_IDS;
    match (physical, id) {
        (None, Some(_)) => Err(fault::invalid_input(
            "A VLAN with 'provider:segmentation_id' needs 'provider:physical_network' too.",
        )),
        (_, Some(id)) if !(first..=last).contains(&id) => Err(fault::invalid_input(format!(
            "'provider:segmentation_id' of a VLAN must be from {first} to {last}, not {id}."
        ))),
        (Some(name), _) if !settings.vlan_ranges.iter().any(|r| r.physical_network == name) => {
            let known: Vec<&str> =
                settings.vlan_ranges.iter().map(|r| r.physical_network.as_str()).collect();
            Err(fault::invalid_input(format!(
                "'provider:physical_network' of a VLAN must be one of {}, not {name}.",
                known.join(", ")
            )))
        }
        (Some(name), None)
            if !settings
                .vlan_ranges
                .iter()
                .any(|range| range.physical_network == name && range.ids.is_some()) =>
        {
            Err(fault::invalid_input(format!(
                "'provider:segmentation_id' is needed: {name} has no range of VLANs to choose from."
            )))
        }
        _ => Ok(()),
    }
}

fn check_tunnel(kind: &str, id: i64) -> Result<()> {
    let most = match kind {
        "gre" => 4_294_967_295,
        // PARITY: OVN keeps the rest for its own tunnels.
        "geneve" => 16_711_680,
        _ => 16_777_215,
    };
    if (1..=most).contains(&id) {
        return Ok(());
    }
    Err(fault::invalid_input(format!(
        "'provider:segmentation_id' of a {kind} network must be from 1 to {most}, not {id}."
    )))
}

/// Chooses what was left open. `None`: nothing is free.
async fn complete(call: &Call<'_>, ask: Chosen, beside: &[Chosen]) -> Result<Option<Chosen>> {
    if ask.segmentation_id.is_some() || matches!(ask.network_type.as_str(), "local" | "flat") {
        return Ok(Some(ask));
    }
    for (physical_network, range) in ranges(call.settings, &ask) {
        let name = physical_network.clone().unwrap_or_default();
        let taken_beside = |id: i64| {
            beside.iter().any(|other| {
                other.network_type == ask.network_type
                    && other.physical_network == physical_network
                    && other.segmentation_id == Some(id)
            })
        };
        let free = free_id(call, &ask.network_type, &name, range, &taken_beside).await?;
        if let Some(id) = free {
            return Ok(Some(Chosen { physical_network, segmentation_id: Some(id), ..ask }));
        }
    }
    Ok(None)
}

/// The ranges that an open segment may be chosen from.
fn ranges(settings: &Settings, ask: &Chosen) -> Vec<(Option<String>, (i64, i64))> {
    if ask.network_type != "vlan" {
        return settings.vni_ranges.iter().map(|range| (None, *range)).collect();
    }
    settings
        .vlan_ranges
        .iter()
        .filter(|range| ask.physical_network.as_ref().is_none_or(|p| *p == range.physical_network))
        .filter_map(|range| range.ids.map(|ids| (Some(range.physical_network.clone()), ids)))
        .collect()
}

/// A free id of a range: a few at random, and when all are taken, one of those that are left.
async fn free_id(
    call: &Call<'_>,
    network_type: &str,
    physical_network: &str,
    (first, last): (i64, i64),
    taken_beside: &(dyn Fn(i64) -> bool + Send + Sync),
) -> Result<Option<i64>> {
    if last < first {
        return Ok(None);
    }
    let dice = |_| first + random(call) % (last - first + 1);
    let mut candidates: Vec<i64> = (0..CANDIDATES).map(dice).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let marks = vec!["?"; candidates.len()].join(", ");
    let sql = format!(
        "SELECT segmentation_id FROM segment_allocations \
         WHERE network_type = ? AND physical_network = ? AND segmentation_id IN ({marks})"
    );
    let mut params = vec![Value::text(network_type), Value::text(physical_network)];
    params.extend(candidates.iter().map(|id| Value::Int(*id)));
    let taken = numbers(call.tx.rows(&sql, &params).await?);
    let free = |id: &i64| !taken.contains(id) && !taken_beside(*id);
    if let Some(id) = candidates.iter().copied().find(|id| free(id)) {
        return Ok(Some(id));
    }
    let rows = call
        .tx
        .rows(
            "SELECT segmentation_id FROM segment_allocations WHERE network_type = ? \
             AND physical_network = ? AND segmentation_id >= ? AND segmentation_id <= ?",
            &[
                Value::text(network_type),
                Value::text(physical_network),
                Value::Int(first),
                Value::Int(last),
            ],
        )
        .await?;
    let taken: std::collections::HashSet<i64> = numbers(rows).into_iter().collect();
    let free: Vec<i64> =
        (first..=last).filter(|id| !taken.contains(id) && !taken_beside(*id)).take(1024).collect();
    let place = usize::try_from(random(call)).unwrap_or(0) % free.len().max(1);
    Ok(free.get(place).copied())
}

fn random(call: &Call<'_>) -> i64 {
    let bytes = call.ctx.new_id().0.as_u128();
    i64::try_from(bytes & 0x7fff_ffff).unwrap_or(0)
}

fn numbers(rows: Vec<Vec<Value>>) -> Vec<i64> {
    rows.iter().filter_map(|row| row.first().and_then(Value::as_int)).collect()
}

/// Takes a segment for good: its key is unique.
pub fn take(call: &Call<'_>, chosen: &Chosen, segment_id: &str) -> Option<Write> {
    if chosen.network_type == "local" {
        return None;
    }
    let physical = chosen.physical_network.clone().unwrap_or_default();
    let id = chosen.segmentation_id.unwrap_or(0);
    let fault = match chosen.network_type.as_str() {
        _ if chosen.open && chosen.network_type != "flat" => Error::Retry("the segment was taken"),
        "flat" => fault::flat_network_in_use(&physical),
        "vlan" => fault::vlan_id_in_use(id, &physical),
        _ => fault::tunnel_id_in_use(id),
    };
    let write = call.tx.exec(
        "INSERT INTO segment_allocations \
         (network_type, physical_network, segmentation_id, segment_id) VALUES (?, ?, ?, ?)",
        vec![
            Value::text(&*chosen.network_type),
            Value::Text(physical),
            Value::Int(id),
            Value::text(segment_id),
        ],
    );
    Some(write.or("pk_segment_allocations", fault))
}

/// The segments that a network has, as its row was read.
pub fn of_row(row: &Row) -> Vec<Chosen> {
    let stored = row.value(at::segment_rows.index).as_json();
    let Some(segments) = stored.and_then(serde_json::Value::as_array) else {
        return Vec::new();
    };
    let text = |segment: &serde_json::Value, key: &str| {
        segment.get(key).and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    segments
        .iter()
        .map(|segment| Chosen {
            network_type: text(segment, "network_type").unwrap_or_default(),
            physical_network: text(segment, "physical_network"),
            segmentation_id: segment.get("segmentation_id").and_then(serde_json::Value::as_i64),
            open: false,
        })
        .collect()
}

/// Changes the VLAN of a network that has one.
///
/// # Errors
/// `InvalidInput` for every other change of how a network is realised.
pub async fn change(call: &Call<'_>, old: &Row, ask: &Draft) -> Result<()> {
    if ask.names(at::segments) {
        return Err(fault::invalid_input(
            "'segments' cannot be changed here; add and remove segments in /v2.0/segments.",
        ));
    }
    let segments = of_row(old);
    let same = |asked: Option<Option<String>>, have: Option<String>| {
        asked.is_none_or(|asked| asked == have)
    };
    let text = |asked: Option<wire::types::Text<32>>| asked.map(|text| text.0);
    let wide = |asked: Option<wire::types::Text<64>>| asked.map(|text| text.0);
    let first = segments.first();
    let unchanged = same(
        ask.asked(at::network_type).map(text),
        first.map(|segment| segment.network_type.clone()),
    ) && same(
        ask.asked(at::physical_network).map(wide),
        first.and_then(|segment| segment.physical_network.clone()),
    );
    let Some(asked) = ask.asked(at::segmentation_id) else {
        return if unchanged { Ok(()) } else { Err(fixed()) };
    };
    let (Some(id), [segment], true) = (asked, segments.as_slice(), unchanged) else {
        return Err(fixed());
    };
    if segment.segmentation_id == Some(id) {
        return Ok(());
    }
    if segment.network_type != "vlan" {
        return Err(fixed());
    }
    check_vlan(call.settings, segment.physical_network.as_deref(), Some(id))?;
    segment::renumber(call, old.id(), segment, id).await
}

fn fixed() -> Error {
    fault::invalid_input(
        "Of the 'provider:' attributes only 'provider:segmentation_id' of a VLAN can be changed.",
    )
}
