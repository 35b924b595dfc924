//! `Cidr`, `Prefix` and `IpRange`: sets of neighbouring addresses. Not here: which are taken
//! (model).

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::{Value as Json, json};

use super::ip::Ip;
use super::list::Item;
use super::object::Object;
use super::quoted;
use crate::attr::{BAD_REQUEST, Column, INVALID_INPUT, Wire};
use crate::value::Value;

/// A network in CIDR notation; bits after the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(pub IpNet);

/// An address and a prefix length, written as the caller did: `192.0.2.7/24` keeps its last bits.
/// An address alone is one with all of its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(pub IpNet);

/// The addresses from `start` to `end`, both included: an allocation pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpRange {
    /// The first one.
    pub start: Ip,
    /// The last one.
    pub end: Ip,
}

/// Reads an address with or without a prefix length or a netmask.
fn network(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return Ip::read(text).map(|ip| IpNet::from(ip.0));
    };
    let address = Ip::read(address)?.0;
    let length = prefix_length(length, address)?;
    IpNet::new(address, length).ok()
}

/// The length in `24`, `255.255.255.0` or `0.0.0.255`.
fn prefix_length(text: &str, address: IpAddr) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mask: IpAddr = text.parse().ok()?;
    if mask.is_ipv4() != address.is_ipv4() {
        return None;
    }
    // PARITY: netaddr also reads the inverted mask.
    ipnet::ip_mask_to_prefix(mask).or_else(|_| ipnet::ip_mask_to_prefix(inverted(mask))).ok()
}

fn inverted(mask: IpAddr) -> IpAddr {
    match mask {
        IpAddr::V4(mask) => IpAddr::from(!mask),
        IpAddr::V6(mask) => IpAddr::from(!mask),
    }
}

impl Cidr {
    /// The network in this text, its later bits cleared.
    pub fn read(text: &str) -> Option<Self> {
        network(text).map(|net| Self(net.trunc()))
    }

    /// 4 or 6.
    pub fn version(&self) -> u8 {
        self.first().version()
    }

    /// How many bits the addresses have in common.
    pub fn prefix_length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The network's own address.
    pub fn first(&self) -> Ip {
        Ip(self.0.network())
    }

    /// The last address; in IPv4 that of broadcasts.
    pub fn last(&self) -> Ip {
        Ip(self.0.broadcast())
    }

    /// How many addresses there are; `u128::MAX` for all of IPv6, which has one more.
    pub fn size(&self) -> u128 {
        1u128
            .checked_shl(u32::from(self.0.max_prefix_len() - self.0.prefix_len()))
            .unwrap_or(u128::MAX)
    }

    /// True when the address is in it.
    pub fn contains(&self, ip: &Ip) -> bool {
        self.0.contains(&ip.0)
    }

    /// True when all of the other's addresses are in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// True when they have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The address at this distance from the first one; `None`: outside.
    pub fn nth(&self, distance: u128) -> Option<Ip> {
        let first = self.first();
        let ip = first.with_bits(first.bits().checked_add(distance)?)?;
        self.contains(&ip).then_some(ip)
    }

    /// True when some of its addresses are of groups. All of IPv4 is let pass, as in Neutron.
    pub fn is_multicast(&self) -> bool {
        let groups = match self.0 {
            IpNet::V4(_) => IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4)),
            IpNet::V6(_) => IpNet::V6(Ipv6Net::new_assert(
                std::net::Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
                8,
            )),
        };
        let everything = self.0.prefix_len() == 0 && self.version() == 4;
        !everything && self.overlaps(&Self(groups))
    }
}

impl Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", Ip(self.0.addr()), self.0.prefix_len())
    }
}

impl Wire for Cidr {
    const COLUMN: Column = Column::Text(64);
    const ACCEPTS: &'static str = "a network like 192.0.2.0/24 or 2001:db8::/64";

    fn parse(json: &Json) -> Result<Self, String> {
        json.as_str()
            .and_then(Self::read)
            .ok_or_else(|| format!("{} is not a network in CIDR notation", quoted(json)))
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        INVALID_INPUT
    }
    fn store(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self(IpNet::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)))
    }
    fn filter(text: &str) -> Option<Value> {
        Some(Self::read(text).map_or_else(|| Value::text(text), |cidr| cidr.store()))
    }
}

