//! `Terms`: what a rule permits, apart from where it is kept. Rules of groups and the templates of
//! them are checked here, and compared by their meaning.

use wire::fault::{self, Result};
use wire::types::cidr::Prefix;
use wire::types::port_range::PortNumber;
use wire::types::protocol::{NAMES, Protocol};
use wire::types::reference::Reference;
use wire::types::words::{Direction, Ethertype};

const ICMP: u8 = 1;
const IPV6_ICMP: Protocol = Protocol::Named("ipv6-icmp", 58);
/// Encapsulation, routing, fragment, ICMPv6, no next header, options: they exist in IPv6 only.
const ONLY_IPV6: [u8; 6] = [41, 43, 44, 58, 59, 60];

/// What a rule permits.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Which way.
    pub direction: Direction,
    /// Which version of IP.
    pub ethertype: Ethertype,
    /// Null: every one.
    pub protocol: Option<Protocol>,
    /// The first port, or the type of ICMP.
    pub port_range_min: Option<PortNumber>,
    /// The last port, or the code of ICMP.
    pub port_range_max: Option<PortNumber>,
    /// With members of this group.
    pub remote_group_id: Option<Reference>,
    /// With the addresses in this group.
    pub remote_address_group_id: Option<Reference>,
    /// With these addresses.
    pub remote_ip_prefix: Option<Prefix>,
}

impl Terms {
    /// The terms as they are kept: one name for ICMP of IPv6, no range for all ports.
    ///
    /// # Errors
    /// The faults of ports, of the IP version, and of more than one remote end, in Neutron's order.
    pub fn checked(mut self) -> Result<Self> {
        self.name_ipv6_icmp();
        self.drop_whole_range();
        self.check_ports()?;
        if let Some(prefix) = &self.remote_ip_prefix
            && prefix.version() != self.ethertype.version()
        {
            return Err(fault::security_group_rule_parameter_conflict(self.ethertype, prefix));
        }
        if let (Ethertype::Ipv4, Some(protocol)) = (self.ethertype, &self.protocol)
            && ONLY_IPV6.contains(&protocol.number())
        {
            return Err(fault::security_group_ethertype_conflict(self.ethertype, protocol));
        }
        let remotes = [
            self.remote_ip_prefix.is_some(),
            self.remote_group_id.is_some(),
            self.remote_address_group_id.is_some(),
        ];
        if remotes.iter().filter(|given| **given).count() > 1 {
            return Err(fault::security_group_multiple_remotes());
        }
        Ok(self)
    }

    /// PARITY: in IPv6, ICMP by any of its names is `ipv6-icmp`, and 1 is 58.
    fn name_ipv6_icmp(&mut self) {
        if self.ethertype != Ethertype::Ipv6 {
            return;
        }
        match self.protocol {
            Some(Protocol::Named("icmp" | "icmpv6", _)) => self.protocol = Some(IPV6_ICMP),
            Some(Protocol::Number(ICMP)) => {
                self.protocol = Some(Protocol::Number(IPV6_ICMP.number()));
            }
            _ => {}
        }
    }

    /// PARITY: the ports from 1 to 65535 are no range at all, whatever the protocol.
    fn drop_whole_range(&mut self) {
        if (self.port_range_min, self.port_range_max)
            == (Some(PortNumber(1)), Some(PortNumber(u16::MAX)))
        {
            (self.port_range_min, self.port_range_max) = (None, None);
        }
    }

    fn check_ports(&self) -> Result<()> {
        let ends = (self.port_range_min, self.port_range_max);
        if ends == (None, None) {
            return Ok(());
        }
        let Some(protocol) = &self.protocol else {
            return Err(fault::security_group_protocol_required_with_ports());
        };
        if protocol.has_ports() {
            return match ends {
                (Some(PortNumber(0)), _) | (_, Some(PortNumber(0))) => {
                    Err(fault::security_group_invalid_port_value(0))
                }
                (Some(first), Some(last)) if first <= last => Ok(()),
                _ => Err(fault::security_group_invalid_port_range()),
            };
        }
        if !protocol.is_icmp() {
            return Err(fault::security_group_invalid_protocol_for_port(protocol));
        }
        let named = [("type", "port_range_min", ends.0), ("code", "port_range_max", ends.1)];
        for (field, attribute, value) in named {
            if let Some(PortNumber(value)) = value
                && value > 255
            {
                return Err(fault::security_group_invalid_icmp_value(field, attribute, value));
            }
        }
        match ends {
            (None, Some(PortNumber(code))) => Err(fault::security_group_missing_icmp_type(code)),
            _ => Ok(()),
        }
    }

    /// What the rule permits, written in one way: equal texts mean that Neutron takes the rules for
    /// the same. A protocol is the same by name and by number; no prefix and all addresses are the
    /// same; prefixes that differ in their last bits are not (PARITY).
    pub fn meaning(&self) -> String {
        let port = |port: Option<PortNumber>| port.map_or_else(none, |port| port.0.to_string());
        let reference = |other: &Option<Reference>| other.as_ref().map_or_else(none, text);
        let prefix = match &self.remote_ip_prefix {
            Some(prefix) if !matches!(prefix.to_string().as_str(), "0.0.0.0/0" | "::/0") => {
                prefix.to_string()
            }
            _ => none(),
        };
        [
            self.direction.to_string(),
            self.ethertype.to_string(),
            self.protocol.as_ref().map_or_else(none, name),
            port(self.port_range_min),
            port(self.port_range_max),
            reference(&self.remote_group_id),
            reference(&self.remote_address_group_id),
            prefix,
        ]
        .join("_")
    }
}

