//! What Nova has to be told about its ports, as rows that are written in the transaction that
//! changes the port. So nothing is told that did not happen, and what happened is told even if this
//! process ends before. Not here: telling it (crate `nova`).

pub mod queue;

use sql::Tx;
use wire::fault::{Error, Result};
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

use crate::kind::Call;
use crate::port::at;
use crate::unit::Unit;

/// What can have happened; the names are Nova's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The port's flows are installed (`true`), or its binding is in error.
    Plugged(bool),
    /// The port was ACTIVE and is DOWN.
    Unplugged,
    /// The port is gone.
    Deleted,
    /// Something about the port changed that servers show: addresses, groups, names.
    Changed,
}

impl Event {
    /// The `name` of the event.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plugged(_) => "network-vif-plugged",
            Self::Unplugged => "network-vif-unplugged",
            Self::Deleted => "network-vif-deleted",
            Self::Changed => "network-changed",
        }
    }

    /// The `status` of the event, where it has one.
    #[must_use]
    pub fn status(self) -> Option<&'static str> {
        match self {
            Self::Plugged(true) | Self::Unplugged => Some("completed"),
            Self::Plugged(false) => Some("failed"),
            Self::Deleted | Self::Changed => None,
        }
    }

    /// What a change of `ports.status` means to Nova; `None`: nothing.
    #[must_use]
    pub fn of_status(before: &str, after: &str) -> Option<Self> {
        match (before, after) {
            ("ACTIVE", "DOWN") => Some(Self::Unplugged),
            ("DOWN" | "BUILD" | "", "ACTIVE") => Some(Self::Plugged(true)),
            ("DOWN" | "BUILD" | "", "ERROR") => Some(Self::Plugged(false)),
            _ => None,
        }
    }
}

/// The server that a port belongs to, if Nova manages it.
///
/// PARITY: Neutron tells Nova of ports with an owner `compute:…` and a device that looks like a
/// UUID, of no others.
fn server(device_owner: &str, device_id: &str) -> Option<Id> {
    if device_owner.starts_with("compute:") { Id::read(device_id) } else { None }
}

/// Records what happened to a port, if there is a Nova and the port is of one of its servers.
/// The caller holds the port's row, so events of one port come in the order of its changes.
///
/// # Errors
/// Those of the database.
pub async fn record(
    tx: &Tx,
    now_ms: i64,
    port_id: Id,
    owner: (&str, &str),
    event: Event,
) -> Result<()> {
    let (device_owner, device_id) = owner;
    let Some(server) = server(device_owner, device_id) else { return Ok(()) };
    // Who tells Nova wakes up with the marks of a commit.
    tx.mark(Unit::Port as i16, port_id);
    let port = Value::text(port_id.to_string());
    let last = tx
        .rows("SELECT MAX(seq) FROM nova_events WHERE port_id = ?", std::slice::from_ref(&port))
        .await?;
    let last = last.first().and_then(|row| row.first()).and_then(Value::as_int).unwrap_or(0);
    tx.exec(
        "INSERT INTO nova_events \
         (port_id, seq, name, status, server_uuid, created_at, claim, due_at, tries) \
         VALUES (?, ?, ?, ?, ?, ?, 0, ?, 0)",
        vec![
            port,
            Value::Int(last + 1),
            Value::text(event.name()),
            event.status().map_or(Value::Null, Value::text),
            Value::text(server.to_string()),
            Value::Int(now_ms),
            Value::Int(now_ms),
        ],
    )
    .or("pk_nova_events", Error::Retry("another event of this port was recorded first"));
    Ok(())
}

/// Records what a request did to a port: that it changed, and its status if that did.
///
/// # Errors
/// Those of the database.
pub async fn updated(call: &Call<'_>, old: &Row, new: &Row) -> Result<()> {
    status_changed(call, old, new).await?;
    happened(call, new, Event::Changed).await
}

/// Records what it means that a port has another status, if it has.
///
/// # Errors
/// Those of the database.
pub async fn status_changed(call: &Call<'_>, old: &Row, new: &Row) -> Result<()> {
    match Event::of_status(status(old), status(new)) {
        Some(event) => happened(call, new, event).await,
        None => Ok(()),
    }
}

/// Records that a port is gone.
///
/// # Errors
/// Those of the database.
pub async fn deleted(call: &Call<'_>, port: &Row) -> Result<()> {
    happened(call, port, Event::Deleted).await
}

async fn happened(call: &Call<'_>, port: &Row, event: Event) -> Result<()> {
    if !call.settings.notify_nova {
        return Ok(());
    }
    let text = |index| port.value(index).as_text().unwrap_or_default();
    let owner = (text(at::device_owner.index), text(at::device_id.index));
    record(call.tx, call.ctx.now.as_millisecond(), port.id(), owner, event).await
}

fn status(port: &Row) -> &str {
    port.value(at::status.index).as_text().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nova_hears_of_its_own_ports_only() {
        let uuid = "5d1e6b5e-8d0c-4f0e-9a53-1f5f6c2b7a01";
        assert!(server("compute:nova", uuid).is_some());
        for (owner, device) in
            [("", uuid), ("baremetal:none", uuid), ("compute:nova", ""), ("compute:az", "dev-1")]
        {
            assert_eq!(server(owner, device), None, "{owner} {device}");
        }
    }

    #[test]
    fn only_the_ways_between_up_and_down_are_events() {
        assert_eq!(Event::of_status("DOWN", "ACTIVE"), Some(Event::Plugged(true)));
        assert_eq!(Event::of_status("BUILD", "ERROR"), Some(Event::Plugged(false)));
        assert_eq!(Event::of_status("ACTIVE", "DOWN"), Some(Event::Unplugged));
        for (before, after) in
            [("ACTIVE", "ACTIVE"), ("DOWN", "DOWN"), ("ERROR", "ACTIVE"), ("DOWN", "BUILD")]
        {
            assert_eq!(Event::of_status(before, after), None, "{before} {after}");
        }
    }
}
