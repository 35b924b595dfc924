//! Port bindings: on which host a port is plugged in, and on which it will be. Every port has
//! exactly one binding that holds `active_port`, from its creation to its end; an unbound port's is
//! on the host ''. A binding moves by one conditional write, so that no reader ever sees a port
//! without one. A port whose active binding was deleted is vacant: its binding to the host '' is
//! INACTIVE, is listed nowhere, and the next one that is made takes its place. How a port is
//! plugged in is in `binding/plug.rs`, the ports of distributed routers in
//! `binding/distributed.rs`.

pub mod deferred;
pub mod distributed;
pub mod parent;
pub mod plug;

use serde_json::{Map, Value as Json};
use sql::Write;
use wire::attr::{Resource, Wire};
use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::resource;
use wire::row::Row;
use wire::types::profile::Dict;
use wire::types::words::{BindingStatus, VnicType};
use wire::types::{Id, Text};
use wire::value::Value;

use crate::kind::Call;
use crate::port::{self, Ports, mac};
use crate::unit::{Unit, reads};
use crate::{nova_event, standard};
use plug::{Plugged, Wish};

resource! {
    /// A binding of a port to a host.
    Binding = Resource::of("binding", "bindings").table("port_bindings").ext("binding-extended");
    host: Text<255> = rw().filter();
    vif_type: Text<64> = ro().filter().enforce();
    vif_details: Dict = ro().enforce();
    vnic_type: VnicType = rw().text("normal").filter().enforce();
    profile: Dict = rw().unset().enforce();
    status: BindingStatus = ro().filter();
    project_id: Text<255> = init().ask();
}

/// A binding as it is stored.
#[derive(Clone, Debug)]
struct Stored {
    status: BindingStatus,
    vif_type: String,
    vif_details: Map<String, Json>,
    wish: Wish,
}

impl Stored {
    const COLUMNS: &str = "host, status, vnic_type, vif_type, profile, vif_details";

    fn read(port_id: Id, columns: &[Value]) -> Option<Self> {
        let [host, status, vnic_type, vif_type, profile, vif_details] = columns else {
            return None;
        };
        Some(Self {
            // Distributed bindings have other words here, which say that they are in use.
            status: BindingStatus::load(status).unwrap_or(BindingStatus::Active),
            vif_type: vif_type.as_text().unwrap_or(plug::UNBOUND).to_owned(),
            vif_details: members(port_id, "vif_details", vif_details),
            wish: Wish {
                host: host.as_text().unwrap_or_default().to_owned(),
                vnic_type: VnicType::load(vnic_type).unwrap_or(VnicType::Normal),
                profile: Dict(members(port_id, "profile", profile)),
            },
        })
    }

    /// As the API shows it.
    fn shown(self, port: &Row) -> Row {
        let mut row = Row::empty(&TABLE);
        let mut profile = self.wish.profile;
        // PARITY: what the port says about trust appears in the profile of bindings that are
        // plugged in.
        if let (Some(trusted), true) = (port.get(port::at::trusted), self.vif_type != plug::UNBOUND)
        {
            profile.0.insert("trusted".into(), trusted.into());
        }
        let mut vif_details = self.vif_details;
        vif_details.remove(plug::BOUND_DRIVERS);
        row.set(at::host, Text(self.wish.host));
        row.set(at::vif_type, Text(self.vif_type));
        row.set(at::vif_details, Dict(vif_details));
        row.set(at::vnic_type, self.wish.vnic_type);
        row.set(at::profile, profile);
        row.set(at::status, self.status);
        row
    }
}

/// The members of a stored object; a damaged one reads as empty and is reported.
fn members(port_id: Id, column: &str, stored: &Value) -> Map<String, Json> {
    let read = match stored {
        Value::Json(json) => json.as_object().cloned(),
        Value::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    };
    read.unwrap_or_else(|| {
        tracing::warn!(
            target: "nucleon::damaged",
            collection = "bindings",
            attribute = column,
            id = %port_id,
            "a stored value does not convert and reads as empty; run `nucleon db check`"
        );
        Map::new()
    })
}

