//! An address group is two sets, one for each version of IP, also where one is empty: rules name
//! them.

use model::snapshot::AddressGroupSnapshot;
use wire::types::words::IpVersion;

use super::external_ids as ids;
use crate::nb;
use crate::want::{Wants, row_named};

pub fn render(group: &AddressGroupSnapshot, wants: &mut Wants) {
    for version in [IpVersion::V4, IpVersion::V6] {
        let set = nb::address_set(group.id, version);
        let of_version = group.addresses.iter().filter(|cidr| cidr.version() == version.number());
        wants.row(
            row_named(&set)
                .text("name", &set.key)
                .texts("addresses", of_version.map(|cidr| cidr.to_string()))
                .keys(
                    "external_ids",
                    [
                        (ids::ADDRESS_GROUP_ID, group.id.to_string()),
                        (ids::REVISION_NUMBER, group.revision_number.to_string()),
                    ],
                ),
        );
    }
}
