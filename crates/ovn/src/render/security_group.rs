//! A security group is a group of ports with a row for each rule. Which ports are in it is said by
//! the ports. A match is made of ids, numbers and networks alone: no text of a caller is in it.

use model::snapshot::{RuleSnapshot, SecurityGroupSnapshot};
use wire::types::Id;
use wire::types::protocol::Protocol;
use wire::types::words::{Direction, Ethertype, IpVersion};

use super::external_ids as ids;
use crate::nb::{self, Table};
use crate::want::{RowName, Wants, row_named};

const PRIORITY: i64 = 1002;

pub fn render(group: &SecurityGroupSnapshot, wants: &mut Wants) {
    let ports = nb::port_group(group.id);
    wants.row(
        row_named(&ports)
            .text("name", &ports.key)
            .keys("external_ids", [(ids::SECURITY_GROUP_ID, group.id.to_string())]),
    );
    let action = if group.stateful { "allow-related" } else { "allow-stateless" };
    for rule in &group.rules {
        let acl = RowName::new(Table::Acl, rule.id.to_string());
        let direction = match rule.direction {
            Direction::Ingress => "to-lport",
            Direction::Egress => "from-lport",
        };
        wants.row(
            row_named(&acl)
                .text("action", action)
                .text("direction", direction)
                .text("match", matching(&ports, rule))
                .one("priority", PRIORITY)
                .keys("external_ids", [(ids::SECURITY_GROUP_RULE_ID, rule.id.to_string())]),
        );
        wants.member(ports.clone(), "acls", acl);
    }
}

/// The packets that a rule permits.
fn matching(ports: &RowName, rule: &RuleSnapshot) -> String {
    let (port, remote) = match rule.direction {
        Direction::Ingress => ("outport", "src"),
        Direction::Egress => ("inport", "dst"),
    };
    let version = match rule.ethertype {
        Ethertype::Ipv4 => IpVersion::V4,
        Ethertype::Ipv6 => IpVersion::V6,
    };
    let mut terms = vec![format!("{port} == @{}", ports.key), format!("ip{version}")];
    let address = format!("ip{version}.{remote}");
    if let Some(cidr) = rule.normalized_cidr {
        terms.push(format!("{address} == {cidr}"));
    }
    if let Some(group) = rule.remote_group_id {
        terms.push(format!("{address} == ${}", members(group, version)));
    }
    if let Some(group) = rule.remote_address_group_id {
        terms.push(format!("{address} == ${}", nb::address_set(group, version).key));
    }
    terms.extend(rule.protocol.as_ref().map(|protocol| traffic(rule, protocol, version)));
    terms.join(" && ")
}

/// The set of the addresses of a group's ports, which OVN keeps by itself.
fn members(group: Id, version: IpVersion) -> String {
    format!("{}_ip{version}", nb::port_group(group).key)
}

/// The protocol of a rule, with its ports or its type and code.
/// PARITY: of protocols that OVN cannot look into, ports are not matched.
fn traffic(rule: &RuleSnapshot, protocol: &Protocol, version: IpVersion) -> String {
    let (first, last) = (rule.port_range_min, rule.port_range_max);
    let name = match protocol.number() {
        6 => "tcp",
        17 => "udp",
        132 => "sctp",
        1 | 58 => {
            let icmp = format!("icmp{version}");
            let kind = first.map(|kind| format!("{icmp}.type == {kind}"));
            let code = last.map(|code| format!("{icmp}.code == {code}"));
            return joined(icmp, [kind, code]);
        }
        other => return format!("ip.proto == {other}"),
    };
    let ports = if first.is_some() && first == last {
        [first.map(|port| format!("{name}.dst == {port}")), None]
    } else {
        [
            first.map(|port| format!("{name}.dst >= {port}")),
            last.map(|port| format!("{name}.dst <= {port}")),
        ]
    };
    joined(name.to_owned(), ports)
}

fn joined(name: String, terms: [Option<String>; 2]) -> String {
    let mut all = vec![name];
    all.extend(terms.into_iter().flatten());
    all.join(" && ")
}
