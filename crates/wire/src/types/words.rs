//! Words: attributes that are one of a few texts (or, for IP versions, numbers).

use std::fmt::{self, Display};

use serde_json::Value as Json;

use super::quoted;
use crate::attr::{BAD_REQUEST, Column, INVALID_INPUT, Wire};
use crate::value::Value;

/// Declares an attribute type that is one of a few words, matched exactly. The first one is what a
/// damaged value reads as.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident, $accepts:literal {
        $first:ident = $first_word:literal $(, $word:ident = $text:literal)* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            #[doc = concat!("`", $first_word, "`")]
            $first,
            $( #[doc = concat!("`", $text, "`")] $word, )*
        }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$word)*];

            /// The word.
            pub const fn as_str(&self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $( Self::$word => $text, )*
                }
            }

            /// The one with this word.
            pub fn read(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl $crate::attr::Wire for $name {
            const COLUMN: $crate::attr::Column = $crate::attr::Column::Text(64);
            const ACCEPTS: &'static str = $accepts;
            fn parse(json: &serde_json::Value) -> Result<Self, String> {
                json.as_str().and_then(Self::read).ok_or_else(|| {
                    format!("{} is none of them", $crate::types::quoted(json))
                })
            }
            fn store(&self) -> $crate::value::Value {
                $crate::value::Value::text(self.as_str())
            }
            fn load(value: &$crate::value::Value) -> Option<Self> {
                value.as_text().and_then(Self::read)
            }
            fn empty() -> Self {
                Self::$first
            }
        }
    };
}

words! {
    /// Which way traffic goes, seen from the port.
    pub enum Direction, "ingress or egress" { Ingress = "ingress", Egress = "egress" }
}

words! {
    /// How hosts of an IPv6 subnet get their addresses.
    pub enum Ipv6Mode, "dhcpv6-stateful, dhcpv6-stateless, slaac or null" {
        Stateful = "dhcpv6-stateful", Stateless = "dhcpv6-stateless", Slaac = "slaac",
    }
}

words! {
    /// How a port is plugged into a machine.
    pub enum VnicType,
    "normal, direct, macvtap, baremetal, direct-physical, virtio-forwarder, smart-nic, vdpa, \
     accelerator-direct, accelerator-direct-physical or remote-managed" {
        Normal = "normal",
        Direct = "direct",
        Macvtap = "macvtap",
        Baremetal = "baremetal",
        DirectPhysical = "direct-physical",
        VirtioForwarder = "virtio-forwarder",
        SmartNic = "smart-nic",
        Vdpa = "vdpa",
        AcceleratorDirect = "accelerator-direct",
        AcceleratorDirectPhysical = "accelerator-direct-physical",
        RemoteManaged = "remote-managed",
    }
}

words! {
    /// How close to a port's device its machine must run.
    pub enum NumaPolicy, "required, preferred, legacy, socket or null" {
        Required = "required", Preferred = "preferred", Legacy = "legacy", Socket = "socket",
    }
}

words! {
    /// What a device does in place of the host.
    pub enum HardwareOffloadType, "switchdev or null" { Switchdev = "switchdev" }
}

words! {
    /// Whether a port's binding to a host is the one in use.
    pub enum BindingStatus, "ACTIVE or INACTIVE" { Active = "ACTIVE", Inactive = "INACTIVE" }
}

words! {
    /// Whether the data plane below a port works, as whoever watches it says.
    pub enum DataPlaneStatus, "ACTIVE, DOWN or null" { Active = "ACTIVE", Down = "DOWN" }
}

/// The version of IP that a rule is for, in any case on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ethertype {
    /// `IPv4`
    Ipv4,
    /// `IPv6`
    Ipv6,
}

impl Ethertype {
    /// The word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }

    /// 4 or 6.
    pub const fn version(&self) -> u8 {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 => 6,
        }
    }

    /// The one with this word, in any case.
    pub fn read(text: &str) -> Option<Self> {
        [Self::Ipv4, Self::Ipv6].into_iter().find(|one| one.as_str().eq_ignore_ascii_case(text))
    }
}

impl Display for Ethertype {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Wire for Ethertype {
    const COLUMN: Column = Column::Text(64);
    const ACCEPTS: &'static str = "IPv4 or IPv6";
    fn parse(json: &Json) -> Result<Self, String> {
        json.as_str().and_then(Self::read).ok_or_else(|| format!("{} is neither", quoted(json)))
    }
    fn fault(_: &Json) -> (&'static str, u16) {
        ("SecurityGroupRuleInvalidEtherType", 400)
    }
    fn store(&self) -> Value {
        Value::text(self.as_str())
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_text().and_then(Self::read)
    }
    fn empty() -> Self {
        Self::Ipv4
    }
    fn filter(text: &str) -> Option<Value> {
        Self::read(text).map(|one| one.store())
    }
}

/// A version of IP, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpVersion {
    /// 4
    V4,
    /// 6
    V6,
}

impl IpVersion {
    /// 4 or 6.
    pub const fn number(&self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    /// The one with this number.
    pub const fn of(number: i64) -> Option<Self> {
        match number {
            4 => Some(Self::V4),
            6 => Some(Self::V6),
            _ => None,
        }
    }
}

impl Display for IpVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(out)
    }
}

impl Wire for IpVersion {
    const COLUMN: Column = Column::Int;
    const ACCEPTS: &'static str = "4 or 6";
    fn parse(json: &Json) -> Result<Self, String> {
        i64::parse(json)
            .ok()
            .and_then(Self::of)
            .ok_or_else(|| format!("{} is neither", quoted(json)))
    }
    fn fault(refused: &Json) -> (&'static str, u16) {
        let number = refused.is_number() || i64::parse(refused).is_ok();
        if number { BAD_REQUEST } else { INVALID_INPUT }
    }
    fn store(&self) -> Value {
        Value::Int(i64::from(self.number()))
    }
    fn load(value: &Value) -> Option<Self> {
        value.as_int().and_then(Self::of)
    }
    fn empty() -> Self {
        Self::V4
    }
}
