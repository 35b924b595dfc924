//! Where an address that several ports share is used: the host of the port that has it now, kept in
//! the details of the binding of the port that the address belongs to, which is bound nowhere.

use serde_json::json;
use wire::fault::{Error, Result};
use wire::types::Id;
use wire::types::profile::Dict;
use wire::value::Value;

use super::plug;
use crate::kind::Call;
use crate::port::status::Stored;
use crate::port::{self, Ports};
use crate::standard;

/// Says on which host the address of a port is used now; `""`: on none. Whether that is news. A
/// port that is bound itself has no such details.
///
/// # Errors
/// Those of the database.
pub async fn set(call: &Call<'_>, port_id: Id, hostname: &str) -> Result<bool> {
    let Some(port) = call.tx.find(&port::TABLE, &call.everything(), port_id).await? else {
        return Ok(false);
    };
    let stored = Stored::of(&port);
    if stored.vif_type != plug::UNBOUND || stored.parent_hostname.as_deref() == Some(hostname) {
        return Ok(false);
    }
    let details = json!({ "parent_hostname": hostname });
    call.tx
        .exec(
            "UPDATE port_bindings SET vif_details = ? \
             WHERE active_port = ? AND vif_type = 'unbound'",
            vec![Value::json(details.clone()), Value::text(port_id.to_string())],
        )
        .expect(1, Error::Retry("the port's binding moved"));
    let mut new = port.clone();
    if let serde_json::Value::Object(details) = details {
        new.set(port::at::vif_details, Dict(details));
    }
    standard::changed(call, &mut new);
    standard::update(call, &Ports, &port, &new)?;
    Ok(true)
}
