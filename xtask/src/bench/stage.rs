//! What must stand on a server before something can be measured: networks, ports in great number,
//! security groups. All of it is made through the API, and can be taken away again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::connection::{Connection, Target};
use super::load::{self, Load};

/// Connections that fill the server. More would only queue.
const FILLERS: usize = 4;

/// A /16 has 65,533 addresses; a few are left over.
pub const PORTS_PER_NETWORK: usize = 60_000;

/// A server and what was made on it.
pub struct Stage {
    /// The server.
    pub target: Target,
    /// Ports made by one request while filling.
    pub bulk: usize,
    /// Ports that were made so.
    pub filled: usize,
    connection: Connection,
    networks: Vec<String>,
    groups: Vec<String>,
}

impl Stage {
    /// Connects to the server.
    pub async fn new(target: Target, bulk: usize) -> Result<Self> {
        let connection = Connection::open(&target).await.context("cannot reach the server")?;
        let (networks, groups) = (Vec::new(), Vec::new());
        Ok(Stage { target, bulk, filled: 0, connection, networks, groups })
    }

    /// One request outside of any measurement.
    ///
    /// # Errors
    /// If the status is no success; the error has the reply.
    pub async fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let status = self.connection.send(&self.target.request(method, path, body)).await?;
        let body = &self.connection.body;
        if status / 100 != 2 {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(body));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(body)?)
    }

    /// A network with a /16 subnet of its own; returns its id.
    pub async fn network(&mut self) -> Result<String> {
        let number = self.networks.len();
        let name = format!("bench-{number}");
        let body = json!({"network": {"name": name}}).to_string();
        let id = id_of(&self.call("POST", "/v2.0/networks", &body).await?, "network")?;
        self.networks.push(id.clone());
        let cidr = format!("10.{}.0.0/16", number % 256);
        let subnet = json!({"network_id": id, "ip_version": 4, "cidr": cidr, "enable_dhcp": false});
        self.call("POST", "/v2.0/subnets", &json!({"subnet": subnet}).to_string()).await?;
        Ok(id)
    }

    /// A security group; returns its id.
    pub async fn group(&mut self) -> Result<String> {
        let body = json!({"security_group": {"name": "bench"}}).to_string();
        let reply = self.call("POST", "/v2.0/security-groups", &body).await?;
        let id = id_of(&reply, "security_group")?;
        self.groups.push(id.clone());
        Ok(id)
    }

    /// So many more ports on the network, in bulk. Each has a device of its own.
    pub async fn fill(&mut self, network: &str, count: usize) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (target, network) = (self.target.clone(), network.to_owned());
        let (bulk, began) = (self.bulk, Instant::now());
        let requests = move |number: usize| {
            let first = number * bulk;
            let ports: Vec<_> = (first..count.min(first + bulk))
                .map(|port| {
                    let device = format!("bench-{network}-{port}");
                    json!({"network_id": network, "device_id": device, "name": "bench",
                           "device_owner": "compute:bench"})
                })
                .collect();
            target.request("POST", "/v2.0/ports", &json!({"ports": ports}).to_string())
        };
        let load = Load {
            clients: FILLERS,
            time: Duration::MAX / 4,
            warm_up: Duration::ZERO,
            most: count.div_ceil(self.bulk),
        };
        let outcome = load::run(&self.target, load, Arc::new(requests)).await?;
        if let Some(error) = outcome.first_error {
            bail!("filling with {count} ports: {error}");
        }
        self.filled += count;
        let seconds = began.elapsed().as_secs_f64();
        println!("  {count} ports in {seconds:.1} s ({:.0}/s)", count as f64 / seconds);
        Ok(())
    }

    /// The ports that a list has.
    ///
    /// # Errors
    /// If they are not exactly so many: a measurement of a wrong answer is worth nothing.
    pub async fn ports(&mut self, query: &str, expected: usize) -> Result<Vec<Value>> {
        let path = format!("/v2.0/ports?{query}");
        let mut reply = self.call("GET", &path, "").await?;
        let Some(Value::Array(ports)) = reply.get_mut("ports").map(Value::take) else {
            bail!("{path}: no list of ports");
        };
        if ports.len() != expected {
            bail!("{path}: {} ports where {expected} were expected", ports.len());
        }
        Ok(ports)
    }

    /// Removes everything that was made.
    pub async fn clear(&mut self) -> Result<()> {
        for network in std::mem::take(&mut self.networks) {
            let path = format!("/v2.0/ports?network_id={network}&fields=id");
            let reply = self.call("GET", &path, "").await?;
            for port in reply.get("ports").and_then(Value::as_array).into_iter().flatten() {
                let id = port.get("id").and_then(Value::as_str).unwrap_or_default();
                self.call("DELETE", &format!("/v2.0/ports/{id}"), "").await?;
            }
            self.call("DELETE", &format!("/v2.0/networks/{network}"), "").await?;
        }
        for group in std::mem::take(&mut self.groups) {
            self.call("DELETE", &format!("/v2.0/security-groups/{group}"), "").await?;
        }
        Ok(())
    }
}

fn id_of(reply: &Value, kind: &str) -> Result<String> {
    let id = reply.get(kind).and_then(|it| it.get("id")).and_then(Value::as_str);
    Ok(id.with_context(|| format!("a reply without the id of a {kind}: {reply}"))?.to_owned())
}
