//! `HostRoute`: a route that the hosts of a subnet (or a router) shall have.

use serde_json::{Value as Json, json};

use super::cidr::{Cidr, Prefix};
use super::ip::Ip;
use super::list::Item;
use super::object::Object;
use super::quoted;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// Where to send what is for a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostRoute {
    /// The network.
    pub destination: Cidr,
    /// The way to it.
    pub nexthop: Ip,
}

fn destination(json: &Json) -> Result<Cidr, String> {
    let given = json.as_str().filter(|text| text.contains('/')).and_then(Prefix::read);
    let Some(prefix) = given else {
        return Err(format!("destination must be {}, not {}", Cidr::ACCEPTS, quoted(json)));
    };
    let cidr = prefix.cidr();
    if cidr.0 != prefix.0 {
        return Err(format!("destination {prefix} is not the beginning of its network {cidr}"));
    }
    if cidr.first().0.is_loopback() {
        return Err(format!("destination {cidr} is the host itself"));
    }
    Ok(cidr)
}

impl Wire for HostRoute {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object with destination and nexthop";

    fn parse(json: &Json) -> Result<Self, String> {
        let route = Object::read(json, &["destination", "nexthop"])?;
        let given = route.raw("destination").ok_or("the key destination is missing")?;
        Ok(Self { destination: destination(given)?, nexthop: route.need("nexthop")? })
    }
    fn store(&self) -> Value {
        Value::json(json!({
            "destination": self.destination.to_string(),
            "nexthop": self.nexthop.to_string(),
        }))
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self { destination: Cidr::empty(), nexthop: Ip::empty() }
    }
}

impl Item for HostRoute {
    const LIST: &'static str = "a list of objects with destination and nexthop, each once";
}
