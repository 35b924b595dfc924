//! Whether a port is ACTIVE: what the data plane shows of it, measured by what is stored. The
//! status is only ever changed by comparing both, whatever made somebody look. Not here: looking
//! (`ovn`).

use sql::Tx;
use wire::attr::Wire;
use wire::fault::Result;
use wire::row::Row;
use wire::types::Id;
use wire::types::words::VnicType;
use wire::value::Value;

use super::{Ports, TABLE, at};
use crate::binding::plug;
use crate::kind::Call;
use crate::{nova_event, standard};

/// The status of ports whose flows are installed.
pub const ACTIVE: &str = "ACTIVE";
/// The status of all others.
pub const DOWN: &str = "DOWN";

/// What is stored of a port, as far as its status depends on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: Id,
    /// `status`
    pub status: String,
    /// `admin_state_up`
    pub admin_state_up: bool,
    /// The host of its active binding; empty: none.
    pub host: String,
    /// `binding:vnic_type`
    pub vnic_type: VnicType,
    /// `binding:vif_type`
    pub vif_type: String,
    /// `binding:profile`'s `migrating_to`: the host that its machine is on its way to.
    pub migrating_to: Option<String>,
    /// `binding:vif_details`' `parent_hostname`: where an address that ports share is used.
    pub parent_hostname: Option<String>,
}

/// What the data plane shows of a port. The default: it knows nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Its flows are installed.
    pub is_up: bool,
    /// The names of the host that it is on.
    pub on: Vec<String>,
    /// The hosts that are ready to take it over.
    pub ready: Vec<String>,
    /// Its machine's device is on the new host before the machine is.
    pub is_awaited: bool,
}

const SELECT: &str = "SELECT p.id, p.status, p.admin_state_up, b.host, b.vnic_type, b.vif_type, \
     b.profile, b.vif_details FROM ports p LEFT JOIN port_bindings b ON b.active_port = p.id";

/// What is stored of these ports.
///
/// # Errors
/// Those of the database.
pub async fn stored(tx: &Tx, ids: &[Id]) -> Result<Vec<Stored>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{SELECT} WHERE p.id IN ({})", vec!["?"; ids.len()].join(", "));
    let keys: Vec<Value> = ids.iter().map(Wire::store).collect();
    Ok(tx.rows(&sql, &keys).await?.iter().filter_map(|row| Stored::read(row)).collect())
}

/// What is stored of all ports, piece by piece: those after this one.
///
/// # Errors
/// Those of the database.
pub async fn after(tx: &Tx, last: &str, limit: usize) -> Result<Vec<Stored>> {
    let sql = format!("{SELECT} WHERE p.id > ? ORDER BY p.id LIMIT {limit}");
    let rows = tx.rows(&sql, &[Value::text(last)]).await?;
    Ok(rows.iter().filter_map(|row| Stored::read(row)).collect())
}

impl Stored {
    fn read(row: &[Value]) -> Option<Self> {
        let [id, status, admin_state_up, host, vnic_type, vif_type, profile, vif_details] = row
        else {
            return None;
        };
        let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
        Some(Self {
            id: Id::load(id)?,
            status: text(status),
            admin_state_up: bool::load(admin_state_up).unwrap_or(true),
            host: text(host),
            vnic_type: VnicType::load(vnic_type).unwrap_or(VnicType::Normal),
            vif_type: text(vif_type),
            migrating_to: member(profile, "migrating_to").filter(|host| !host.is_empty()),
            parent_hostname: member(vif_details, "parent_hostname"),
        })
    }

    /// What a port's row holds.
    #[must_use]
    pub fn of(port: &Row) -> Self {
        let text = |index: usize| port.value(index).as_text().unwrap_or_default().to_owned();
        Self {
            id: port.id(),
            status: text(at::status.index),
            admin_state_up: port.get(at::admin_state_up),
            host: port.get(at::host_id).map_or_else(String::new, |host| host.0),
            vnic_type: port.get(at::vnic_type),
            vif_type: text(at::vif_type.index),
            migrating_to: member(port.value(at::profile.index), "migrating_to")
                .filter(|host| !host.is_empty()),
            parent_hostname: member(port.value(at::vif_details.index), "parent_hostname"),
        }
    }

