//! Who reads what of whom: a rendering may read of other units only what a line here names, and a
//! change of that marks the reader in the same transaction. For ports, whose addresses, pairs and
//! bindings have rows of their own, the lines are in [`port`].

use std::collections::BTreeSet;

use sql::{Mark, Tx};
use wire::attr::Wire;
use wire::fault::Result;
use wire::row::Row;
use wire::types::Id;
use wire::types::fixed_ip::FixedIp;
use wire::types::ip::Ip;
use wire::value::Value;

use super::Unit;
use crate::binding::plug::Wish;
use crate::ipam::owner;
use crate::kind::Call;
use crate::port::{at, dns, metadata};
use crate::snapshot::is_external;

/// A line: units of `reader` read `attributes` of the kind `of`.
#[derive(Debug)]
pub struct Reads {
    /// The unit that is rendered.
    pub reader: Unit,
    /// The collection of what it reads.
    pub of: &'static str,
    /// What it reads of it.
    pub attributes: &'static [&'static str],
    /// SQL for the ids of the readers, with the id of what changed as its parameter.
    pub who: &'static str,
}

/// Ports that repeat, in DHCP options of their own, what is said of their subnet.
macro_rules! ports_with_options {
    ($where:literal) => {
        concat!(
            "SELECT DISTINCT p.id FROM ports p JOIN ip_allocations a ON a.port_id = p.id ",
            "JOIN subnets s ON s.id = a.subnet_id WHERE p.extra_dhcp_opts <> '[]' AND ",
            $where
        )
    };
}

/// All lines but those of ports.
pub static READS: &[Reads] = &[
    Reads {
        reader: Unit::Subnet,
        of: "networks",
        attributes: &["mtu"],
        who: "SELECT id FROM subnets WHERE network_id = ?",
    },
    Reads {
        reader: Unit::Port,
        of: "networks",
        attributes: &["mtu"],
        who: "SELECT id FROM ports WHERE network_id = ?",
    },
    Reads {
        reader: Unit::NetworkDns,
        of: "networks",
        attributes: &["dns_domain"],
        who: "SELECT id FROM networks WHERE id = ?",
    },
    Reads {
        reader: Unit::Port,
        of: "subnets",
        attributes: &["enable_dhcp"],
        who: "SELECT DISTINCT port_id FROM ip_allocations WHERE subnet_id = ?",
    },
    Reads {
        reader: Unit::Port,
        of: "subnets",
        // Whatever changes of a subnet, its revision does, which those options show too.
        attributes: &["revision_number"],
        who: ports_with_options!("a.subnet_id = ?"),
    },
    Reads {
        reader: Unit::Port,
        of: "subnetpools",
        attributes: &["address_scope_id"],
        who: "SELECT DISTINCT a.port_id FROM ip_allocations a JOIN subnets s ON s.id = a.subnet_id \
              WHERE s.pool_id = ?",
    },
];

/// Marks who reads what has changed of a row.
///
/// # Errors
/// Those of the database.
pub async fn changed(call: &Call<'_>, old: &Row, new: &Row) -> Result<()> {
    for line in READS.iter().filter(|line| line.of == old.table.many) {
        let differs = |name: &&str| {
            let index = old.table.position(name);
            index.is_some_and(|index| old.value(index) != new.value(index))
        };
        if line.attributes.iter().any(differs) {
            mark_found(call, line.reader, line.who, &[old.id().store()]).await?;
        }
    }
    Ok(())
}

async fn mark_found(call: &Call<'_>, reader: Unit, who: &str, params: &[Value]) -> Result<()> {
    for row in call.tx.rows(who, params).await? {
        if let Some(id) = row.first().and_then(Id::load) {
            mark(call, reader.mark(id));
        }
    }
    Ok(())
}

fn mark(call: &Call<'_>, mark: Mark) {
    call.tx.mark(mark.kind, mark.id);
}

/// The single addresses in a port's allowed address pairs.
fn single(port: &Row) -> BTreeSet<Ip> {
    let pairs = port.get(at::allowed_address_pairs);
    pairs.iter().filter_map(|pair| Ip::read(&pair.ip_address)).collect()
}

/// Stores the single addresses of a port's allowed address pairs, by which the ports that have them
/// find it.
pub fn keep_pairs(call: &Call<'_>, old: Option<&Row>, new: &Row) {
    let (have, want) = (old.map(single).unwrap_or_default(), single(new));
    if have == want {
        return;
    }
    if !have.is_empty() {
        let sql = "DELETE FROM port_address_pairs WHERE port_id = ?";
        call.tx.exec(sql, vec![new.id().store()]);
    }
    let row = |ip: &Ip| [new.id().store(), ip.store(), new.get(at::network_id).store()];
    if !want.is_empty() {
        call.tx.exec(
            format!(
                "INSERT INTO port_address_pairs (port_id, ip_address, network_id) VALUES {}",
                vec!["(?, ?, ?)"; want.len()].join(", ")
            ),
            want.iter().flat_map(row).collect(),
        );
    }
}

