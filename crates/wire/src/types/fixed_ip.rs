//! `FixedIpAsk` and `FixedIp`: the addresses of a port, as asked and as given. Not here: choosing
//! one.

use serde_json::{Map, Value as Json, json};

use super::Id;
use super::ip::Ip;
use super::list::Item;
use super::object::Object;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// What a caller asks of one address: its subnet, the address itself, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedIpAsk {
    /// In this subnet.
    pub subnet_id: Option<Id>,
    /// This address.
    pub ip_address: Option<Ip>,
}

/// An address of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FixedIp {
    /// The subnet that it is from.
    pub subnet_id: Id,
    /// The address.
    pub ip_address: Ip,
}

impl Wire for FixedIpAsk {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object with subnet_id, ip_address or both";

    fn parse(json: &Json) -> Result<Self, String> {
        let ask = Object::read(json, &["subnet_id", "ip_address"])?;
        Ok(Self { subnet_id: ask.get("subnet_id")?, ip_address: ask.get("ip_address")? })
    }
    fn store(&self) -> Value {
        let mut members = Map::new();
        if let Some(subnet_id) = self.subnet_id {
            members.insert("subnet_id".into(), subnet_id.to_string().into());
        }
        if let Some(ip_address) = self.ip_address {
            members.insert("ip_address".into(), ip_address.to_string().into());
        }
        Value::json(members)
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self::default()
    }
}

impl Item for FixedIpAsk {
    const LIST: &'static str =
        "a list of objects with subnet_id, ip_address or both, each address once";
    const NULL_IS_EMPTY: bool = false;
    fn stored(json: &Json) -> Option<Self> {
        Self::parse(json).ok()
    }
    fn key(&self) -> Option<String> {
        // Several addresses of one subnet may be asked for.
        self.ip_address.map(|ip| ip.to_string())
    }
}

impl Wire for FixedIp {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object with subnet_id and ip_address";

    fn parse(json: &Json) -> Result<Self, String> {
        let fixed_ip = Object::read(json, &["subnet_id", "ip_address"])?;
        Ok(Self {
            subnet_id: fixed_ip.need("subnet_id")?,
            ip_address: fixed_ip.need("ip_address")?,
        })
    }
    fn store(&self) -> Value {
        Value::json(json!({
            "subnet_id": self.subnet_id.to_string(),
            "ip_address": self.ip_address.to_string(),
        }))
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self { subnet_id: Id::empty(), ip_address: Ip::empty() }
    }
}

impl Item for FixedIp {
    const LIST: &'static str = "a list of objects with subnet_id and ip_address, each address once";
    fn key(&self) -> Option<String> {
        Some(format!("{} {}", self.subnet_id, self.ip_address))
    }
}
