//! `Mac`: a MAC address, and the base of the chosen ones. Not here: which ones are taken (model).

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::quoted;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// A 48-bit MAC address, written `fa:16:3e:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// The beginning of the addresses that are chosen for ports (Neutron's `base_mac`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    mac: Mac,
}

impl Default for Base {
    /// `fa:16:3e:00:00:00`, as in Neutron.
    fn default() -> Self {
        Self { mac: Mac([0xfa, 0x16, 0x3e, 0, 0, 0]) }
    }
}

impl Base {
    /// The base in a text like `fa:16:3e:00:00:00`; `None`: not an address, or a multicast one.
    pub fn read(text: &str) -> Option<Self> {
        Mac::read(text).filter(|mac| !mac.is_multicast()).map(|mac| Self { mac })
    }

    /// How many addresses can be chosen.
    pub fn size(&self) -> u32 {
        if self.fourth().is_some() { 1 << 16 } else { 1 << 24 }
    }

    /// The fourth octet is part of the base unless it is zero.
    fn fourth(&self) -> Option<u8> {
        let Mac([_, _, _, fourth, _, _]) = self.mac;
        (fourth != 0).then_some(fourth)
    }
}

impl Mac {
    /// The address in this text, in any of the usual forms: six, three or two groups of hexadecimal
    /// digits separated by `:` or `-` (three groups also by `.`), or the digits alone.
    pub fn read(text: &str) -> Option<Self> {
        let separator = text.chars().find(|c| matches!(c, ':' | '-' | '.'));
        let groups: Vec<&str> = match separator {
            Some(separator) => text.split(separator).collect(),
            None => vec![text],
        };
        let (shortest, width) = match (groups.len(), separator) {
            (6, Some(':' | '-')) => (1, 2),
            (3, Some(_)) => (1, 4),
            (2, Some(':' | '-')) => (5, 6),
            (1, None) => (11, 12),
            _ => return None,
        };
        let mut bits: u64 = 0;
        for group in groups {
            let fits = (shortest..=width).contains(&group.len());
            if !fits || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            bits = bits << (4 * width) | u64::from_str_radix(group, 16).ok()?;
        }
        Some(Self::from_bits(bits))
    }

    /// The address with these 48 bits.
    pub fn from_bits(bits: u64) -> Self {
        let [_, _, octets @ ..] = bits.to_be_bytes();
        Self(octets)
    }

    /// The 48 bits.
    pub fn bits(&self) -> u64 {
        let Self([a, b, c, d, e, f]) = *self;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// An address that begins as `base` and ends as `dice`.
    pub fn random(base: &Base, dice: u32) -> Self {
        let Self([a, b, c, _, _, _]) = base.mac;
        let [_, thrown, e, f] = dice.to_be_bytes();
        Self([a, b, c, base.fourth().unwrap_or(thrown), e, f])
    }

    /// True for the addresses of groups.
    pub fn is_multicast(&self) -> bool {
        let Self([first, ..]) = self;
        first & 1 == 1
    }

    /// The lower 64 bits of the address that SLAAC makes in a /64 (modified EUI-64).
    pub fn interface_id(&self) -> u64 {
        let Self([a, b, c, d, e, f]) = *self;
        u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
    }
}

impl Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, e, f]) = self;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl Wire for Mac {
    const COLUMN: Column = Column::Text(17);
    const ACCEPTS: &'static str = "a MAC address like fa:16:3e:00:00:01";

    fn parse(json: &Json) -> Result<Self, String> {
        let mac = json
            .as_str()
            .and_then(Self::read)
            .ok_or_else(|| format!("{} is not a MAC address", quoted(json)))?;
        match mac.bits() {
            0 | 0xffff_ffff_ffff => Err(format!("{mac} cannot be the address of a port")),
            _ => Ok(mac),
        }
    }
    fn store(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self([0; 6])
    }
    fn filter(text: &str) -> Option<Value> {
        // A text that is no address matches nothing rather than being refused.
        Some(Self::read(text).map_or_else(|| Value::text(text), |mac| mac.store()))
    }
}
