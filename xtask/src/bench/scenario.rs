//! What is measured, what is aimed at, and what Neutron 29 does on the same two cores. Each
//! scenario prepares its stage and says which requests are sent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::connection::Target;
use super::load::{Load, Requests};
use super::stage::{PORTS_PER_NETWORK, Stage};

/// One line of the table.
pub struct Scenario {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// What is aimed at.
    pub goal: Goal,
    /// What Neutron does; empty if nobody has measured it.
    pub neutron: &'static str,
    /// Whether it wants the server full, or else nearly empty.
    pub full: bool,
    kind: Kind,
}

/// A bound for each number that has one.
#[derive(Clone, Copy, Default)]
pub struct Goal {
    /// Replies in a second, at least.
    pub rate: Option<f64>,
    /// Milliseconds of the median, at most.
    pub p50: Option<f64>,
    /// Milliseconds of the 99th percentile, at most.
    pub p99: Option<f64>,
}

#[derive(Clone, Copy)]
enum Kind {
    CreatePort,
    CreatePorts,
    CreateRules,
    ShowPort,
    List(usize),
    /// One port, found by this attribute.
    Find(&'static str),
    /// The ports of a small network among all.
    FindByNetwork,
}

/// Ports of the small network that is looked for among all.
const FEW: usize = 20;
/// Items of one bulk request.
const BULK: usize = 100;

const fn at_most(p50: f64) -> Goal {
    Goal { rate: None, p50: Some(p50), p99: None }
}

const fn find(name: &'static str, kind: Kind) -> Scenario {
    // Reading 100,000 rows takes longer than this, so it tells whether an index was used.
    Scenario { name, goal: at_most(2.0), neutron: "", full: true, kind }
}

/// All of them, in the order in which they are run.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "create-port",
        goal: Goal { rate: Some(2500.0), p50: None, p99: Some(40.0) },
        neutron: "4.6/s, p99 7100 ms",
        full: false,
        kind: Kind::CreatePort,
    },
    Scenario {
        name: "create-100-ports",
        goal: at_most(40.0),
        neutron: "29000 ms",
        full: false,
        kind: Kind::CreatePorts,
    },
    Scenario {
        name: "create-100-rules",
        goal: at_most(20.0),
        neutron: "5900 ms",
        full: false,
        kind: Kind::CreateRules,
    },
    Scenario {
        name: "show-port",
        goal: Goal { rate: Some(20000.0), p50: None, p99: None },
        neutron: "93/s",
        full: false,
        kind: Kind::ShowPort,
    },
    Scenario {
        name: "list-1000-ports",
        goal: at_most(8.0),
        neutron: "about 900 ms",
        full: false,
        kind: Kind::List(1000),
    },
    Scenario {
        name: "list-10000-ports",
        goal: at_most(80.0),
        neutron: "",
        full: false,
        kind: Kind::List(10_000),
    },
    find("find-by-id", Kind::Find("id")),
    find("find-by-device", Kind::Find("device_id")),
    find("find-by-mac", Kind::Find("mac_address")),
    find("find-by-ip", Kind::Find("fixed_ips")),
    find("find-by-network", Kind::FindByNetwork),
];

/// What the caller of the benchmark chose.
pub struct Choice {
    /// Clients of the scenarios that have many.
    pub clients: usize,
    /// For how long each is measured.
    pub time: Duration,
    /// Networks that new ports are spread over.
    pub networks: usize,
}

impl Choice {
    /// As many clients as were chosen, for as long as was chosen.
    pub fn many(&self) -> Load {
        Load { clients: self.clients, time: self.time, warm_up: self.time / 10, most: usize::MAX }
    }
}

impl Scenario {
    /// A line of the table for ports that are made elsewhere.
    pub const fn named(name: &'static str, goal: Goal, neutron: &'static str) -> Self {
        Self { name, goal, neutron, full: false, kind: Kind::CreatePort }
    }

