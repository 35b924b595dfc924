//! Bindings that failed and are tried again: a port that was bound to a host that could not take it
//! keeps that host, and is plugged in as soon as the host can. Nothing else remembers it, so
//! nothing can be forgotten.

use sql::Tx;
use wire::fault::Result;
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

use super::plug::{self, Plugged, Wish};
use crate::kind::Call;
use crate::port;
use crate::{binding, nova_event};

/// The ports whose binding to one of these hosts failed; `None`: to any.
///
/// # Errors
/// Those of the database.
pub async fn failed(tx: &Tx, hosts: Option<&[String]>) -> Result<Vec<Id>> {
    let mut sql = "SELECT port_id FROM port_bindings \
                   WHERE vif_type = 'binding_failed' AND active_port IS NOT NULL"
        .to_owned();
    if let Some(hosts) = hosts {
        if hosts.is_empty() {
            return Ok(Vec::new());
        }
        sql.push_str(&format!(" AND host IN ({})", vec!["?"; hosts.len()].join(", ")));
    }
    let keys: Vec<Value> = hosts.unwrap_or_default().iter().map(Value::text).collect();
    let rows = tx.rows(&sql, &keys).await?;
    Ok(rows.iter().filter_map(|row| row.first()?.as_text().and_then(Id::read)).collect())
}

/// Which of these ports could be plugged in now.
///
/// # Errors
/// Those of the database.
pub async fn possible(call: &Call<'_>, ports: &[Id]) -> Result<Vec<Id>> {
    let mut possible = Vec::new();
    for port_id in ports {
        if attempt(call, *port_id).await?.is_some() {
            possible.push(*port_id);
        }
    }
    Ok(possible)
}

/// Plugs a port in whose binding failed, if that is possible now; whether it was.
///
/// # Errors
/// Those of the database.
pub async fn retry(call: &Call<'_>, port_id: Id) -> Result<bool> {
    let Some((port, plugged)) = attempt(call, port_id).await? else { return Ok(false) };
    binding::rebind(call, port_id, &plugged.wish.host, &plugged);
    let new = binding::moved(call, &port, &plugged)?;
    nova_event::updated(call, &port, &new).await?;
    Ok(true)
}

async fn attempt(call: &Call<'_>, port_id: Id) -> Result<Option<(Row, Plugged)>> {
    let Some(port) = call.tx.find(&port::TABLE, &call.everything(), port_id).await? else {
        return Ok(None);
    };
    let failed = port.value(port::at::vif_type.index).as_text() == Some(plug::FAILED);
    let Some(host) = port.get(port::at::host_id).filter(|host| failed && !host.0.is_empty()) else {
        return Ok(None);
    };
    let wish = Wish {
        host: host.0,
        vnic_type: port.get(port::at::vnic_type),
        profile: port.get(port::at::profile),
    };
    let plugged = plug::plug(call, port_id, port.get(port::at::network_id), wish).await?;
    Ok(plugged.is_bound().then_some((port, plugged)))
}
