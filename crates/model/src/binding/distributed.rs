//! Bindings of the ports of distributed routers: one for each host that has asked, none of them the
//! active one.

use wire::fault::{Error, Result};
use wire::row::Row;
use wire::types::Id;
use wire::types::profile::Dict;
use wire::types::words::VnicType;
use wire::value::Value;

use super::plug::{self, Plugged, Wish};
use crate::kind::Call;
use crate::port;
use crate::unit::Unit;

/// Plugs a distributed port in on a host, for a router. Doing it again changes nothing.
///
/// # Errors
/// Those of the database.
pub async fn set(call: &Call<'_>, port: &Row, host: &str, router_id: &str) -> Result<()> {
    let wish =
        Wish { host: host.to_owned(), vnic_type: VnicType::Normal, profile: Dict::default() };
    let plugged = plug::plug(call, port.id(), port.get(port::at::network_id), wish).await?;
    store(call, port.id(), router_id, &plugged);
    Ok(())
}

fn store(call: &Call<'_>, port_id: Id, router_id: &str, plugged: &Plugged) {
    let key = [Value::text(port_id.to_string()), Value::text(&*plugged.wish.host)];
    let [id, host] = key.clone();
    call.tx.exec_ignore(
        "distributed_port_bindings",
        &[
            "port_id",
            "host",
            "router_id",
            "status",
            "vnic_type",
            "vif_type",
            "profile",
            "vif_details",
        ],
        vec![
            id,
            host,
            Value::text(router_id),
            Value::text("DOWN"),
            Value::text(plugged.wish.vnic_type.as_str()),
            Value::text(plug::UNBOUND),
            Value::json(serde_json::json!({})),
            Value::json(serde_json::json!({})),
        ],
    );
    let mut params = vec![
        Value::text(router_id),
        Value::text(&*plugged.vif_type),
        Value::json(plugged.vif_details.clone()),
    ];
    params.extend(key);
    call.tx
        .exec(
            "UPDATE distributed_port_bindings SET router_id = ?, vif_type = ?, vif_details = ? \
             WHERE port_id = ? AND host = ?",
            params,
        )
        .expect(1, Error::Retry("the port or its binding on the host is gone"));
    plug::clear_levels(call, port_id, &plugged.wish.host);
    plug::set_levels(call, port_id, plugged);
    call.tx.mark(Unit::Port as i16, port_id);
}

/// Says on which hosts a distributed port works.
pub fn set_status(call: &Call<'_>, port_id: Id, host: &str, status: &str) {
    call.tx.exec(
        "UPDATE distributed_port_bindings SET status = ? WHERE port_id = ? AND host = ?",
        vec![Value::text(status), Value::text(port_id.to_string()), Value::text(host)],
    );
}

/// Unplugs a distributed port from a host.
pub fn remove(call: &Call<'_>, port_id: Id, host: &str) {
    call.tx.exec(
        "DELETE FROM distributed_port_bindings WHERE port_id = ? AND host = ?",
        vec![Value::text(port_id.to_string()), Value::text(host)],
    );
    plug::clear_levels(call, port_id, host);
    call.tx.mark(Unit::Port as i16, port_id);
}

/// Unplugs all ports of a distributed router.
///
/// # Errors
/// Those of the database.
pub async fn remove_of_router(call: &Call<'_>, router_id: &str) -> Result<()> {
    let bindings = call
        .tx
        .rows(
            "SELECT port_id, host FROM distributed_port_bindings WHERE router_id = ?",
            &[Value::text(router_id)],
        )
        .await?;
    for binding in &bindings {
        if let [port_id, host] = binding.as_slice()
            && let (Some(port_id), Some(host)) =
                (port_id.as_text().and_then(Id::read), host.as_text())
        {
            remove(call, port_id, host);
        }
    }
    Ok(())
}