/// Stores a binding of a new port, or a further one.
pub fn insert(call: &Call<'_>, port_id: Id, plugged: &Plugged, status: BindingStatus) {
    let active = match status {
        BindingStatus::Active => Value::text(port_id.to_string()),
        BindingStatus::Inactive => Value::Null,
    };
    let wish = &plugged.wish;
    call.tx
        .exec(
            "INSERT INTO port_bindings \
             (port_id, host, status, active_port, vnic_type, vif_type, profile, vif_details) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            vec![
                Value::text(port_id.to_string()),
                Value::text(&*wish.host),
                Value::text(status.as_str()),
                active,
                Value::text(wish.vnic_type.as_str()),
                Value::text(&*plugged.vif_type),
                wish.profile.store(),
                Value::json(plugged.vif_details.clone()),
            ],
        )
        .or("pk_port_bindings", fault::port_binding_already_exists(port_id, &wish.host))
        .or("fk_port_bindings_port", fault::port_not_found(port_id));
    plug::set_levels(call, port_id, plugged);
}

/// Moves the active binding of a port, if it still is on the host `from`: one write, so that every
/// reader sees the old one or the new one, whole. A binding that was prepared for the new host
/// gives way to it.
pub fn rebind(call: &Call<'_>, port_id: Id, from: &str, to: &Plugged) {
    let host = &to.wish.host;
    if from != host && !host.is_empty() {
        call.tx.exec(
            "DELETE FROM port_bindings WHERE port_id = ? AND host = ? AND active_port IS NULL",
            vec![Value::text(port_id.to_string()), Value::text(&**host)],
        );
        plug::clear_levels(call, port_id, host);
    }
    let active = BindingStatus::Active;
    shift(call, (port_id, from, active), to, active)
        .or("pk_port_bindings", Error::Retry("a binding was prepared for the host"));
}

/// Writes over the binding `(port, host, status)`, if it still is there. A vacant port's is as good
/// as active.
fn shift(
    call: &Call<'_>,
    (port_id, from, was): (Id, &str, BindingStatus),
    to: &Plugged,
    status: BindingStatus,
) -> Write {
    let holds = match was {
        BindingStatus::Active => "active_port IS NOT NULL",
        BindingStatus::Inactive => "active_port IS NULL",
    };
    let wish = &to.wish;
    let write = call.tx.exec(
        format!(
            "UPDATE port_bindings \
             SET host = ?, status = ?, vnic_type = ?, vif_type = ?, profile = ?, vif_details = ? \
             WHERE port_id = ? AND host = ? AND {holds}"
        ),
        vec![
            Value::text(&*wish.host),
            Value::text(status.as_str()),
            Value::text(wish.vnic_type.as_str()),
            Value::text(&*to.vif_type),
            wish.profile.store(),
            Value::json(to.vif_details.clone()),
            Value::text(port_id.to_string()),
            Value::text(from),
        ],
    );
    plug::clear_levels(call, port_id, from);
    plug::set_levels(call, port_id, to);
    write.expect(1, Error::Retry("the port's binding moved"))
}

/// PARITY: only servers and shared file systems move between hosts.
fn may_have_several(port: &Row) -> Result<()> {
    let owner = port.get(port::at::device_owner);
    if ["compute:", "manila:"].iter().any(|prefix| owner.as_str().starts_with(prefix)) {
        return Ok(());
    }
    Err(fault::bad_port(format!(
        "Bindings are for ports whose 'device_owner' begins with compute: or manila:; that of port {} \
         is '{owner}'.",
        port.id()
    )))
}

/// All bindings of a port, by host.
///
/// # Errors
/// `BadRequest` for ports that cannot have several.
pub async fn list(call: &Call<'_>, port: &Row) -> Result<Vec<Row>> {
    let table = if port.get(port::at::device_owner).as_str() == plug::DISTRIBUTED_OWNER {
        "distributed_port_bindings"
    } else {
        may_have_several(port)?;
        "port_bindings"
    };
    let columns = Stored::COLUMNS;
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE port_id = ? \
         AND NOT (host = '' AND status = 'INACTIVE') ORDER BY host"
    );
    let rows = call.tx.rows(&sql, &[Value::text(port.id().to_string())]).await?;
    let read = |columns: &Vec<Value>| Stored::read(port.id(), columns);
    Ok(rows.iter().filter_map(read).map(|stored| stored.shown(port)).collect())
}

