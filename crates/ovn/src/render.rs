//! What units should look like in Northbound: pure functions from their stored state, row for row
//! as Neutron's OVN driver writes them. Everything that reaches a match, a DHCP option or a DNS
//! record is written in that place's grammar (`render/encode.rs`).
//! Not here: what is there already (`diff`).

mod address_group;
mod chassis;
mod dhcp;
mod dns;
pub mod encode;
mod external_ids;
mod global;
mod network;
mod port;
mod port_options;
mod security_group;
mod subnet;

use model::snapshot::Snapshots;
use model::unit::Unit;
use sql::Mark;

use crate::facts::Facts;
use crate::want::Wants;

/// All rows of a unit; none for a unit that is gone.
#[must_use]
pub fn unit(mark: Mark, snapshots: &Snapshots, facts: &Facts) -> Wants {
    let mut wants = Wants::default();
    match Unit::of(mark.kind) {
        Some(Unit::Network) => {
            if let Some(network) = snapshots.networks.get(&mark.id) {
                network::render(network, facts, &mut wants);
            }
        }
        Some(Unit::Subnet) => {
            if let Some(subnet) = snapshots.subnets.get(&mark.id) {
                subnet::render(subnet, facts, &mut wants);
            }
        }
        Some(Unit::Port) => {
            if let Some(port) = snapshots.ports.get(&mark.id) {
                port::render(port, facts, &mut wants);
            }
        }
        Some(Unit::SecurityGroup) => {
            if let Some(group) = snapshots.security_groups.get(&mark.id) {
                security_group::render(group, &mut wants);
            }
        }
        Some(Unit::AddressGroup) => {
            if let Some(group) = snapshots.address_groups.get(&mark.id) {
                address_group::render(group, &mut wants);
            }
        }
        Some(Unit::NetworkDns) => {
            if let Some(names) = snapshots.dns.get(&mark.id) {
                dns::render(names, facts, &mut wants);
            }
        }
        Some(Unit::Global) => global::render(facts, &mut wants),
        None => {}
    }
    wants
}
