//! How a subnet goes: addresses that nobody chose go with it, others keep it.

use wire::attr::Wire;
use wire::fault::{self, Error, Result};
use wire::row::{Record, Row};
use wire::types::Id;
use wire::value::Value;

use super::check::Modes;
use super::{Subnet, Subnets, auto_address};
use crate::ipam::owner;
use crate::kind::Call;
use crate::network::{self, Network};
use crate::standard;
use crate::unit::reads;

/// Removes a subnet. Addresses of DHCP and other ports of the server are removed, and in subnets
/// where hosts make their addresses those of all ports but routers'; the ports stay, as in Neutron.
///
/// # Errors
/// `SubnetInUse`.
pub async fn remove(call: &Call<'_>, old: &Row) -> Result<()> {
    let subnet = Subnet::load(old);
    let network = call.tx.find(&network::TABLE, &call.everything(), subnet.network_id).await?;
    let modes = Modes { ra: subnet.ipv6_ra_mode, address: subnet.ipv6_address_mode };
    for (port_id, device_owner) in users(call, subnet.id).await? {
        if owner::is_router_interface(&device_owner) {
            return Err(fault::subnet_in_use(
                subnet.id,
                format!("the router port {port_id} has an address of it"),
            ));
        }
        if !modes.auto_address() && !owner::AUTO_DELETE.contains(&device_owner.as_str()) {
            return Err(fault::subnet_in_use(
                subnet.id,
                format!("the port {port_id} has an address of it"),
            ));
        }
        // Only what was seen is removed: an address taken meanwhile makes the delete begin anew.
        call.tx.exec(
            "DELETE FROM ip_allocations WHERE subnet_id = ? AND port_id = ?",
            vec![subnet.id.store(), port_id.store()],
        );
        auto_address::touch(call, port_id);
        reads::names(call, subnet.network_id);
    }
    if let Some(network) = network {
        network::advance(call, &Network::load(&network));
        super::touch_network(call, subnet.network_id);
    }
    standard::remove_or(call, &Subnets, old)
        .await?
        .or("fk_ip_allocations_subnet", Error::Retry("a port has taken an address of the subnet"));
    Ok(())
}

async fn users(call: &Call<'_>, subnet_id: Id) -> Result<Vec<(Id, String)>> {
    let rows = call
        .tx
        .rows(
            "SELECT DISTINCT p.id, p.device_owner FROM ip_allocations a \
             JOIN ports p ON p.id = a.port_id WHERE a.subnet_id = ? ORDER BY p.id",
            &[subnet_id.store()],
        )
        .await?;
    let user = |row: &Vec<Value>| match row.as_slice() {
        [id, device_owner] => Some((Id::load(id)?, device_owner.as_text()?.to_owned())),
        _ => None,
    };
    Ok(rows.iter().filter_map(user).collect())
}