/// The binding of a port on a host.
///
/// # Errors
/// `PortBindingNotFound`, `BadRequest`.
pub async fn show(call: &Call<'_>, port: &Row, host: &str) -> Result<Row> {
    may_have_several(port)?;
    Ok(get(call, port.id(), host).await?.shown(port))
}

async fn find(call: &Call<'_>, port_id: Id, host: &str) -> Result<Option<Stored>> {
    let columns = Stored::COLUMNS;
    let sql = format!("SELECT {columns} FROM port_bindings WHERE port_id = ? AND host = ?");
    let key = [Value::text(port_id.to_string()), Value::text(host)];
    let rows = call.tx.rows(&sql, &key).await?;
    Ok(rows.first().and_then(|columns| Stored::read(port_id, columns)))
}

async fn get(call: &Call<'_>, port_id: Id, host: &str) -> Result<Stored> {
    find(call, port_id, host).await?.ok_or_else(|| fault::port_binding_not_found(port_id, host))
}

fn refuse_failed(port_id: Id, plugged: &Plugged) -> Result<()> {
    if plugged.vif_type == plug::FAILED {
        return Err(fault::port_binding_error(port_id, &plugged.wish.host));
    }
    Ok(())
}

/// Prepares a port for another host: a binding that is not active, but for a vacant port, whose
/// next binding it is.
///
/// # Errors
/// `PortBindingAlreadyExists`, `PortBindingError`, `BadRequest`.
pub async fn create(call: &Call<'_>, port: &Row, ask: &Draft) -> Result<Row> {
    may_have_several(port)?;
    let wish = Wish {
        host: ask.or_default(at::host).0,
        vnic_type: ask.or_default(at::vnic_type),
        profile: ask.or_default(at::profile),
    };
    if wish.host.is_empty() {
        return Err(fault::bad_request("'host' must be the name of a host, not ''."));
    }
    // Said even where the host cannot plug the port any more.
    if find(call, port.id(), &wish.host).await?.is_some() {
        return Err(fault::port_binding_already_exists(port.id(), &wish.host));
    }
    let plugged = plug::plug(call, port.id(), port.get(port::at::network_id), wish).await?;
    refuse_failed(port.id(), &plugged)?;
    if is_vacant(call, port).await? {
        rebind(call, port.id(), "", &plugged);
        down(call, port, &plugged).await?;
    } else {
        insert(call, port.id(), &plugged, BindingStatus::Inactive);
        call.tx.mark(Unit::Port as i16, port.id());
    }
    Ok(get(call, port.id(), &plugged.wish.host).await?.shown(port))
}

