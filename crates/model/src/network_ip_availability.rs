//! How many addresses each network has, and how many of them are used.

use std::collections::HashMap;

use serde_json::Value as Json;
use wire::attr::Resource;
use wire::fault::{self, Error, Result};
use wire::query::{Filter, Query};
use wire::resource;
use wire::row::Row;
use wire::types::cidr::{Cidr, IpRange};
use wire::types::ip::Ip;
use wire::types::name::Name;
use wire::types::{Id, Raw, Text};
use wire::value::Value;

use crate::computed;
use crate::kind::{Call, Kind, Pending, Verbs};
use crate::network;

resource! {
    /// The addresses of one network.
    NetworkIpAvailability = Resource::of("network_ip_availability", "network_ip_availabilities")
        .ext("network-ip-availability").visible("1=1");
    network_id: Id = ro().filter().sort();
    network_name: Name = ro().filter();
    project_id: Text<255> = ro().filter().policy();
    total_ips: Raw = ro();
    used_ips: i64 = ro();
    subnet_ip_availability: Raw = ro();
    ip_availability_details: Raw = ro().ext("network-ip-availability-details");
    ip_version: Option<i64> = ro().filter().hidden();
}

/// The kind.
pub struct NetworkIpAvailabilities;

impl Kind for NetworkIpAvailabilities {
    fn table(&self) -> &'static Resource {
        &TABLE
    }

    fn path(&self) -> &'static str {
        "network-ip-availabilities"
    }

    fn verbs(&self) -> Verbs {
        Verbs::READ
    }

    fn not_found(&self, id: &str) -> Error {
        fault::network_not_found(id)
    }

    fn is_stored(&self) -> bool {
        false
    }

    fn computed<'a>(
        &'a self,
        call: &'a Call<'a>,
        query: &'a Query,
    ) -> Option<Pending<'a, Vec<Row>>> {
        Some(Box::pin(rows(call, query)))
    }

    fn as_dyn(&self) -> &dyn Kind {
        self
    }
}

/// One subnet, with how its addresses are used.
struct Subnet {
    id: String,
    name: String,
    cidr: String,
    ip_version: i64,
    usage: Usage,
}

impl Subnet {
    /// As JSON.
    fn shown(&self) -> String {
        let [id, name, cidr] = [&self.id, &self.name, &self.cidr].map(|text| Json::from(&**text));
        let Usage { in_pools, used, .. } = self.usage;
        format!(
            r#"{{"subnet_id":{id},"subnet_name":{name},"cidr":{cidr},"ip_version":{},"#,
            self.ip_version
        ) + &format!(
            r#""total_ips":{in_pools},"used_ips":{used},"ip_availability_details":{}}}"#,
            self.usage.shown()
        )
    }
}

/// Addresses of a subnet or of a network.
#[derive(Clone, Copy, Default)]
struct Usage {
    in_subnet: u128,
    in_pools: u128,
    used: i64,
    used_in_pools: i64,
}

impl Usage {
    fn plus(self, other: Self) -> Self {
        Self {
            in_subnet: self.in_subnet.saturating_add(other.in_subnet),
            in_pools: self.in_pools.saturating_add(other.in_pools),
            used: self.used + other.used,
            used_in_pools: self.used_in_pools + other.used_in_pools,
        }
    }

    /// As JSON. IPv6 networks have more addresses than 64 bits count, and no digit may be lost.
    fn shown(self) -> String {
        format!(
            r#"{{"total_ips_in_subnet":{},"total_ips_in_allocation_pool":{},"#,
            self.in_subnet, self.in_pools
        ) + &format!(
            r#""used_ips_in_subnet":{},"used_ips_in_allocation_pool":{}}}"#,
            self.used, self.used_in_pools
        )
    }
}

