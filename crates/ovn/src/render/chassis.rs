//! The chassis that answer, instead of the card's own, for external ports: one group for a network,
//! or one for each port where chassis are set aside for that.

use std::collections::BTreeMap;

use model::snapshot::{NetworkSnapshot, PortSnapshot};

use super::external_ids as ids;
use crate::facts::{Chassis, Facts};
use crate::nb;
use crate::want::{RowName, Wants, row_named};

/// Chassis in one group at most: each watches the others.
const MOST: usize = 5;
/// The priority of the first one.
const HIGHEST_PRIORITY: i64 = 32767;

/// True when there are chassis that are set aside for external ports.
pub fn are_dedicated(facts: &Facts) -> bool {
    facts.chassis.iter().any(|chassis| chassis.hosts_external_ports)
}

/// The group of an external port.
pub fn group_of(port: &PortSnapshot, facts: &Facts) -> RowName {
    if are_dedicated(facts) {
        nb::port_chassis_group(port.id)
    } else {
        nb::network_chassis_group(port.network_id)
    }
}

/// The group of a network: gateways that reach its physical network.
pub fn network_group(
    network: &NetworkSnapshot,
    physical_network: Option<&str>,
    facts: &Facts,
    wants: &mut Wants,
) {
    let reaches = |chassis: &Chassis| {
        physical_network.is_none_or(|name| chassis.physical_networks.contains(name))
    };
    let eligible = |chassis: &&Chassis| chassis.is_gateway && reaches(chassis);
    let zones = facts.zones(&network.availability_zone_hints);
    let group = nb::network_chassis_group(network.id);
    let chassis = facts.chassis.iter().filter(eligible).collect();
    render(&group, &network.id.to_string(), zones, chassis, wants);
}

/// The group of a port: chassis that are set aside, but not the one of its own machine.
pub fn port_group(port: &PortSnapshot, facts: &Facts, wants: &mut Wants) {
    let eligible =
        |chassis: &&Chassis| chassis.hosts_external_ports && chassis.hostname != port.host;
    let zones = facts.zones(&port.availability_zone_hints);
    let group = nb::port_chassis_group(port.id);
    let chassis = facts.chassis.iter().filter(eligible).collect();
    render(&group, &port.network_id.to_string(), zones, chassis, wants);
}

fn render(
    group: &RowName,
    network_id: &str,
    zones: &[String],
    mut chassis: Vec<&Chassis>,
    wants: &mut Wants,
) {
    wants.row(row_named(group).text("name", &group.key).keys(
        "external_ids",
        [(ids::AVAILABILITY_ZONE_HINTS, zones.join(",")), (ids::NETWORK_ID, network_id.to_owned())],
    ));
    chassis.retain(|one| in_zones(one, zones));
    // Neutron draws lots. Here every server must come to the same order without asking another, and
    // a chassis that comes or goes must not shuffle the rest: the highest weight wins.
    let ranked: BTreeMap<(u64, &str), &Chassis> =
        chassis.iter().map(|one| ((weight(&group.key, &one.name), &*one.name), *one)).collect();
    for (place, one) in (0_i64..).zip(ranked.values().rev().take(MOST)) {
        let member = nb::ha_chassis(group, &one.name);
        wants.row(
            row_named(&member)
                .text("chassis_name", &one.name)
                .one("priority", HIGHEST_PRIORITY - place),
        );
        wants.member(group.clone(), "ha_chassis", member);
    }
}

/// With hints, a chassis in one of the zones; without, one that is in none.
fn in_zones(chassis: &Chassis, zones: &[String]) -> bool {
    if zones.is_empty() {
        return chassis.availability_zones.is_empty();
    }
    zones.iter().any(|zone| chassis.availability_zones.contains(zone))
}

/// A number that is the same on every server and in every release (FNV-1a).
fn weight(group: &str, chassis: &str) -> u64 {
    let bytes = group.bytes().chain([0]).chain(chassis.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
