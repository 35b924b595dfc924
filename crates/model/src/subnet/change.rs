//! How a subnet changes.

use wire::attr::Wire;
use wire::draft::Draft;
use wire::fault::{self, Result};
use wire::row::{Record, Row};
use wire::types::cidr::Cidr;
use wire::types::ip::Ip;
use wire::value::Value;

use super::check::Modes;
use super::{Subnet, Subnets, at, check, place, pools};
use crate::kind::Call;
use crate::network::{self, Network};
use crate::port::metadata;
use crate::standard;
use crate::unit::reads;

/// Changes a subnet.
///
/// # Errors
/// The faults of `check`, `pools` and `place`, and `GatewayIpInUse`.
pub async fn update(call: &Call<'_>, old: &Row, ask: &Draft) -> Result<Row> {
    let have = Subnet::load(old);
    let mut row = ask.applied(old);
    standard::changed(call, &mut row);
    let new = Subnet::load(&row);
    let cidr = have.cidr.unwrap_or_else(Cidr::empty);
    settings(call, ask, &have, &new, &cidr)?;
    if ask.names(at::gateway_ip) && new.gateway_ip != have.gateway_ip {
        gateway_unused(call, &have).await?;
    }
    let pools_asked = ask.names(at::allocation_pools);
    if pools_asked {
        pools::check(&new.allocation_pools, &cidr)?;
    }
    if let Some(gateway) = &new.gateway_ip
        && (pools_asked || new.gateway_ip != have.gateway_ip)
    {
        pools::check_gateway(&new.allocation_pools, gateway)?;
    }
    if ask.names(at::segment_id) {
        segment(call, &have, &new).await?;
    }
    super::touch_network(call, have.network_id);
    standard::update(call, &Subnets, old, &row)?;
    reads::changed(call, old, &row).await?;
    if new.enable_dhcp || have.enable_dhcp {
        metadata::follow(call, have.network_id, have.id, new.enable_dhcp).await?;
    }
    Ok(row)
}

fn settings(call: &Call<'_>, ask: &Draft, have: &Subnet, new: &Subnet, cidr: &Cidr) -> Result<()> {
    let version = have.ip_version.number();
    let delegated = cidr.to_string() == place::PROVISIONAL_PREFIX;
    let serves = new.enable_dhcp && !have.enable_dhcp;
    check::cidr(version, cidr, serves, delegated)?;
    if ask.names(at::gateway_ip)
        && let Some(gateway) = &new.gateway_ip
    {
        check::gateway(version, Some(cidr), gateway)?;
    }
    let id = format!("the subnet {}", have.id);
    if ask.names(at::dns_nameservers) {
        check::nameservers(call.settings, version, &new.dns_nameservers, &id)?;
    }
    if ask.names(at::host_routes) {
        check::host_routes(call.settings, version, &new.host_routes, &id)?;
    }
    if ask.asked(at::enable_dhcp) == Some(false) {
        check::disable_dhcp(Modes { ra: have.ipv6_ra_mode, address: have.ipv6_address_mode })?;
    }
    Ok(())
}

/// A gateway that a router answers at cannot change.
async fn gateway_unused(call: &Call<'_>, have: &Subnet) -> Result<()> {
    let Some(gateway) = have.gateway_ip else {
        return Ok(());
    };
    let rows = call
        .tx
        .rows(
            "SELECT p.id FROM ip_allocations a JOIN ports p ON p.id = a.port_id \
             WHERE a.subnet_id = ? AND a.ip_address = ? AND p.device_owner IN \
             ('network:router_interface', 'network:ha_router_replicated_interface', \
             'network:router_interface_distributed', 'network:router_gateway', \
             'network:router_centralized_snat')",
            &[have.id.store(), Ip::store(&gateway)],
        )
        .await?;
    match rows.first().and_then(|row| row.first()).and_then(Value::as_text) {
        Some(port) => Err(fault::gateway_ip_in_use(gateway, port)),
        None => Ok(()),
    }
}

async fn segment(call: &Call<'_>, have: &Subnet, new: &Subnet) -> Result<()> {
    let network_row = call.tx.find(&network::TABLE, &call.everything(), have.network_id).await?;
    let network = network_row
        .map(|row| Network::load(&row))
        .ok_or_else(|| fault::network_not_found(have.network_id))?;
    let count = place::segment_of(call, have.network_id, new.segment_id).await?;
    if new.segment_id == have.segment_id {
        return Ok(());
    }
    let neighbours = place::of_network(call, have.network_id).await?;
    place::segment_change(&neighbours, new.segment_id, count, have.network_id)?;
    network::advance(call, &network);
    Ok(())
}