async fn rows(call: &Call<'_>, query: &Query) -> Result<Vec<Row>> {
    let version = query.filters.iter().find_map(|filter| match filter {
        Filter::In { attr, values } if *attr == at::ip_version.index => Some(values.clone()),
        _ => None,
    });
    let mut subnets = subnets(call).await?;
    let networks = call.tx.list(&network::TABLE, &call.scope(), &Query::default()).await?;
    let mut found = Vec::with_capacity(networks.len());
    for network in networks {
        let mut own = subnets.remove(&network.id().to_string()).unwrap_or_default();
        if let Some(versions) = &version {
            own.retain(|subnet| versions.contains(&Value::Int(subnet.ip_version)));
            if own.is_empty() {
                continue;
            }
        }
        let row = shown(&network, &own);
        let others = Query {
            filters: query
                .filters
                .iter()
                .filter(|f| !matches!(f, Filter::In { attr, .. } if *attr == at::ip_version.index))
                .cloned()
                .collect(),
            ..Query::default()
        };
        if computed::matches(&row, &others) {
            found.push(row);
        }
    }
    Ok(found)
}

fn shown(network: &Row, subnets: &[Subnet]) -> Row {
    let whole = subnets.iter().fold(Usage::default(), |sum, subnet| sum.plus(subnet.usage));
    let each: Vec<String> = subnets.iter().map(Subnet::shown).collect();
    let mut row = Row::empty(&TABLE);
    row.set(at::network_id, network.id());
    row.set(at::network_name, network.get(network::at::name));
    row.set(at::project_id, network.project_id().into());
    row.put(at::total_ips.index, Value::written(whole.in_pools.to_string()));
    row.set(at::used_ips, whole.used);
    row.put(at::subnet_ip_availability.index, Value::written(format!("[{}]", each.join(","))));
    row.put(at::ip_availability_details.index, Value::written(whole.shown()));
    row
}

/// Every subnet with its usage, by network.
async fn subnets(call: &Call<'_>) -> Result<HashMap<String, Vec<Subnet>>> {
    let rows = call
        .tx
        .rows(
            "SELECT network_id, id, name, cidr, ip_version, allocation_pools FROM subnets ORDER BY id",
            &[],
        )
        .await?;
    let mut used = used(call).await?;
    let mut found: HashMap<String, Vec<Subnet>> = HashMap::new();
    for row in rows {
        let text =
            |index: usize| row.get(index).and_then(Value::as_text).unwrap_or_default().to_owned();
        let pools: Vec<IpRange> = serde_json::from_str::<Json>(&text(5))
            .ok()
            .map(Value::json)
            .and_then(|pools| wire::attr::Wire::load(&pools))
            .unwrap_or_default();
        let id = text(1);
        let taken = used.remove(&id).unwrap_or_default();
        let subnet = Subnet {
            name: text(2),
            cidr: text(3),
            ip_version: row.get(4).and_then(Value::as_int).unwrap_or(4),
            usage: usage(&text(3), &pools, &taken),
            id,
        };
        found.entry(text(0)).or_default().push(subnet);
    }
    Ok(found)
}

fn usage(cidr: &str, pools: &[IpRange], taken: &[Ip]) -> Usage {
    let all = Cidr::read(cidr).map_or(0, |cidr| {
        // PARITY: the first and the last address of an IPv4 subnet are not counted.
        if cidr.version() == 4 && cidr.size() > 2 { cidr.size() - 2 } else { cidr.size() }
    });
    let inside = taken.iter().filter(|ip| pools.iter().any(|pool| pool.contains(ip))).count();
    Usage {
        in_subnet: all,
        in_pools: pools.iter().map(IpRange::size).sum(),
        used: i64::try_from(taken.len()).unwrap_or(i64::MAX),
        used_in_pools: i64::try_from(inside).unwrap_or(i64::MAX),
    }
}

async fn used(call: &Call<'_>) -> Result<HashMap<String, Vec<Ip>>> {
    let rows = call.tx.rows("SELECT subnet_id, ip_address FROM ip_allocations", &[]).await?;
    let mut found: HashMap<String, Vec<Ip>> = HashMap::new();
    for row in rows {
        if let [Value::Text(subnet), Value::Text(ip)] = row.as_slice()
            && let Some(ip) = Ip::read(ip)
        {
            found.entry(subnet.clone()).or_default().push(ip);
        }
    }
    Ok(found)
}
