//! A network is a switch, a port of it for each physical segment, and the chassis that answer for
//! its external ports.

use model::snapshot::{NetworkSnapshot, SegmentSnapshot};
use ovsdb::value::Datum;

use super::{chassis, external_ids as ids};
use crate::facts::{Facts, Options};
use crate::nb;
use crate::want::{Wants, row_named};

/// A truth value as a text.
pub fn word(truth: bool) -> String {
    truth.to_string()
}

pub fn render(network: &NetworkSnapshot, facts: &Facts, wants: &mut Wants) {
    let switch = nb::switch(network.id);
    let provider = network.segments.first().and_then(|one| one.physical_network.clone());
    // PARITY: the type of a network with several segments, or none, is empty.
    let network_type = match network.segments.as_slice() {
        [only] => only.network_type.as_str(),
        _ => "",
    };
    let options = &facts.options;
    wants.row(
        row_named(&switch)
            .text("name", &switch.key)
            .keys(
                "external_ids",
                [
                    (ids::AVAILABILITY_ZONE_HINTS, Some(zones(network, facts))),
                    (ids::MTU, Some(network.mtu.to_string())),
                    (ids::NETWORK_NAME, Some(network.name.clone())),
                    (ids::PROVIDER_NETWORK_TYPE, Some(network_type.to_owned())),
                    (ids::PROVIDER_PHYSICAL_NETWORK, provider.clone()),
                    (ids::REVISION_NUMBER, Some(network.revision_number.to_string())),
                ],
            )
            .keys("other_config", other_config(network, provider.is_some(), options)),
    );
    for segment in &network.segments {
        localnet(network, segment, options, wants);
    }
    if network.has_external_ports && !chassis::are_dedicated(facts) {
        chassis::network_group(network, provider.as_deref(), facts, wants);
    }
}

fn zones(network: &NetworkSnapshot, facts: &Facts) -> String {
    facts.zones(&network.availability_zone_hints).join(",")
}

fn other_config(
    network: &NetworkSnapshot,
    is_provider: bool,
    options: &Options,
) -> [(&'static str, Option<String>); 5] {
    let broadcast = network.router_external.then_some(options.broadcast_arps_to_all_routers);
    let age = is_provider.then_some(options.fdb_age_threshold);
    [
        ("mcast_snoop", Some(word(options.igmp_snooping_enable))),
        ("mcast_flood_unregistered", Some(word(options.igmp_flood_unregistered))),
        ("vlan-passthru", Some(word(network.vlan_transparent || network.qinq))),
        ("fdb_age_threshold", age.map(|seconds| seconds.to_string())),
        ("broadcast-arps-to-all-routers", broadcast.map(word)),
    ]
}

/// The port through which a segment reaches its physical network, if it has one.
fn localnet(
    network: &NetworkSnapshot,
    segment: &SegmentSnapshot,
    options: &Options,
    wants: &mut Wants,
) {
    let Some(physical_network) = &segment.physical_network else { return };
    let port = nb::localnet(segment.id);
    let mut pairs = vec![
        ("network_name", physical_network.clone()),
        ("mcast_flood_reports", word(options.igmp_flood_reports)),
        ("mcast_flood", word(options.igmp_flood)),
        ("localnet_learn_fdb", word(options.localnet_learn_fdb)),
    ];
    if network.qinq {
        // PARITY: OVN reads this spelling of 802.1ad.
        pairs.push(("ethtype", "802.11ad".into()));
    }
    wants.row(
        row_named(&port)
            .text("name", &port.key)
            .text("type", "localnet")
            .texts("addresses", ["unknown"])
            .is("tag_request", Datum::maybe(segment.segmentation_id))
            .keys("external_ids", [(ids::PROVIDER_PHYSICAL_NETWORK, physical_network.as_str())])
            .pairs("options", pairs, &[]),
    );
    wants.member(nb::switch(network.id), "ports", port);
}
