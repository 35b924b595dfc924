//! How a port is plugged in on a host: what the data plane says, and the segments it goes through.
//! Not here: which binding of a port is the active one (`binding`).

use serde_json::{Map, Value as Json};
use wire::fault::{Error, Result};
use wire::types::Id;
use wire::types::mac::Mac;
use wire::types::profile::Dict;
use wire::types::words::VnicType;
use wire::value::Value;

use crate::backend::{Plug, PlugAsk};
use crate::kind::Call;

/// `vif_type` of a binding without a host.
pub const UNBOUND: &str = "unbound";
/// `vif_type` where the data plane cannot take the port.
pub const FAILED: &str = "binding_failed";
/// `vif_type` of router ports that are on many hosts.
pub const DISTRIBUTED: &str = "distributed";
/// `device_owner` of router ports that are on many hosts.
pub const DISTRIBUTED_OWNER: &str = "network:router_interface_distributed";
/// Key of `binding:vif_details` that names the driver of each level.
pub const BOUND_DRIVERS: &str = "bound_drivers";

/// What is wanted of a binding.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// The host; empty: none.
    pub host: String,
    /// The kind of card.
    pub vnic_type: VnicType,
    /// What the hypervisor and the data plane tell each other.
    pub profile: Dict,
}

/// A wish with what the data plane made of it.
#[derive(Clone, Debug)]
pub struct Plugged {
    /// The wish.
    pub wish: Wish,
    /// How the port is plugged in.
    pub vif_type: String,
    /// More about it.
    pub vif_details: Map<String, Json>,
    /// The driver and the segment of its only level; `None` where nothing is plugged in.
    pub level: Option<(&'static str, Id)>,
}

impl Plugged {
    /// A wish that is plugged in nowhere.
    pub fn nowhere(wish: Wish) -> Self {
        Self { wish, vif_type: UNBOUND.into(), vif_details: Map::new(), level: None }
    }

    /// True when the data plane has taken the port.
    pub fn is_bound(&self) -> bool {
        is_bound(&self.vif_type)
    }

    /// The MAC address that the device itself has, of a port that is a whole physical function:
    /// `Some(None)` where it has one and nobody has said which.
    /// PARITY: such a port takes its device's address when it is bound.
    pub fn device_mac(&self) -> Option<Option<Mac>> {
        if self.wish.vnic_type != VnicType::DirectPhysical || !self.is_bound() {
            return None;
        }
        let given = self.wish.profile.get("device_mac_address").and_then(Json::as_str);
        Some(given.and_then(Mac::read))
    }
}

/// True when a port with this `vif_type` is plugged in.
pub fn is_bound(vif_type: &str) -> bool {
    vif_type != UNBOUND && vif_type != FAILED
}

/// A segment that a port may be plugged into.
struct Segment {
    id: Id,
    network_type: String,
    physical_network: Option<String>,
}

/// Asks the data plane. A port is plugged into the first segment of its network that its host
/// reaches.
///
/// # Errors
/// Those of the database.
pub async fn plug(call: &Call<'_>, port_id: Id, network_id: Id, wish: Wish) -> Result<Plugged> {
    if wish.host.is_empty() {
        return Ok(Plugged::nowhere(wish));
    }
    let mut last = None;
    for segment in segments(call, network_id).await? {
        let plug = call.backend.plug(&PlugAsk {
            port_id,
            host: &wish.host,
            vnic_type: wish.vnic_type,
            profile: &wish.profile,
            network_type: &segment.network_type,
            physical_network: segment.physical_network.as_deref(),
        });
        let bound = is_bound(plug.vif_type);
        last = Some((plug, segment.id));
        if bound {
            break;
        }
    }
    Ok(match last {
        Some((plug, segment_id)) => plugged(wish, plug, segment_id),
        None => Plugged::nowhere(wish),
    })
}

fn plugged(wish: Wish, plug: Plug, segment_id: Id) -> Plugged {
    let bound = is_bound(plug.vif_type);
    let mut vif_details = plug.vif_details;
    if bound {
        vif_details.insert(BOUND_DRIVERS.into(), serde_json::json!({"0": plug.driver}));
    }
    let level = bound.then_some((plug.driver, segment_id));
    Plugged { wish, vif_type: plug.vif_type.into(), vif_details, level }
}

/// The segments of a network, in their order.
async fn segments(call: &Call<'_>, network_id: Id) -> Result<Vec<Segment>> {
    let rows = call
        .tx
        .rows(
            "SELECT id, network_type, physical_network FROM segments \
             WHERE network_id = ? ORDER BY segment_index",
            &[Value::text(network_id.to_string())],
        )
        .await?;
    let read = |row: &Vec<Value>| match row.as_slice() {
        [id, network_type, physical_network] => Some(Segment {
            id: id.as_text().and_then(Id::read)?,
            network_type: network_type.as_text()?.to_owned(),
            physical_network: physical_network.as_text().map(str::to_owned),
        }),
        _ => None,
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// Stores the levels of a binding.
pub fn set_levels(call: &Call<'_>, port_id: Id, plugged: &Plugged) {
    let Some((driver, segment_id)) = plugged.level else {
        return;
    };
    call.tx
        .exec(
            "INSERT INTO port_binding_levels (port_id, host, level, driver, segment_id) \
             VALUES (?, ?, ?, ?, ?)",
            vec![
                Value::text(port_id.to_string()),
                Value::text(&*plugged.wish.host),
                Value::Int(0),
                Value::text(driver),
                Value::text(segment_id.to_string()),
            ],
        )
        .or("fk_port_binding_levels_segment", Error::Retry("the network's segment is gone"));
}

/// Forgets the levels of a binding.
pub fn clear_levels(call: &Call<'_>, port_id: Id, host: &str) {
    if host.is_empty() {
        return;
    }
    call.tx.exec(
        "DELETE FROM port_binding_levels WHERE port_id = ? AND host = ?",
        vec![Value::text(port_id.to_string()), Value::text(host)],
    );
}
