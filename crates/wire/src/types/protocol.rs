//! `Protocol`: an IP protocol as security group rules name it. Not here: what else a rule may then
//! say.

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::quoted;
use crate::attr::{Column, Wire};
use crate::value::Value;

/// The names and their IANA numbers. `icmpv6` is an older name of `ipv6-icmp`.
pub const NAMES: [(&str, u8); 25] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("icmpv6", 58),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// A protocol by its name, lower-case, or by its number. Kept as the caller named it: `tcp` and `6`
/// are shown differently and mean the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// By one of the `NAMES`.
    Named(&'static str, u8),
    /// By number.
    Number(u8),
}

impl Protocol {
    /// The protocol in this text, in any case.
    pub fn read(text: &str) -> Option<Self> {
        if let Ok(number) = text.trim().parse() {
            return Some(Self::Number(number));
        }
        let lower = text.to_lowercase();
        NAMES.iter().find(|(name, _)| *name == lower).map(|(name, n)| Self::Named(name, *n))
    }

    /// The number, whichever way it was named.
    pub fn number(&self) -> u8 {
        match self {
            Self::Named(_, number) | Self::Number(number) => *number,
        }
    }

    /// All texts that name the same protocol: its number and its names.
    pub fn aliases(&self) -> Vec<String> {
        let same = NAMES.iter().filter(|(_, number)| *number == self.number());
        std::iter::once(self.number().to_string())
            .chain(same.map(|(name, _)| (*name).to_owned()))
            .collect()
    }

    /// True when rules for it may name ports: TCP, UDP, UDP-Lite, SCTP, DCCP.
    pub fn has_ports(&self) -> bool {
        matches!(self.number(), 6 | 17 | 33 | 132 | 136)
    }

    /// True for ICMP of either version, whose rules name types and codes.
    pub fn is_icmp(&self) -> bool {
        matches!(self.number(), 1 | 58)
    }
}

impl Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name, _) => out.write_str(name),
            Self::Number(number) => number.fmt(out),
        }
    }
}

impl Wire for Protocol {
    const COLUMN: Column = Column::Text(40);
    const ACCEPTS: &'static str = "null, any, a number from 0 to 255, or ah, dccp, egp, esp, gre, \
         hopopt, icmp, igmp, ip, ipip, ipv6-encap, ipv6-frag, ipv6-icmp, icmpv6, ipv6-nonxt, \
         ipv6-opts, ipv6-route, ospf, pgm, rsvp, sctp, tcp, udp, udplite or vrrp";

    fn parse(json: &Json) -> Result<Self, String> {
        let read = match json {
            Json::String(text) => Self::read(text),
            Json::Number(number) => {
                number.as_u64().and_then(|n| u8::try_from(n).ok()).map(Self::Number)
            }
            _ => None,
        };
        read.ok_or_else(|| format!("{} is no such protocol", quoted(json)))
    }
    fn nothing(json: &Json) -> bool {
        json.is_null() || json.as_str().is_some_and(|text| text.eq_ignore_ascii_case("any"))
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        ("SecurityGroupRuleInvalidProtocol", 400)
    }
    fn store(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self::Number(0)
    }
    fn filter(text: &str) -> Option<Value> {
        if text.eq_ignore_ascii_case("any") {
            return Some(Value::Null);
        }
        Self::read(text).map(|protocol| protocol.store())
    }
}