    /// The status that it should have: ACTIVE when it is wanted up, is bound, and is up on the host
    /// that it is bound to. A port whose machine is on its way is so only when the new host is
    /// ready for it too, because that is what the hypervisor waits for.
    #[must_use]
    pub fn wanted(&self, seen: &Sighting) -> &'static str {
        let is_there = match self.vnic_type {
            // It is bound to the machine, and on the card in it.
            VnicType::RemoteManaged => !seen.on.is_empty(),
            _ => seen.on.contains(&self.host),
        };
        let is_ready = match &self.migrating_to {
            Some(next) if seen.is_awaited && *next != self.host => seen.ready.contains(next),
            _ => true,
        };
        let is_bound = !self.host.is_empty() && plug::is_bound(&self.vif_type);
        let is_active = self.admin_state_up && is_bound && seen.is_up && is_there && is_ready;
        if is_active { ACTIVE } else { DOWN }
    }
}

/// A text in a stored object.
fn member(stored: &Value, key: &str) -> Option<String> {
    let text = |object: &serde_json::Value| object.get(key)?.as_str().map(str::to_owned);
    match stored {
        Value::Json(object) => text(object),
        Value::Text(json) if json.contains(key) => text(&serde_json::from_str(json).ok()?),
        _ => None,
    }
}

/// Gives a port the status that it should have by what the data plane shows now, as `see` tells it,
/// and records for Nova that it changed; whether it did. A port that is gone has none.
///
/// # Errors
/// Those of the database.
pub async fn compare(
    call: &Call<'_>,
    port_id: Id,
    see: impl Fn(&Stored) -> Sighting,
) -> Result<bool> {
    let Some(port) = call.tx.find(&TABLE, &call.everything(), port_id).await? else {
        return Ok(false);
    };
    let stored = Stored::of(&port);
    let status = stored.wanted(&see(&stored));
    if stored.status == status {
        return Ok(false);
    }
    let mut new = port.clone();
    new.set(at::status, status.into());
    standard::changed(call, &mut new);
    standard::update(call, &Ports, &port, &new)?;
    nova_event::status_changed(call, &port, &new).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Stored {
        Stored {
            id: Id::random(),
            status: DOWN.into(),
            admin_state_up: true,
            host: "h1".into(),
            vnic_type: VnicType::Normal,
            vif_type: "ovs".into(),
            migrating_to: None,
            parent_hostname: None,
        }
    }

    fn up_on(host: &str) -> Sighting {
        Sighting { is_up: true, on: vec![host.into()], is_awaited: true, ..Sighting::default() }
    }

    #[test]
    fn a_port_is_active_where_it_is_bound_and_up_and_nowhere_else() {
        assert_eq!(bound().wanted(&up_on("h1")), ACTIVE);
        assert_eq!(bound().wanted(&Sighting { is_up: false, ..up_on("h1") }), DOWN);
        assert_eq!(bound().wanted(&up_on("h2")), DOWN, "it has moved and is not there yet");
        assert_eq!(bound().wanted(&Sighting::default()), DOWN, "nobody has it");
        for (stored, why) in [
            (Stored { admin_state_up: false, ..bound() }, "nobody wants it up"),
            (Stored { vif_type: plug::FAILED.into(), ..bound() }, "it could not be plugged in"),
            (Stored { vif_type: plug::UNBOUND.into(), host: String::new(), ..bound() }, "unbound"),
        ] {
            assert_eq!(stored.wanted(&up_on("h1")), DOWN, "{why}");
        }
    }

    #[test]
    fn a_card_with_its_own_processor_is_up_on_another_host_than_its_machine() {
        let port = Stored { vnic_type: VnicType::RemoteManaged, ..bound() };
        assert_eq!(port.wanted(&up_on("dpu1")), ACTIVE);
        assert_eq!(port.wanted(&Sighting::default()), DOWN);
    }

    #[test]
    fn a_port_on_its_way_is_active_when_the_new_host_is_ready() {
        let port = Stored { migrating_to: Some("h2".into()), ..bound() };
        assert_eq!(port.wanted(&up_on("h1")), DOWN);
        let ready = Sighting { ready: vec!["h2".into()], ..up_on("h1") };
        assert_eq!(port.wanted(&ready), ACTIVE);
        let unawaited = Sighting { is_awaited: false, ..up_on("h1") };
        assert_eq!(port.wanted(&unawaited), ACTIVE, "its device comes with its machine");
        let arrived = Stored { host: "h2".into(), ..port };
        assert_eq!(arrived.wanted(&up_on("h2")), ACTIVE);
    }
}
