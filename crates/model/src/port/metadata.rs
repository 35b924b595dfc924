//! The port of a network through which guests reach the metadata service, on every host at once.
//! The server makes it with the network, gives it an address in each subnet with DHCP, and removes
//! it with the network. Only where the data plane serves metadata (`Settings::metadata_ports`).

use wire::draft::{Draft, Verb};
use wire::fault::{Error, Result};
use wire::row::{Record as _, Row};
use wire::types::fixed_ip::{FixedIp, FixedIpAsk};
use wire::types::{Id, Text};
use wire::value::Value;

use super::{TABLE, at, create};
use crate::ipam::{self, owner};
use crate::kind::Call;
use crate::network::{self, Network};
use crate::subnet::auto_address;
use crate::unit::reads::{self, Seen};

/// The `device_id` of a network's.
pub fn device(network_id: Id) -> String {
    format!("ovnmeta-{network_id}")
}

/// Makes the port of a network, with an address in each of its subnets that has DHCP.
///
/// # Errors
/// Those of the database.
pub async fn create(call: &Call<'_>, network_id: Id, project_id: &str) -> Result<()> {
    if !call.settings.metadata_ports {
        return Ok(());
    }
    let mut ask = Draft::blank(&TABLE, Verb::Create);
    ask.ask(at::network_id, network_id);
    ask.ask(at::project_id, Text(project_id.to_owned()));
    ask.ask(at::device_owner, Text(owner::DISTRIBUTED.to_owned()));
    ask.ask(at::device_id, Text(device(network_id)));
    ask.ask(at::fixed_ips, Vec::new());
    create::unasked(call, &ask).await.map(drop)
}

/// Brings the port's addresses in line with whether a subnet has DHCP. A network of the time before
/// there were such ports gets its one now.
///
/// # Errors
/// Those of the database.
pub async fn follow(call: &Call<'_>, network_id: Id, subnet_id: Id, dhcp: bool) -> Result<()> {
    if !call.settings.metadata_ports {
        return Ok(());
    }
    let Some(port) = of_network(call, network_id).await? else { return Ok(()) };
    let have = ipam::of_port(call, port.id()).await?;
    if have.iter().any(|one| one.subnet_id == subnet_id) == dhcp {
        return Ok(());
    }
    let kept = have
        .iter()
        .filter(|one| one.subnet_id != subnet_id)
        .map(|one| FixedIpAsk { subnet_id: Some(one.subnet_id), ip_address: Some(one.ip_address) });
    let mut asked: Vec<FixedIpAsk> = kept.collect();
    if dhcp {
        asked.push(FixedIpAsk { subnet_id: Some(subnet_id), ip_address: None });
    }
    readdress(call, &port, &have, &asked).await
}

async fn readdress(
    call: &Call<'_>,
    port: &Row,
    have: &[FixedIp],
    asked: &[FixedIpAsk],
) -> Result<()> {
    let Some(mac) = port.get(at::mac_address) else { return Ok(()) };
    let network_id = port.get(at::network_id);
    let seat = ipam::Seat {
        port_id: port.id(),
        network_id,
        mac,
        device_owner: owner::DISTRIBUTED.to_owned(),
        host: String::new(),
    };
    let taken = match ipam::change(call, &seat, have, Some(asked)).await {
        Ok(taken) => taken,
        // A subnet without an address to spare has no metadata service, and is a subnet all the
        // same.
        Err(Error::Fault(fault)) => {
            tracing::warn!(%network_id, "the metadata port gets no address: {}", fault.message);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    auto_address::touch(call, port.id());
    let was = Seen::of(port).at(have);
    let is = Seen::of(port).at(&taken.fixed_ips);
    reads::port(call, network_id, &was, &is).await
}

/// The port of a network, which is made if there is none.
async fn of_network(call: &Call<'_>, network_id: Id) -> Result<Option<Row>> {
    if let Some(port) = find(call, network_id).await? {
        return Ok(Some(port));
    }
    let network = call.tx.find(&network::TABLE, &call.everything(), network_id).await?;
    let Some(network) = network.map(|row| Network::load(&row)) else { return Ok(None) };
    // Whoever else is about to make it begins anew, and finds it.
    network::advance(call, &network);
    create(call, network_id, network.project_id.as_str()).await?;
    find(call, network_id).await
}

async fn find(call: &Call<'_>, network_id: Id) -> Result<Option<Row>> {
    let sql = "SELECT id FROM ports WHERE network_id = ? AND device_owner = ? AND device_id = ?";
    let key = [
        Value::text(network_id.to_string()),
        Value::text(owner::DISTRIBUTED),
        Value::text(device(network_id)),
    ];
    let rows = call.tx.rows(sql, &key).await?;
    let id = rows.first().and_then(|row| row.first()?.as_text().and_then(Id::read));
    let Some(id) = id else { return Ok(None) };
    call.tx.find(&TABLE, &call.everything(), id).await
}

/// The networks that should have such a port and have none: at most `limit`, after the network
/// `last` in the order of their ids.
///
/// # Errors
/// Those of the database.
pub async fn lacking(call: &Call<'_>, last: &str, limit: usize) -> Result<Vec<Id>> {
    if !call.settings.metadata_ports {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT n.id FROM networks n WHERE n.id > ? AND NOT EXISTS (SELECT 1 FROM ports p \
         WHERE p.network_id = n.id AND p.device_owner = 'network:distributed') \
         ORDER BY n.id LIMIT {limit}"
    );
    let rows = call.tx.rows(&sql, &[Value::text(last)]).await?;
    Ok(rows.iter().filter_map(|row| row.first()?.as_text().and_then(Id::read)).collect())
}

/// Gives a network its port, with all addresses that it should have.
///
/// # Errors
/// Those of the database.
pub async fn complete(call: &Call<'_>, network_id: Id) -> Result<()> {
    let sql = "SELECT id FROM subnets WHERE network_id = ? AND enable_dhcp = ?";
    let key = [Value::text(network_id.to_string()), Value::Bool(true)];
    let subnets = call.tx.rows(sql, &key).await?;
    if of_network(call, network_id).await?.is_none() {
        return Ok(());
    }
    for id in subnets.iter().filter_map(|row| row.first()?.as_text().and_then(Id::read)) {
        follow(call, network_id, id, true).await?;
    }
    Ok(())
}