/// Stores the single addresses of the pairs that ports have already.
///
/// # Errors
/// Those of the database.
pub async fn fill_pairs(tx: &Tx) -> Result<()> {
    let sql = "SELECT id, network_id, allowed_address_pairs FROM ports \
               WHERE allowed_address_pairs <> '[]'";
    for row in tx.rows(sql, &[]).await? {
        let [Value::Text(id), Value::Text(network), pairs] = row.as_slice() else { continue };
        let stored = pairs.as_text().unwrap_or_default();
        let pairs: Vec<serde_json::Value> = serde_json::from_str(stored).unwrap_or_default();
        let address = |pair: &serde_json::Value| Ip::read(pair.get("ip_address")?.as_str()?);
        for ip in pairs.iter().filter_map(address).collect::<BTreeSet<_>>() {
            tx.exec(
                "INSERT INTO port_address_pairs (port_id, ip_address, network_id) VALUES (?, ?, ?)",
                vec![Value::text(&**id), ip.store(), Value::text(&**network)],
            );
        }
    }
    Ok(())
}

/// What a port was or is, as far as others read it; the default is a port that is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    addresses: BTreeSet<(Id, Ip)>,
    pairs: BTreeSet<Ip>,
    name: String,
    device: String,
    metadata: bool,
    external: bool,
}

impl Seen {
    /// A port as its row says.
    pub fn of(port: &Row) -> Self {
        let addresses = port.get(at::fixed_ips).into_iter();
        Self {
            addresses: addresses.filter_map(|ip| Some((ip.subnet_id?, ip.ip_address?))).collect(),
            pairs: single(port),
            name: port.get(at::dns_name).0,
            device: port.get(at::device_id).0,
            metadata: port.get(at::device_owner).as_str() == owner::DISTRIBUTED
                && port.get(at::device_id).0 == metadata::device(port.get(at::network_id)),
            external: is_external(port.get(at::vnic_type), &port.get(at::profile)),
        }
    }

    /// With these addresses, which the row does not hold yet.
    #[must_use]
    pub fn at(mut self, addresses: &[FixedIp]) -> Self {
        self.addresses = addresses.iter().map(|ip| (ip.subnet_id, ip.ip_address)).collect();
        self
    }

    /// With this active binding, which the row does not hold yet.
    #[must_use]
    pub fn bound(mut self, wish: &Wish) -> Self {
        self.external = is_external(wish.vnic_type, &wish.profile);
        self
    }

    /// Where it answers for the metadata service.
    fn serving(&self) -> BTreeSet<(Id, Ip)> {
        if self.metadata { self.addresses.clone() } else { BTreeSet::new() }
    }

    fn is_named(&self) -> bool {
        !self.name.is_empty() && !self.device.is_empty()
    }
}

/// Marks who reads of a port that comes, changes or goes; its rows must be written already.
///
/// - The names of its network read its name, device and addresses.
/// - Ports with an address that its pairs permit read that it may use it.
/// - Subnets, and ports that repeat their options, read the metadata port's addresses.
/// - Its network reads whether it is external.
///
/// # Errors
/// Those of the database.
pub async fn port(call: &Call<'_>, network_id: Id, was: &Seen, is: &Seen) -> Result<()> {
    let moved = was.addresses != is.addresses;
    let renamed = moved || was.name != is.name || was.device != is.device;
    if renamed && (was.is_named() || is.is_named()) {
        names(call, network_id);
    }
    if was.external != is.external {
        mark(call, Unit::Network.mark(network_id));
    }
    if moved || was.pairs != is.pairs {
        let pairs: BTreeSet<Ip> = was.pairs.union(&is.pairs).copied().collect();
        owners(call, network_id, &pairs).await?;
    }
    for (subnet_id, _) in was.serving().symmetric_difference(&is.serving()) {
        mark(call, Unit::Subnet.mark(*subnet_id));
        let who = ports_with_options!("a.subnet_id = ?");
        mark_found(call, Unit::Port, who, &[subnet_id.store()]).await?;
    }
    Ok(())
}

/// Marks the network of a port whose active binding becomes another.
pub fn bound(call: &Call<'_>, port: &Row, wish: &Wish) {
    let was = is_external(port.get(at::vnic_type), &port.get(at::profile));
    if was != is_external(wish.vnic_type, &wish.profile) {
        mark(call, Unit::Network.mark(port.get(at::network_id)));
    }
}

/// Marks the ports of a subnet that comes to a pool: they read the pool's address scope.
///
/// # Errors
/// Those of the database.
pub async fn scope_of_subnet(call: &Call<'_>, subnet_id: Id) -> Result<()> {
    let who = "SELECT DISTINCT port_id FROM ip_allocations WHERE subnet_id = ?";
    mark_found(call, Unit::Port, who, &[subnet_id.store()]).await
}

/// Marks the names of a network's ports, where ports have names at all.
pub fn names(call: &Call<'_>, network_id: Id) {
    if dns::is_served(call.settings) {
        mark(call, Unit::NetworkDns.mark(network_id));
    }
}

/// Marks the ports of a network that have one of these addresses.
async fn owners(call: &Call<'_>, network_id: Id, addresses: &BTreeSet<Ip>) -> Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT a.port_id FROM ip_allocations a JOIN ports p ON p.id = a.port_id \
         WHERE p.network_id = ? AND a.ip_address IN ({})",
        vec!["?"; addresses.len()].join(", ")
    );
    let mut params = vec![network_id.store()];
    params.extend(addresses.iter().map(Wire::store));
    mark_found(call, Unit::Port, &sql, &params).await
}
