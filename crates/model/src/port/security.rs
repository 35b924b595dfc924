//! Port security: whether a port's traffic is filtered, and which security groups filter it. Not
//! here: who may refer to a group (`security_group`).

use wire::draft::Draft;
use wire::fault::{self, Error, Result};
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

use super::at;
use crate::kind::Call;
use crate::security_group;

/// True for devices that are part of the network itself, which nothing filters.
pub fn is_trusted(device_owner: &str) -> bool {
    device_owner.starts_with("network:")
}

/// Decides the security of a new port, on a network of this default.
///
/// # Errors
/// `PortSecurityAndIPRequiredForSecurityGroups`, `AddressPairAndPortSecurityRequired`, and the
/// faults of the groups.
pub async fn decide(call: &Call<'_>, port: &mut Row, ask: &Draft, default: bool) -> Result<()> {
    let trusted = is_trusted(port.get(at::device_owner).as_str());
    // PARITY: a trusted device is never filtered, even where the caller asks for it.
    let enabled = !trusted && ask.asked(at::port_security_enabled).unwrap_or(default);
    let groups = ask.asked(at::security_groups);
    let pairs = ask.asked(at::allowed_address_pairs).unwrap_or_default();
    check(enabled, !pairs.is_empty(), groups.as_ref().is_some_and(|groups| !groups.is_empty()))?;
    let groups = if enabled {
        security_group::for_port(call, port.project_id(), groups.as_deref()).await?
    } else {
        Vec::new()
    };
    port.set(at::port_security_enabled, enabled);
    port.set(at::security_groups, groups);
    Ok(())
}

/// Decides the security of a changed port, which holds what was asked already.
///
/// # Errors
/// As of [`decide`], and `PortSecurityPortHasSecurityGroup`.
pub async fn change(call: &Call<'_>, old: &Row, port: &mut Row, ask: &Draft) -> Result<()> {
    let asked = ask.asked(at::security_groups);
    let groups = asked.as_ref().is_some_and(|groups| !groups.is_empty());
    let enabled = port.get(at::port_security_enabled);
    check(enabled, !port.get(at::allowed_address_pairs).is_empty(), groups)?;
    if !enabled && asked.is_none() && !old.get(at::security_groups).is_empty() {
        return Err(fault::port_security_port_has_security_group());
    }
    // Groups that the port has already stay, whoever gave them to it.
    let Some(asked) = asked.filter(|asked| !same(asked, &old.get(at::security_groups))) else {
        return Ok(());
    };
    let groups = security_group::for_port(call, port.project_id(), Some(&asked)).await?;
    port.set(at::security_groups, groups);
    Ok(())
}

/// Stores the groups of a port that is being made, whose row was written before.
pub fn store(call: &Call<'_>, port: &Row) {
    let id = port.id().to_string();
    for group in port.get(at::security_groups) {
        call.tx
            .exec(
                "INSERT INTO port_security_groups (port_id, security_group_id) VALUES (?, ?)",
                vec![Value::text(&*id), Value::text(group.to_string())],
            )
            .or("fk_port_security_groups_group", Error::Retry("a security group is gone"));
    }
}

/// Stores the groups of a changed port, where they are others than before.
pub fn restore(call: &Call<'_>, old: &Row, port: &Row) {
    if same(&old.get(at::security_groups), &port.get(at::security_groups)) {
        return;
    }
    call.tx.exec(
        "DELETE FROM port_security_groups WHERE port_id = ?",
        vec![Value::text(port.id().to_string())],
    );
    store(call, port);
}

fn same(one: &[Id], other: &[Id]) -> bool {
    one.len() == other.len() && one.iter().all(|id| other.contains(id))
}

fn check(enabled: bool, has_pairs: bool, asks_for_groups: bool) -> Result<()> {
    match (enabled, has_pairs, asks_for_groups) {
        (false, true, _) => Err(fault::address_pair_and_port_security_required()),
        (false, false, true) => Err(fault::port_security_and_ip_required_for_security_groups()),
        _ => Ok(()),
    }
}