fn none() -> String {
    "+".to_owned()
}

fn text(reference: &Reference) -> String {
    reference.to_string()
}

/// The name of a protocol, its number where it has none.
/// PARITY: 0 is `ip`; `hopopt`, which has the same number, is taken for another one.
fn name(protocol: &Protocol) -> String {
    match protocol {
        Protocol::Named(name, _) => (*name).to_owned(),
        Protocol::Number(number) => NAMES
            .iter()
            .rev()
            .find(|(name, known)| known == number && *name != "icmpv6")
            .map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(ethertype: Ethertype, protocol: &str, ports: (i32, i32)) -> Terms {
        let port = |port: i32| u16::try_from(port).ok().map(PortNumber);
        Terms {
            direction: Direction::Ingress,
            ethertype,
            protocol: Protocol::read(protocol),
            port_range_min: port(ports.0),
            port_range_max: port(ports.1),
            remote_group_id: None,
            remote_address_group_id: None,
            remote_ip_prefix: None,
        }
    }

    fn refused(terms: Terms) -> &'static str {
        terms.checked().unwrap_err().fault().unwrap().kind
    }

    #[test]
    fn ports_are_checked_as_their_protocol_wants() {
        let cases = [
            ("", (3, -1), "SecurityGroupProtocolRequiredWithPorts"),
            ("tcp", (80, 79), "SecurityGroupInvalidPortRange"),
            ("udplite", (-1, 6), "SecurityGroupInvalidPortRange"),
            ("6", (0, 6), "SecurityGroupInvalidPortValue"),
            ("icmp", (1, 256), "SecurityGroupInvalidIcmpValue"),
            ("icmp", (300, 1), "SecurityGroupInvalidIcmpValue"),
            ("icmp", (-1, 6), "SecurityGroupMissingIcmpType"),
            ("gre", (3, -1), "SecurityGroupInvalidProtocolForPort"),
        ];
        for (protocol, ports, kind) in cases {
            let rule = terms(Ethertype::Ipv4, protocol, ports);
            assert_eq!(refused(rule), kind, "{protocol} {ports:?}");
        }
        for (protocol, ports) in
            [("tcp", (22, 22)), ("icmp", (0, 0)), ("icmp", (8, -1)), ("", (1, 65535))]
        {
            assert!(terms(Ethertype::Ipv4, protocol, ports).checked().is_ok(), "{protocol}");
        }
    }

    #[test]
    fn the_whole_range_is_no_range() {
        let rule = terms(Ethertype::Ipv4, "tcp", (1, 65535)).checked().unwrap();
        assert_eq!(rule, terms(Ethertype::Ipv4, "tcp", (-1, -1)));
    }

    #[test]
    fn icmp_of_ipv6_has_one_name_and_ipv4_none_of_its_protocols() {
        let named = |protocol| terms(Ethertype::Ipv6, protocol, (-1, -1)).checked().unwrap();
        assert_eq!(named("icmp").protocol, Some(IPV6_ICMP));
        assert_eq!(named("icmpv6").protocol, Some(IPV6_ICMP));
        assert_eq!(named("1").protocol, Some(Protocol::Number(58)));
        assert_eq!(named("1").meaning(), named("icmpv6").meaning());
        for protocol in ["ipv6-icmp", "58", "ipv6-route", "60"] {
            assert_eq!(
                refused(terms(Ethertype::Ipv4, protocol, (-1, -1))),
                "SecurityGroupEthertypeConflictWithProtocol"
            );
        }
    }

    #[test]
    fn a_prefix_is_of_the_rules_version_and_there_is_one_remote_end() {
        let mut rule = terms(Ethertype::Ipv4, "", (-1, -1));
        rule.remote_ip_prefix = Prefix::read("::/0");
        assert_eq!(refused(rule.clone()), "SecurityGroupRuleParameterConflict");
        rule.remote_ip_prefix = Prefix::read("192.0.2.0/24");
        rule.remote_group_id = Some(Reference("x".into()));
        assert_eq!(refused(rule), "SecurityGroupMultipleRemoteEntites");
    }

    #[test]
    fn the_meaning_is_the_same_by_name_and_number_and_with_all_addresses() {
        let meaning = |protocol: &str, prefix: &str| {
            let mut rule = terms(Ethertype::Ipv4, protocol, (-1, -1));
            rule.remote_ip_prefix = Prefix::read(prefix);
            rule.meaning()
        };
        assert_eq!(meaning("tcp", ""), meaning("6", "0.0.0.0/0"));
        assert_eq!(meaning("ip", ""), meaning("0", ""));
        assert_ne!(meaning("hopopt", ""), meaning("0", ""));
        assert_ne!(meaning("tcp", "10.0.0.5/24"), meaning("tcp", "10.0.0.0/24"));
        assert_eq!(meaning("250", ""), "ingress_IPv4_250_+_+_+_+_+");
    }
}
