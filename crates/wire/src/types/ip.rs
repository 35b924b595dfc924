//! `Ip`: an address of IPv4 or IPv6. Not here: ranges of them (`cidr`).

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;

use super::list::Item;
use super::quoted;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// An IP address, written in the shortest form: `192.0.2.7`, `2001:db8::7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ip(pub IpAddr);

impl Ip {
    /// The address in this text. Octets with leading zeros, which some read as octal, are refused.
    pub fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// 4 or 6.
    pub fn version(&self) -> u8 {
        if self.0.is_ipv4() { 4 } else { 6 }
    }

    /// The address as a number.
    pub fn bits(&self) -> u128 {
        match self.0 {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        }
    }

    /// The address with this number, of the same version as `self`; `None`: beyond the last one.
    pub fn with_bits(&self, bits: u128) -> Option<Self> {
        match self.0 {
            IpAddr::V4(_) => u32::try_from(bits).ok().map(|bits| Self(Ipv4Addr::from(bits).into())),
            IpAddr::V6(_) => Some(Self(Ipv6Addr::from(bits).into())),
        }
    }

    /// True for addresses of groups.
    pub fn is_multicast(&self) -> bool {
        self.0.is_multicast()
    }
}

impl Display for Ip {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let IpAddr::V6(address) = self.0
            // PARITY: Neutron writes ::a.b.c.d where only the last 32 bits are set, as inet_ntop
            // does.
            && let [0, 0, 0, 0, 0, 0, second_to_last, _] = address.segments()
            && second_to_last != 0
        {
            let [.., a, b, c, d] = address.octets();
            return write!(out, "::{}", Ipv4Addr::new(a, b, c, d));
        }
        self.0.fmt(out)
    }
}

impl Wire for Ip {
    const COLUMN: Column = Column::Text(45);
    const ACCEPTS: &'static str = "an IP address like 192.0.2.7 or 2001:db8::7";

    fn parse(json: &Json) -> Result<Self, String> {
        json.as_str()
            .and_then(Self::read)
            .ok_or_else(|| format!("{} is not an IP address", quoted(json)))
    }
    fn store(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self(Ipv4Addr::UNSPECIFIED.into())
    }
    fn filter(text: &str) -> Option<Value> {
        Some(Self::read(text).map_or_else(|| Value::text(text), |ip| ip.store()))
    }
}

impl Item for Ip {
    const LIST: &'static str = "a list of IP addresses, each once";
    // PARITY: the empty text takes name servers away.
    fn is_empty_list(json: &Json) -> bool {
        json.as_str() == Some("")
    }
}
