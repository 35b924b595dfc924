//! Changing a port: the checks that depend on what it is now, and the parts that move together (its
//! MAC address, its addresses, its binding).

use wire::draft::Draft;
use wire::fault::{self, Result};
use wire::row::Row;
use wire::types::fixed_ip::FixedIp;
use wire::types::mac::Mac;
use wire::types::words::VnicType;

use super::{Ports, at, dhcp, dns, forget_empty, mac, pairs, profile, refuse, security};
use crate::binding;
use crate::binding::plug::{self, Plugged, Wish};
use crate::kind::Call;
use crate::unit::reads::{self, Seen};
use crate::{ipam, nova_event, standard};

/// Changes a port.
///
/// # Errors
/// `PortBound`, `PortInUse`, `MacAddressInUse`, those of addresses, security groups and binding.
pub async fn change(call: &Call<'_>, old: &Row, ask: &Draft) -> Result<Row> {
    refuse(ask)?;
    refuse_while_bound(old, ask)?;
    let mut port = ask.applied(old);
    standard::changed(call, &mut port);
    let plugged = rebound(call, old, ask).await?;
    let mac = new_mac(call, old, ask, plugged.as_ref())?;
    let own = mac.map_or_else(|| mac_of(old), |choice| choice.mac());
    port.set(at::mac_address, Some(own));
    describe(call, old, &mut port, ask, own)?;
    suits_ovn(call, old, &port, plugged.as_ref()).await?;
    security::change(call, old, &mut port, ask).await?;
    let host = plugged.as_ref().map_or_else(|| host_of(old), |plugged| plugged.wish.host.clone());
    let addresses = readdress(call, old, &port, ask, host).await?;
    if let Some(plugged) = &plugged {
        binding::rebind(call, old.id(), &host_of(old), plugged);
        port.set(at::status, "DOWN".into());
    }
    security::restore(call, old, &port);
    let write = standard::update(call, &Ports, old, &port)?;
    if let Some(mac) = mac {
        mac.conflicts(write, old.get(at::network_id));
    }
    reads::keep_pairs(call, Some(old), &port);
    let seen = Seen::of(&port).at(&addresses);
    let seen = plugged.iter().fold(seen, |seen, plugged| seen.bound(&plugged.wish));
    reads::port(call, old.get(at::network_id), &Seen::of(old), &seen).await?;
    nova_event::updated(call, old, &port).await?;
    Ok(port)
}

fn mac_of(port: &Row) -> Mac {
    port.get(at::mac_address).unwrap_or(Mac([0; 6]))
}

fn host_of(port: &Row) -> String {
    port.get(at::host_id).map_or_else(String::new, |host| host.0)
}

fn vif_type(port: &Row) -> &str {
    port.value(at::vif_type.index).as_text().unwrap_or(plug::UNBOUND)
}

/// What cannot change while the port is plugged in.
fn refuse_while_bound(old: &Row, ask: &Draft) -> Result<()> {
    let vif_type = vif_type(old);
    if let Some(vnic_type) = ask.asked(at::vnic_type)
        && vnic_type != old.get(at::vnic_type)
        && vif_type != plug::UNBOUND
    {
        let device = old.get(at::device_id);
        return Err(fault::port_in_use(old.id(), old.get(at::network_id), device));
    }
    // PARITY: naming the policy is refused, even if it stays the same.
    if let Some(policy) = ask.asked(at::numa_affinity_policy)
        && plug::is_bound(vif_type)
    {
        let policy = policy.map_or("null", |policy| policy.as_str());
        return Err(fault::port_bound_numa_affinity_policy(old.id(), host_of(old), policy));
    }
    Ok(())
}

/// The port of a floating IP is nowhere in OVN.
const FLOATING_IP: &str = "network:floatingip";
/// How OVN plugs ports in.
const OVN_VIF_TYPES: [&str; 3] = ["ovs", "agilio_ovs", "vhostuser"];

/// PARITY: what Neutron's OVN driver refuses to make of a port.
async fn suits_ovn(call: &Call<'_>, old: &Row, new: &Row, plugged: Option<&Plugged>) -> Result<()> {
    let owner = |port: &Row| port.get(at::device_owner).as_str() == FLOATING_IP;
    if owner(old) != owner(new) {
        return Err(fault::ovn_port_update(format!(
            "'device_owner' of port {} cannot become or cease to be {FLOATING_IP}.",
            old.id()
        )));
    }
    let network_id = old.get(at::network_id);
    let pairs = new.get(at::allowed_address_pairs);
    if pairs != old.get(at::allowed_address_pairs) {
        pairs::refuse_served(call, network_id, &pairs).await?;
    }
    let Some(plugged) = plugged else {
        if OVN_VIF_TYPES.contains(&vif_type(old)) {
            pairs::refuse_foreign(&pairs, mac_of(new))?;
        }
        return Ok(());
    };
    profile::check(call, plugged.wish.vnic_type, &plugged.wish.profile).await?;
    let is_taken = new.get(at::device_id) != old.get(at::device_id)
        && plugged.wish.host != host_of(old)
        && pairs::are_shared(call, old.id(), network_id).await?;
    if is_taken {
        return Err(fault::bad_port(format!(
            "Port {} cannot be bound: other ports have its address in their allowed address pairs.",
            old.id()
        )));
    }
    Ok(())
}