impl Item for Cidr {
    const LIST: &'static str = "a list of networks like 192.0.2.0/24, each once";
    fn entry(json: &Json) -> Result<Self, String> {
        match json.as_str().and_then(Prefix::read_plain) {
            Some(prefix) => Ok(prefix.cidr()),
            None => Err(format!("{} is not an address/prefix-length", quoted(json))),
        }
    }
}

impl Prefix {
    /// The address and prefix length in this text.
    pub fn read(text: &str) -> Option<Self> {
        network(text).map(Self)
    }

    /// The address and prefix length in this text, which must have both, and in IPv4 be written as
    /// `Display` does: Neutron is stricter in lists than in single values.
    pub fn read_plain(text: &str) -> Option<Self> {
        Self::read(text)
            .filter(|_| text.contains('/'))
            .filter(|prefix| prefix.version() == 6 || prefix.to_string() == text)
    }

    /// 4 or 6.
    pub fn version(&self) -> u8 {
        Ip(self.0.addr()).version()
    }

    /// The network that it is in: its later bits cleared.
    pub fn cidr(&self) -> Cidr {
        Cidr(self.0.trunc())
    }
}

impl Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", Ip(self.0.addr()), self.0.prefix_len())
    }
}

impl Wire for Prefix {
    const COLUMN: Column = Column::Text(64);
    const ACCEPTS: &'static str = "an address or a network like 192.0.2.0/24";

    fn parse(json: &Json) -> Result<Self, String> {
        json.as_str().and_then(Self::read).ok_or_else(|| {
            format!("{} is neither an address nor a network in CIDR notation", quoted(json))
        })
    }
    fn nothing(json: &Json) -> bool {
        json.is_null() || json.as_str() == Some("")
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        ("InvalidCIDR", 400)
    }
    fn store(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self(IpNet::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)))
    }
    fn filter(text: &str) -> Option<Value> {
        // PARITY: the empty text, which asks for no prefix in a rule, matches none as a filter.
        if text.is_empty() {
            return Some(Value::text(""));
        }
        Self::read(text).map(|prefix| prefix.store())
    }
}

impl IpRange {
    /// True when the address is in it.
    pub fn contains(&self, ip: &Ip) -> bool {
        self.start.version() == ip.version() && self.start <= *ip && *ip <= self.end
    }

    /// True when they have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start.version() == other.start.version()
            && self.start <= other.end
            && other.start <= self.end
    }

    /// How many addresses there are; none when `end` is before `start`; `u128::MAX` for all of
    /// IPv6.
    pub fn size(&self) -> u128 {
        if self.start.version() != self.end.version() || self.end < self.start {
            return 0;
        }
        (self.end.bits() - self.start.bits()).saturating_add(1)
    }

    /// The address at this distance from the first one; `None`: outside.
    pub fn nth(&self, distance: u128) -> Option<Ip> {
        let ip = self.start.with_bits(self.start.bits().checked_add(distance)?)?;
        self.contains(&ip).then_some(ip)
    }
}

impl Wire for IpRange {
    const COLUMN: Column = Column::Json;
    const ACCEPTS: &'static str = "an object with the addresses start and end";

    fn parse(json: &Json) -> Result<Self, String> {
        let range = Object::read(json, &["start", "end"])?;
        Ok(Self { start: range.need("start")?, end: range.need("end")? })
    }
    fn store(&self) -> Value {
        Value::json(json!({"start": self.start.to_string(), "end": self.end.to_string()}))
    }
    fn load(value: &Value) -> Option<Self> {
        Self::parse(&value.to_json()).ok()
    }
    fn empty() -> Self {
        Self { start: Ip::empty(), end: Ip::empty() }
    }
}

impl Item for IpRange {
    const LIST: &'static str = "a list of objects with the addresses start and end";
    fn list_fault(refused: &Json) -> (&'static str, u16) {
        // Neutron's converter reads a list of objects, its validator the addresses in them.
        let readable = refused.as_array().is_some_and(|pools| pools.iter().all(Json::is_object));
        if readable { BAD_REQUEST } else { INVALID_INPUT }
    }
    fn key(&self) -> Option<String> {
        // Overlaps of any kind are the model's to refuse, with a fault of their own.
        None
    }
}
