//! `AddressPair`: an address that a port may use besides its own (`allowed_address_pairs`).

use serde_json::{Map, Value as Json};

use super::cidr::Prefix;
use super::list::Item;
use super::mac::Mac;
use super::object::Object;
use super::quoted;
use crate::attr::{BAD_REQUEST, Column, Wire};
use crate::value::Value;

/// An address or a network, with the MAC address it may be used with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPair {
    /// An address or a network, shown as it was given: `192.0.2.7` stays without a prefix length.
    pub ip_address: String,
    /// `None`: the port's own.
    pub mac_address: Option<Mac>,
}

impl AddressPair {
    /// The addresses that it permits.
    pub fn prefix(&self) -> Option<Prefix> {
        Prefix::read(&self.ip_address)
    }
}

/// Reads an address or a network in the canonical form of what was given.
fn address(json: &Json) -> Result<String, String> {
    let given = json.as_str().unwrap_or_default();
    let prefix = match given.contains('/') {
        true => Prefix::read_plain(given),
        false => Prefix::read(given),
    };
    let prefix = prefix.ok_or_else(|| {
        format!("ip_address must be {}: {} is not one", Prefix::ACCEPTS, quoted(json))
    })?;
    let cidr = prefix.cidr();
    if cidr.is_multicast() {
        return Err(format!("ip_address {} is one of multicast", quoted(json)));
    }
    Ok(if given.contains('/') { prefix.to_string() } else { cidr.first().to_string() })
}

impl Wire for AddressPair {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object with ip_address and optionally mac_address";

    fn parse(json: &Json) -> Result<Self, String> {
        let pair = Object::read(json, &["ip_address", "mac_address"])?;
        let mac_address: Option<Mac> = pair.get("mac_address")?;
        if let Some(mac) = mac_address.filter(Mac::is_multicast) {
            return Err(format!("mac_address {mac} is one of multicast"));
        }
        let ip_address = pair.raw("ip_address").ok_or("the key ip_address is missing")?;
        Ok(Self { ip_address: address(ip_address)?, mac_address })
    }
    fn store(&self) -> Value {
        let mut members = Map::new();
        if let Some(mac) = self.mac_address {
            members.insert("mac_address".into(), mac.to_string().into());
        }
        members.insert("ip_address".into(), self.ip_address.clone().into());
        Value::json(members)
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self { ip_address: "0.0.0.0".into(), mac_address: None }
    }
}

impl Item for AddressPair {
    const LIST: &'static str =
        "a list of objects with ip_address and optionally mac_address, each pair once";

    fn list_fault(refused: &Json) -> (&'static str, u16) {
        let pairs = refused.as_array().map(Vec::as_slice).unwrap_or_default();
        if pairs.iter().any(|pair| pair.is_object() && pair.get("ip_address").is_none()) {
            return ("AllowedAddressPairsMissingIP", 400);
        }
        // Entries that are all well taken singly must be repeated.
        if !pairs.is_empty() && pairs.iter().all(|pair| Self::parse(pair).is_ok()) {
            return ("DuplicateAddressPairInRequest", 400);
        }
        BAD_REQUEST
    }
}