    /// Puts on the stage what it needs; returns what is to be sent.
    ///
    /// # Errors
    /// If the server refuses something or answers a question wrongly.
    pub async fn prepare(&self, stage: &mut Stage, choice: &Choice) -> Result<(Load, Requests)> {
        let many = choice.many();
        let one = Load { clients: 1, time: choice.time.div_f32(2.0), ..many };
        let few = Load { most: 100, warm_up: Duration::ZERO, ..one };
        let target = stage.target.clone();
        match self.kind {
            Kind::CreatePort => {
                let mut bodies = Vec::new();
                for _ in 0..choice.networks {
                    let network = stage.network().await?;
                    bodies.push(json!({"port": {"network_id": network}}).to_string());
                }
                let most = PORTS_PER_NETWORK * choice.networks;
                Ok((Load { most, ..many }, posts(&target, "/v2.0/ports", bodies)))
            }
            Kind::CreatePorts => {
                let port = json!({"network_id": stage.network().await?});
                let body = json!({"ports": vec![port; BULK]}).to_string();
                Ok((few, posts(&target, "/v2.0/ports", vec![body])))
            }
            Kind::CreateRules => {
                let mut bodies = Vec::new();
                for _ in 0..few.most {
                    let group = stage.group().await?;
                    let rules: Vec<_> = (1..=BULK).map(|port| rule(&group, port)).collect();
                    bodies.push(json!({"security_group_rules": rules}).to_string());
                }
                Ok((few, posts(&target, "/v2.0/security-group-rules", bodies)))
            }
            Kind::ShowPort => {
                let network = stage.network().await?;
                stage.fill(&network, 1000).await?;
                let ports = stage.ports(&format!("network_id={network}"), 1000).await?;
                let path = |port: &Value| Some(format!("/v2.0/ports/{}", text(port, "id")?));
                Ok((many, gets(&target, ports.iter().filter_map(path))))
            }
            Kind::List(count) => {
                let network = stage.network().await?;
                stage.fill(&network, count).await?;
                stage.ports(&format!("network_id={network}"), count).await?;
                let path = format!("/v2.0/ports?network_id={network}");
                Ok((one, gets(&target, [path].into_iter())))
            }
            Kind::FindByNetwork => {
                let network = stage.network().await?;
                stage.fill(&network, FEW).await?;
                stage.ports(&format!("network_id={network}"), FEW).await?;
                let path = format!("/v2.0/ports?network_id={network}");
                Ok((one, gets(&target, [path].into_iter())))
            }
            Kind::Find(attribute) => {
                let queries = find_queries(stage, attribute).await?;
                let paths = queries.into_iter().map(|query| format!("/v2.0/ports?{query}"));
                Ok((one, gets(&target, paths)))
            }
        }
    }
}

/// Queries that each find one of a thousand ports, tried out on a few.
async fn find_queries(stage: &mut Stage, attribute: &str) -> Result<Vec<String>> {
    let count = stage.filled.min(1000);
    let query_all = format!("device_owner=compute:bench&limit={count}");
    let ports = stage.ports(&query_all, count).await?;
    let queries: Option<Vec<String>> = ports.iter().map(|port| query(port, attribute)).collect();
    let queries = queries.with_context(|| format!("a port without {attribute}"))?;
    for query in queries.iter().take(10) {
        stage.ports(query, 1).await?;
    }
    Ok(queries)
}

fn query(port: &Value, attribute: &str) -> Option<String> {
    if attribute != "fixed_ips" {
        return Some(format!("{attribute}={}", text(port, attribute)?));
    }
    // Each network of the stage has a range of its own, so an address is one port's.
    let address = text(port.get("fixed_ips")?.get(0)?, "ip_address")?;
    Some(format!("fixed_ips=ip_address%3D{address}"))
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

fn rule(group: &str, port: usize) -> Value {
    json!({
        "security_group_id": group, "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": port, "port_range_max": port,
    })
}

/// These bodies, over and over.
fn posts(target: &Target, path: &'static str, bodies: Vec<String>) -> Requests {
    cycle(bodies.iter().map(|body| target.request("POST", path, body)))
}

/// These paths, over and over.
fn gets(target: &Target, paths: impl Iterator<Item = String>) -> Requests {
    cycle(paths.map(|path| target.request("GET", &path, "")))
}

/// The bytes are ready before the clock starts.
fn cycle(requests: impl Iterator<Item = Vec<u8>>) -> Requests {
    let requests: Vec<_> = requests.collect();
    Arc::new(move |number| requests.get(number % requests.len()).cloned().unwrap_or_default())
}
