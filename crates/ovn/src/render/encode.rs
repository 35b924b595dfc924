//! How what callers say is written in the grammars of OVN, so that no text changes the meaning of
//! what stands around it. DHCP options become part of an action (`put_dhcp_opts(router = …, …)`):
//! each value is one constant there, of the type that OVN has for the option, or it is left out.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;
use wire::types::mac::Mac;

/// The longest value of a DHCP option.
const LONGEST: usize = 255;

/// A text as a column can hold it: the protocol has no NUL.
#[must_use]
pub fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// A name of a host as one member of a list that is separated by commas.
#[must_use]
pub fn host(name: &str) -> String {
    name.replace(',', "%2C")
}

/// True for a name that the DNS can have.
#[must_use]
pub fn is_dns_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= LONGEST && name.chars().all(fits)
}

/// The name under which the DNS keeps the name of an address.
#[must_use]
pub fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let nibbles: Vec<String> =
                (0..32).map(|place| format!("{:x}", (bits >> (4 * place)) & 0xf)).collect();
            format!("{}.ip6.arpa", nibbles.join("."))
        }
    }
}

/// The type of a DHCP option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// Addresses of version 4.
    Ipv4,
    /// Addresses of version 6.
    Ipv6,
    /// Networks, each with the way to it.
    Routes,
    /// A whole number up to this one.
    Number(u32),
    /// A MAC address.
    Mac,
}

/// A constant of OVN's expressions for what a caller gave; `None`: it is none of this type.
#[must_use]
pub fn dhcp_value(kind: Kind, given: &str) -> Option<String> {
    match kind {
        Kind::Text => text(given),
        Kind::Ipv4 => list(given, |one| one.parse::<Ipv4Addr>().ok()),
        Kind::Ipv6 => list(given, |one| one.parse::<Ipv6Addr>().ok()),
        Kind::Routes => routes(given),
        Kind::Number(most) => {
            given.trim().parse().ok().filter(|number| *number <= most).map(|n: u32| n.to_string())
        }
        Kind::Mac => Mac::read(given.trim()).map(|mac| mac.to_string()),
    }
}

/// A text in quotes. What is in quotes already is taken for a text that was quoted before.
pub fn text(given: &str) -> Option<String> {
    let quoted = given.len() > 1 && given.starts_with('"') && given.ends_with('"');
    let unquoted = || serde_json::from_str::<String>(given).ok();
    let text = quoted.then(unquoted).flatten().unwrap_or_else(|| given.to_owned());
    if text.len() > LONGEST || text.contains('\0') {
        return None;
    }
    serde_json::to_string(&text).ok()
}

/// What stands in braces, or everything.
fn inside(given: &str) -> &str {
    let given = given.trim();
    given.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(given)
}

fn list<T: Display>(given: &str, read: impl Fn(&str) -> Option<T>) -> Option<String> {
    let members: Option<Vec<T>> = inside(given).split(',').map(|one| read(one.trim())).collect();
    let members: Vec<String> = members?.iter().map(T::to_string).collect();
    let is_plain = members.len() == 1 && !given.trim().starts_with('{');
    Some(if is_plain { members.concat() } else { format!("{{{}}}", members.join(", ")) })
}

/// Routes in braces: `{192.0.2.0/24,10.0.0.1, 0.0.0.0/0,10.0.0.2}`.
fn routes(given: &str) -> Option<String> {
    let inside = inside(given);
    if inside.trim().is_empty() {
        return Some("{}".into());
    }
    let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
    let route = |pair: &[&str]| match pair {
        [to, over] => {
            let to: Ipv4Net = to.parse().ok().or_else(|| {
                let single: Ipv4Addr = to.parse().ok()?;
                Some(Ipv4Net::from(single))
            })?;
            let over: Ipv4Addr = over.parse().ok()?;
            Some(format!("{to},{over}"))
        }
        _ => None,
    };
    let routes: Option<Vec<String>> = parts.chunks(2).map(route).collect();
    Some(format!("{{{}}}", routes?.join(", ")))
}