/// The binding that a request makes; `None`: it stays.
async fn rebound(call: &Call<'_>, old: &Row, ask: &Draft) -> Result<Option<Plugged>> {
    let now = Wish {
        host: host_of(old),
        vnic_type: old.get(at::vnic_type),
        profile: old.get(at::profile),
    };
    let owner = ask.asked(at::device_owner).unwrap_or_else(|| old.get(at::device_owner));
    let wish = Wish {
        host: match ask.asked(at::host_id) {
            // PARITY: the port of a distributed router is on no host of its own.
            _ if owner.as_str() == plug::DISTRIBUTED_OWNER => String::new(),
            Some(host) => host.map_or_else(String::new, |host| host.0),
            None => now.host.clone(),
        },
        vnic_type: ask.asked(at::vnic_type).unwrap_or(now.vnic_type),
        profile: ask.asked(at::profile).unwrap_or_else(|| now.profile.clone()),
    };
    let failed = !now.host.is_empty() && !plug::is_bound(vif_type(old));
    if wish == now && !failed {
        return Ok(None);
    }
    plug::plug(call, old.id(), old.get(at::network_id), wish).await.map(Some)
}

/// The MAC address that a request gives the port; `None`: it keeps its own.
fn new_mac(
    call: &Call<'_>,
    old: &Row,
    ask: &Draft,
    plugged: Option<&Plugged>,
) -> Result<Option<mac::Choice>> {
    let asked = ask.asked(at::mac_address).map(|asked| mac::Choice::of(call, asked));
    let asked = asked.filter(|choice| choice.mac() != mac_of(old));
    if let Some(choice) = asked {
        let vif_type = vif_type(old);
        if plug::is_bound(vif_type) {
            return Err(fault::port_bound(old.id(), vif_type, mac_of(old), choice.mac()));
        }
        let owner = ask.asked(at::device_owner).filter(|owner| !owner.as_str().is_empty());
        let owner = owner.unwrap_or_else(|| old.get(at::device_owner));
        if security::is_trusted(owner.as_str()) {
            let op = "change of the MAC address";
            return Err(fault::unsupported_port_device_owner(op, old.id(), owner));
        }
    }
    let device = plugged.and_then(Plugged::device_mac).map(|mac| mac::Choice::of(call, mac));
    let device = device.filter(|choice| choice.mac() != mac_of(old));
    Ok(device.or(asked).or_else(|| freed(call, old, ask)))
}

/// PARITY: a port that was a whole physical function gives its MAC address back with its device.
fn freed(call: &Call<'_>, old: &Row, ask: &Draft) -> Option<mac::Choice> {
    let empty = |asked: Option<wire::types::Text<255>>| asked.is_some_and(|text| text.0.is_empty());
    let freed = old.get(at::vnic_type) == VnicType::DirectPhysical
        && empty(ask.asked(at::device_id))
        && empty(ask.asked(at::device_owner))
        && !old.get(at::device_id).0.is_empty();
    freed.then(|| mac::Choice::of(call, None))
}

/// Names, pairs, options and hints.
fn describe(call: &Call<'_>, old: &Row, port: &mut Row, ask: &Draft, own: Mac) -> Result<()> {
    if let Some(name) = ask.asked(at::dns_name) {
        dns::check(call.settings, name.as_str())?;
    }
    if !dns::is_served(call.settings) {
        port.set(at::dns_name, old.get(at::dns_name));
        port.set(at::dns_domain, old.get(at::dns_domain));
    }
    if let Some(asked) = ask.asked(at::allowed_address_pairs)
        && asked != old.get(at::allowed_address_pairs)
    {
        port.set(at::allowed_address_pairs, pairs::complete(call.settings, asked, own)?);
    }
    let options = ask.asked(at::extra_dhcp_opts).unwrap_or_default();
    port.set(at::extra_dhcp_opts, dhcp::merge(old.get(at::extra_dhcp_opts), options)?);
    forget_empty(port);
    Ok(())
}

/// The addresses that the port has then: they follow from what was asked, from a new MAC address,
/// and from a new host.
async fn readdress(
    call: &Call<'_>,
    old: &Row,
    port: &Row,
    ask: &Draft,
    host: String,
) -> Result<Vec<FixedIp>> {
    let asked = ask.asked(at::fixed_ips);
    let own = mac_of(port);
    let moves = !host.is_empty() && host != host_of(old);
    if asked.is_none() && own == mac_of(old) && !moves {
        return Ok(addresses(old));
    }
    let seat = ipam::Seat {
        port_id: old.id(),
        network_id: old.get(at::network_id),
        mac: own,
        device_owner: port.get(at::device_owner).0,
        host,
    };
    let taken = ipam::change(call, &seat, &addresses(old), asked.as_deref()).await?;
    Ok(taken.fixed_ips)
}

/// The addresses that a port has.
fn addresses(port: &Row) -> Vec<FixedIp> {
    let known = port.get(at::fixed_ips).into_iter();
    known
        .filter_map(|ip| Some(FixedIp { subnet_id: ip.subnet_id?, ip_address: ip.ip_address? }))
        .collect()
}
