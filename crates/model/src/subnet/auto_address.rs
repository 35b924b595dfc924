//! Addresses that ports make themselves in a subnet that comes to their network later than they.

use std::collections::BTreeMap;

use wire::attr::Wire;
use wire::fault::{Error, Result};
use wire::types::Id;
use wire::types::fixed_ip::FixedIpAsk;
use wire::types::mac::Mac;
use wire::value::Value;

use crate::ipam::candidate::{self, Offer, eui64};
use crate::ipam::{Seat, owner};
use crate::kind::Call;
use crate::unit::{Unit, reads};

/// A port of the network, with the subnets that it has addresses of.
struct Member {
    mac: Mac,
    device_owner: String,
    host: String,
    subnets: Vec<Id>,
}

/// Gives each port of the network that can be in the new subnet the address that its MAC address
/// makes.
///
/// # Errors
/// Those of the database; [`Error::Retry`] where a port goes meanwhile.
pub async fn give(call: &Call<'_>, network_id: Id, subnet_id: Id) -> Result<()> {
    let members = members(call, network_id).await?;
    if members.is_empty() {
        return Ok(());
    }
    let subnets = candidate::of_network(call, network_id).await?;
    let Some(new) = subnets.iter().position(|subnet| subnet.id == subnet_id) else {
        return Ok(());
    };
    let Some(cidr) = subnets.get(new).map(|subnet| subnet.cidr) else {
        return Ok(());
    };
    for (port_id, member) in members {
        if owner::is_router_interface_or_snat(&member.device_owner) {
            continue;
        }
        let have: Vec<FixedIpAsk> = member
            .subnets
            .iter()
            .map(|id| FixedIpAsk { subnet_id: Some(*id), ip_address: None })
            .collect();
        let Member { mac, device_owner, host, .. } = member;
        let seat = Seat { port_id, network_id, mac, device_owner, host };
        let reached = |name: Option<&str>| call.backend.reaches(&seat.host, name);
        // A port that can have no address at all keeps having none.
        if let Ok(Offer::From(places)) = candidate::offer(&subnets, &seat, Some(&have), reached)
            && places.contains(&new)
        {
            add(call, port_id, subnet_id, &eui64(&cidr, &mac).store(), have.len());
        }
    }
    reads::names(call, network_id);
    Ok(())
}

fn add(call: &Call<'_>, port_id: Id, subnet_id: Id, ip: &Value, place: usize) {
    let moved = || Error::Retry("a port of the network has changed");
    call.tx
        .exec(
            "INSERT INTO ip_allocations (subnet_id, ip_address, port_id, place) \
             VALUES (?, ?, ?, ?)",
            vec![subnet_id.store(), ip.clone(), port_id.store(), Value::Int(place as i64)],
        )
        .or("pk_ip_allocations", moved())
        .or("fk_ip_allocations_port", moved());
    touch(call, port_id);
}

/// Advances the revision of a port whose addresses have changed, and marks it.
pub fn touch(call: &Call<'_>, port_id: Id) {
    call.tx.exec(
        "UPDATE ports SET revision_number = revision_number + 1, updated_at = ? WHERE id = ?",
        vec![Value::Text(call.ctx.now_text()), port_id.store()],
    );
    call.tx.mark(Unit::Port as i16, port_id);
}

async fn members(call: &Call<'_>, network_id: Id) -> Result<BTreeMap<Id, Member>> {
    let rows = call
        .tx
        .rows(
            "SELECT p.id, p.mac_address, p.device_owner, b.host, a.subnet_id FROM ports p \
             LEFT JOIN port_bindings b ON b.active_port = p.id \
             LEFT JOIN ip_allocations a ON a.port_id = p.id \
             WHERE p.network_id = ? ORDER BY p.id, a.place",
            &[network_id.store()],
        )
        .await?;
    let mut members: BTreeMap<Id, Member> = BTreeMap::new();
    for row in &rows {
        let [id, mac, device_owner, host, subnet] = row.as_slice() else {
            continue;
        };
        let (Some(id), Some(mac)) = (Id::load(id), Mac::load(mac)) else {
            continue;
        };
        let text = |value: &Value| value.as_text().unwrap_or("").to_owned();
        let member = members.entry(id).or_insert_with(|| Member {
            mac,
            device_owner: text(device_owner),
            host: text(host),
            subnets: Vec::new(),
        });
        member.subnets.extend(Id::load(subnet));
    }
    Ok(members)
}