/// True for a port whose active binding was deleted.
async fn is_vacant(call: &Call<'_>, port: &Row) -> Result<bool> {
    if port.get(port::at::host_id).is_some_and(|host| !host.0.is_empty()) {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM port_bindings WHERE active_port = ? AND status = 'INACTIVE'";
    let found = call.tx.rows(sql, &[Value::text(port.id().to_string())]).await?;
    Ok(!found.is_empty())
}

/// Changes a binding, which is then plugged in anew.
///
/// # Errors
/// `PortBindingNotFound`, `PortBindingAlreadyExists`, `PortBindingError`, `BadRequest`.
pub async fn update(call: &Call<'_>, port: &Row, host: &str, ask: &Draft) -> Result<Row> {
    may_have_several(port)?;
    let old = get(call, port.id(), host).await?;
    let asked = ask.asked(at::host).map(|host| host.0).filter(|host| !host.is_empty());
    let wish = Wish {
        host: asked.unwrap_or_else(|| host.to_owned()),
        vnic_type: ask.asked(at::vnic_type).unwrap_or(old.wish.vnic_type),
        // PARITY: a profile that is not named is cleared.
        profile: ask.asked(at::profile).unwrap_or_default(),
    };
    if wish == old.wish && plug::is_bound(&old.vif_type) {
        return Ok(old.shown(port));
    }
    let plugged = plug::plug(call, port.id(), port.get(port::at::network_id), wish).await?;
    refuse_failed(port.id(), &plugged)?;
    let exists = fault::port_binding_already_exists(port.id(), &plugged.wish.host);
    shift(call, (port.id(), host, old.status), &plugged, old.status).or("pk_port_bindings", exists);
    match old.status {
        BindingStatus::Active => down(call, port, &plugged).await?,
        BindingStatus::Inactive => call.tx.mark(Unit::Port as i16, port.id()),
    }
    Ok(get(call, port.id(), &plugged.wish.host).await?.shown(port))
}

/// Removes a binding. Without its active one a port is vacant.
///
/// # Errors
/// `PortBindingNotFound`, `BadRequest`.
pub async fn delete(call: &Call<'_>, port: &Row, host: &str) -> Result<()> {
    may_have_several(port)?;
    let old = get(call, port.id(), host).await?;
    match old.status {
        BindingStatus::Active => {
            let wish = Wish { host: String::new(), profile: Dict::default(), ..old.wish };
            let nowhere = Plugged::nowhere(wish);
            let (active, vacant) = (BindingStatus::Active, BindingStatus::Inactive);
            shift(call, (port.id(), host, active), &nowhere, vacant);
            down(call, port, &nowhere).await?;
        }
        BindingStatus::Inactive => {
            remove_inactive(call, port.id(), host);
            call.tx.mark(Unit::Port as i16, port.id());
        }
    }
    Ok(())
}

fn remove_inactive(call: &Call<'_>, port_id: Id, host: &str) {
    call.tx
        .exec(
            "DELETE FROM port_bindings WHERE port_id = ? AND host = ? AND active_port IS NULL",
            vec![Value::text(port_id.to_string()), Value::text(host)],
        )
        .expect(1, Error::Retry("the binding was activated or removed"));
    plug::clear_levels(call, port_id, host);
}

/// Makes the binding on a host the active one; the one that was active stays, unplugged.
///
/// # Errors
/// `PortBindingNotFound`, `PortBindingAlreadyActive`, `BadRequest`.
pub async fn activate(call: &Call<'_>, port: &Row, host: &str) -> Result<Row> {
    may_have_several(port)?;
    let new = get(call, port.id(), host).await?;
    if new.status == BindingStatus::Active {
        return Err(fault::port_binding_already_active(port.id(), host));
    }
    let from = port.get(port::at::host_id).map_or_else(String::new, |host| host.0);
    let id = || Value::text(port.id().to_string());
    call.tx
        .exec(
            "UPDATE port_bindings \
             SET status = 'INACTIVE', active_port = NULL, vif_type = 'unbound', vif_details = ? \
             WHERE port_id = ? AND host = ? AND active_port IS NOT NULL",
            vec![Value::json(Map::new()), id(), Value::text(&*from)],
        )
        .expect(1, Error::Retry("the port's active binding moved"));
    call.tx
        .exec(
            "UPDATE port_bindings SET status = 'ACTIVE', active_port = port_id \
             WHERE port_id = ? AND host = ? AND active_port IS NULL",
            vec![id(), Value::text(host)],
        )
        .expect(1, Error::Retry("the binding was activated or removed"))
        .or("uq_port_bindings_active", Error::Retry("another binding was activated"));
    if from.is_empty() {
        // What an unbound port had in place of a binding goes.
        remove_inactive(call, port.id(), &from);
    }
    plug::clear_levels(call, port.id(), &from);
    let plugged = Plugged {
        wish: new.wish,
        vif_type: new.vif_type,
        vif_details: new.vif_details,
        level: None,
    };
    down(call, port, &plugged).await?;
    Ok(get(call, port.id(), host).await?.shown(port))
}

/// As [`moved`], of which Nova is told as of any other way to be DOWN.
async fn down(call: &Call<'_>, port: &Row, plugged: &Plugged) -> Result<()> {
    let new = moved(call, port, plugged)?;
    nova_event::status_changed(call, port, &new).await
}

/// The active binding of a port moved: the port is DOWN until the data plane says otherwise. As it
/// is then.
fn moved(call: &Call<'_>, port: &Row, plugged: &Plugged) -> Result<Row> {
    let mut new = port.clone();
    new.set(port::at::status, "DOWN".into());
    standard::changed(call, &mut new);
    let device = plugged.device_mac().map(|mac| mac::Choice::of(call, mac));
    if let Some(choice) = device {
        new.set(port::at::mac_address, Some(choice.mac()));
    }
    let write = standard::update(call, &Ports, port, &new)?;
    reads::bound(call, port, &plugged.wish);
    if let Some(choice) = device {
        choice.conflicts(write, port.get(port::at::network_id));
    }
    Ok(new)
}
