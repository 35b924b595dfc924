//! Making a port. Everything is decided first, then written together: the port, its binding, and
//! what hangs on both.

use wire::draft::Draft;
use wire::fault::{self, Result};
use wire::query::{Filter, Query};
use wire::row::Row;
use wire::types::Id;
use wire::types::words::BindingStatus;
use wire::value::Value;

use super::{Ports, at, dhcp, dns, forget_empty, mac, pairs, profile, refuse, security};
use crate::binding;
use crate::binding::plug::{self, Wish};
use crate::ipam;
use crate::kind::Call;
use crate::unit::reads::{self, Seen};
use crate::{network, standard, tag};

/// Makes a port.
///
/// # Errors
/// `NetworkNotFound`, `MacAddressInUse`, those of addresses, security groups, quota and binding.
pub async fn create(call: &Call<'_>, ask: &Draft) -> Result<Row> {
    refuse(ask)?;
    make(call, ask, true).await
}

/// Makes a port that nobody asked for: whatever its project may still have, it is counted.
///
/// # Errors
/// As of [`create`].
pub async fn unasked(call: &Call<'_>, ask: &Draft) -> Result<Row> {
    make(call, ask, false).await
}

async fn make(call: &Call<'_>, ask: &Draft, is_limited: bool) -> Result<Row> {
    let network_id = ask.or_default(at::network_id);
    let filtered = is_filtered(call, network_id).await?;
    let mut port = ask.complete();
    standard::born(call, &mut port);
    // PARITY: the record is touched once more when its binding is stored.
    port.set(at::revision_number, 1);
    port.set(at::status, "DOWN".into());
    security::decide(call, &mut port, ask, filtered).await?;
    let wish = wish(ask);
    profile::check(call, wish.vnic_type, &wish.profile).await?;
    let plugged = plug::plug(call, port.id(), network_id, wish).await?;
    let mac = match plugged.device_mac() {
        Some(device) => mac::Choice::of(call, device),
        None => mac::Choice::of(call, ask.asked(at::mac_address).flatten()),
    };
    port.set(at::mac_address, Some(mac.mac()));
    describe(call, &mut port, ask, mac)?;
    pairs::refuse_served(call, network_id, &port.get(at::allowed_address_pairs)).await?;
    let seat = ipam::Seat {
        port_id: port.id(),
        network_id,
        mac: mac.mac(),
        device_owner: ask.or_default(at::device_owner).0,
        host: plugged.wish.host.clone(),
    };
    let taken = ipam::choose(call, &seat, ask.asked(at::fixed_ips).as_deref()).await?;
    port.set(at::ip_allocation, taken.ip_allocation.into());
    let write = if is_limited {
        standard::insert(call, &Ports, &port).await?
    } else {
        standard::insert_unasked(call, &Ports, &port)?
    };
    mac.conflicts(write, network_id).or("fk_ports_network", fault::network_not_found(network_id));
    security::store(call, &port);
    tag::store(call, &port, &tag::of(&port));
    binding::insert(call, port.id(), &plugged, BindingStatus::Active);
    ipam::keep(call, port.id(), &taken);
    reads::keep_pairs(call, None, &port);
    let seen = Seen::of(&port).at(&taken.fixed_ips).bound(&plugged.wish);
    reads::port(call, network_id, &Seen::default(), &seen).await?;
    Ok(port)
}

/// The network's default of port security; the network is looked up as the caller may see it.
async fn is_filtered(call: &Call<'_>, network_id: Id) -> Result<bool> {
    // Only what is needed here is read: the whole network would cost more than the rest of the
    // port.
    let query = Query {
        filters: vec![Filter::In {
            attr: network::at::id.index,
            values: vec![Value::text(network_id.to_string())],
        }],
        fields: vec!["port_security_enabled".into()],
        ..Query::default()
    };
    let found = call.tx.list(&network::TABLE, &call.scope(), &query).await?;
    let network = found.first().ok_or_else(|| fault::network_not_found(network_id))?;
    Ok(network.get(network::at::port_security_enabled))
}

/// What is asked of the binding.
fn wish(ask: &Draft) -> Wish {
    let mut profile = ask.or_default(at::profile);
    if let Some(offload) = ask.asked(at::hardware_offload_type).flatten() {
        // PARITY: the hypervisor is told of it as a capability in the profile.
        let capabilities =
            profile.0.entry("capabilities").or_insert_with(|| serde_json::Value::Array(Vec::new()));
        let offload = serde_json::Value::from(offload.as_str());
        if let Some(list) = capabilities.as_array_mut()
            && !list.contains(&offload)
        {
            list.push(offload);
        }
    }
    // PARITY: the port of a distributed router is on no host of its own.
    let distributed = ask.or_default(at::device_owner).as_str() == plug::DISTRIBUTED_OWNER;
    let host = ask.or_default(at::host_id).filter(|_| !distributed);
    Wish {
        host: host.map_or_else(String::new, |host| host.0),
        vnic_type: ask.or_default(at::vnic_type),
        profile,
    }
}

/// Names, pairs, options and the rest that needs no other row.
fn describe(call: &Call<'_>, port: &mut Row, ask: &Draft, mac: mac::Choice) -> Result<()> {
    dns::check(call.settings, ask.or_default(at::dns_name).as_str())?;
    if !dns::is_served(call.settings) {
        port.set(at::dns_name, Default::default());
        port.set(at::dns_domain, Default::default());
    }
    let asked = ask.asked(at::allowed_address_pairs).unwrap_or_default();
    let pairs = pairs::complete(call.settings, asked, mac.mac())?;
    port.set(at::allowed_address_pairs, pairs);
    let options = ask.asked(at::extra_dhcp_opts).unwrap_or_default();
    port.set(at::extra_dhcp_opts, dhcp::merge(Vec::new(), options)?);
    port.set(at::data_plane_status, None);
    port.set(at::trusted, ask.asked(at::trusted).flatten());
    port.set(at::hardware_offload_type, ask.asked(at::hardware_offload_type).flatten());
    forget_empty(port);
    Ok(())
}
