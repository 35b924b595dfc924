//! A subnet is the DHCP options of its ports, where it has DHCP at all.

use model::snapshot::SubnetSnapshot;
use wire::types::Id;

use super::dhcp;
use super::external_ids as ids;
use crate::facts::Facts;
use crate::nb;
use crate::want::{RowName, Want, Wants, row_named};

pub fn render(subnet: &SubnetSnapshot, facts: &Facts, wants: &mut Wants) {
    if !dhcp::is_served(subnet.enable_dhcp, subnet.ipv6_address_mode) {
        return;
    }
    let options = dhcp::of_subnet(subnet, facts);
    let row = row(&nb::dhcp_options(subnet.id), subnet, None);
    wants.row(row.pairs("options", options, dhcp::kept(subnet.ip_version)));
}

/// A row of DHCP options of a subnet, or of one port in it, without the options.
pub fn row(name: &RowName, subnet: &SubnetSnapshot, port: Option<Id>) -> Want {
    row_named(name).text("cidr", subnet.cidr.to_string()).keys(
        "external_ids",
        [
            (ids::SUBNET_ID, Some(subnet.id.to_string())),
            (ids::NETWORK_ID, Some(subnet.network_id.to_string())),
            (ids::REVISION_NUMBER, Some(subnet.revision_number.to_string())),
            (ids::PORT_ID, port.map(|id| id.to_string())),
        ],
    )
}
