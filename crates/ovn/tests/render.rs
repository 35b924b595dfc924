//! What is rendered where no scenario of a real Neutron is recorded: chassis of external ports,
//! names, cards with a processor of their own, and the choice between several subnets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod units;

use std::collections::{BTreeMap, BTreeSet};

use model::settings::Settings;
use model::snapshot::{
    DnsSnapshot, NamedPort, NetworkSnapshot, PortSnapshot, SegmentSnapshot, Snapshots,
};
use model::unit::Unit;
use ovn::facts::{Chassis, Facts, Options};
use ovn::nb::Table;
use ovn::render::unit;
use ovn::want::{Cell, Wants};
use serde_json::json;
use units::{id, profile};
use wire::types::dhcp_opt::DhcpOption;
use wire::types::ip::Ip;
use wire::types::words::{IpVersion, VnicType};

fn render(port: PortSnapshot, facts: &Facts) -> Wants {
    let mark = Unit::Port.mark(port.id);
    unit(mark, &Snapshots { ports: [(port.id, port)].into(), ..Snapshots::default() }, facts)
}

fn cell<'a>(wants: &'a Wants, table: Table, key: &str, column: &str) -> &'a Cell {
    let row = wants.rows.iter().find(|row| row.row.table == table && row.row.key == key);
    let columns = &row.expect("the row is there").columns;
    &columns.iter().find(|(name, _)| *name == column).expect("the column is there").1
}

fn pairs(wants: &Wants, table: Table, key: &str, column: &str) -> BTreeMap<String, String> {
    match cell(wants, table, key, column) {
        Cell::Pairs { is, .. } => is.clone(),
        Cell::Keys(keys) => {
            keys.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect()
        }
        other => panic!("no pairs: {other:?}"),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn options(wants: &Wants) -> BTreeMap<String, String> {
    pairs(wants, Table::LogicalSwitchPort, &id(1).to_string(), "options")
}

fn chassis(name: &str) -> Chassis {
    Chassis { name: name.into(), hostname: format!("{name}-host"), ..Chassis::default() }
}

/// The chassis of a group, from the one with the highest priority.
fn ranked(wants: &Wants) -> Vec<String> {
    let rows = wants.rows.iter().filter(|row| row.row.table == Table::HaChassis);
    let mut ranked: Vec<(i64, String)> = rows
        .map(|row| {
            let one =
                |column: &str| match &row.columns.iter().find(|(n, _)| *n == column).unwrap().1 {
                    Cell::Is(datum) => datum.as_one().unwrap().clone(),
                    other => panic!("{other:?}"),
                };
            let name = one("chassis_name").as_str().unwrap().to_owned();
            (one("priority").as_integer().unwrap(), name)
        })
        .collect();
    ranked.sort();
    assert!(ranked.iter().rev().zip(0..).all(|((priority, _), place)| *priority == 32767 - place));
    ranked.into_iter().rev().map(|(_, name)| name).collect()
}

fn network(zones: &[&str]) -> NetworkSnapshot {
    NetworkSnapshot {
        id: id(2),
        name: "n".into(),
        mtu: 1500,
        router_external: false,
        vlan_transparent: false,
        qinq: false,
        availability_zone_hints: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        revision_number: 1,
        segments: vec![SegmentSnapshot {
            id: id(9),
            network_type: "vlan".into(),
            physical_network: Some("public".into()),
            segmentation_id: Some(100),
        }],
        has_external_ports: true,
    }
}

fn render_network(network: NetworkSnapshot, facts: &Facts) -> Wants {
    let mark = Unit::Network.mark(network.id);
    let networks = [(network.id, network)].into();
    unit(mark, &Snapshots { networks, ..Snapshots::default() }, facts)
}

fn gateways(names: &[&str]) -> Facts {
    let gateway = |name: &&str| Chassis {
        is_gateway: true,
        physical_networks: ["public".to_owned()].into(),
        ..chassis(name)
    };
    Facts { chassis: names.iter().map(gateway).collect(), ..Facts::default() }
}

#[test]
fn at_most_five_gateways_answer_for_external_ports_in_an_order_that_every_server_comes_to() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let first = ranked(&render_network(network(&[]), &gateways(&names)));
    assert_eq!(first.len(), 5);
    let mut reversed = names;
    reversed.reverse();
    assert_eq!(ranked(&render_network(network(&[]), &gateways(&reversed))), first);
    let left: Vec<&str> = names.into_iter().filter(|name| *name != first[0]).collect();
    let after = ranked(&render_network(network(&[]), &gateways(&left)));
    assert_eq!(after[..4], first[1..], "the others keep their order when the first one goes");
}

#[test]
fn a_gateway_answers_only_for_networks_that_it_reaches_and_in_their_zones() {
    let mut facts = gateways(&["near", "zoned", "far"]);
    facts.chassis[1].availability_zones = BTreeSet::from(["az1".to_owned()]);
    facts.chassis[2].physical_networks = BTreeSet::new();
    assert_eq!(ranked(&render_network(network(&[]), &facts)), ["near"]);
    assert_eq!(ranked(&render_network(network(&["az1"]), &facts)), ["zoned"]);
    let wants = render_network(network(&["az1"]), &facts);
    let group = format!("neutron-{}", id(2));
    assert_eq!(
        pairs(&wants, Table::HaChassisGroup, &group, "external_ids"),
        map(&[
            ("neutron:availability_zone_hints", "az1"),
            ("neutron:network_id", &id(2).to_string()),
        ])
    );
}

#[test]
fn chassis_set_aside_for_external_ports_serve_each_port_but_those_of_their_own_machines() {
    let mut facts = gateways(&["gateway"]);
    for name in ["one", "two"] {
        facts.chassis.push(Chassis { hosts_external_ports: true, ..chassis(name) });
    }
    let wants = render_network(network(&[]), &facts);
    assert!(wants.rows.iter().all(|row| row.row.table != Table::HaChassisGroup));
    let external =
        PortSnapshot { vnic_type: VnicType::Direct, host: "one-host".into(), ..units::port() };
    let wants = render(external, &facts);
    assert_eq!(ranked(&wants), ["two"]);
    let group = format!("neutron-extport-{}", id(1));
    let Cell::Refers(groups) =
        cell(&wants, Table::LogicalSwitchPort, &id(1).to_string(), "ha_chassis_group")
    else {
        panic!("a reference")
    };
    assert_eq!(groups[0].key, group);
    assert!(options(&wants).is_empty(), "nobody is asked to bind it");
}

#[test]
fn a_card_with_a_processor_of_its_own_is_plugged_in_where_the_card_is() {
    let mut facts = Facts { chassis: vec![chassis("dpu")], ..Facts::default() };
    facts.chassis[0].card_serial_number = Some("SN1".into());
    let port = PortSnapshot {
        vnic_type: VnicType::RemoteManaged,
        host: "compute".into(),
        profile: profile(json!({
            "card_serial_number": "SN1", "pf_mac_address": "00:53:00:00:00:42", "vf_num": 3,
        })),
        ..units::port()
    };
    let wants = render(port.clone(), &facts);
    assert_eq!(
        options(&wants),
        map(&[
            ("requested-chassis", "dpu-host"),
            ("vif-plug-type", "representor"),
            ("vif-plug-mtu-request", "1442"),
            ("vif-plug:representor:pf-mac", "00:53:00:00:00:42"),
            ("vif-plug:representor:vf-num", "3"),
        ])
    );
    facts.chassis.clear();
    assert!(!options(&render(port, &facts)).contains_key("requested-chassis"));
}

#[test]
fn a_port_that_moves_is_asked_for_on_both_hosts_and_waits_for_the_guest_to_speak() {
    let moving = PortSnapshot {
        host: "from".into(),
        vif_type: "ovs".into(),
        profile: profile(json!({"migrating_to": "to"})),
        ..units::port()
    };
    let facts = Facts::default();
    assert_eq!(
        options(&render(moving.clone(), &facts)),
        map(&[("requested-chassis", "from,to"), ("activation-strategy", "rarp")])
    );
    let user_space = PortSnapshot { vif_type: "vhostuser".into(), ..moving.clone() };
    assert_eq!(options(&render(user_space, &facts)), map(&[("requested-chassis", "from,to")]));
    let strategy =
        Options { live_migration_activation_strategy: String::new(), ..Options::default() };
    let facts = Facts { options: strategy.into(), ..Facts::default() };
    assert_eq!(options(&render(moving, &facts)), map(&[("requested-chassis", "from,to")]));
}

#[test]
fn who_is_up_says_where() {
    let port = PortSnapshot { host: "compute".into(), vif_type: "ovs".into(), ..units::port() };
    let host = |status: &str| {
        let wants =
            render(PortSnapshot { status: status.into(), ..port.clone() }, &Facts::default());
        let key = id(1).to_string();
        pairs(&wants, Table::LogicalSwitchPort, &key, "external_ids").remove("neutron:host_id")
    };
    assert_eq!(host("ACTIVE"), Some("compute".to_owned()));
    assert_eq!(host("DOWN"), None);
}

#[test]
fn names_are_told_alone_in_the_network_and_in_the_cloud_and_addresses_tell_them_back() {
    let named = |number: u128, addresses: &[&str]| NamedPort {
        id: id(number),
        dns_name: "www".into(),
        addresses: addresses.iter().map(|ip| Ip::read(ip).unwrap()).collect(),
    };
    let names = DnsSnapshot {
        network_id: id(2),
        dns_domain: "tenant.example.".into(),
        ports: vec![named(1, &["10.0.0.7", "fd00::7"]), named(5, &["10.0.0.8"])],
    };
    let settings = Settings { dns_domain: "cloud.example".into(), ..Settings::default() };
    let facts = Facts { settings: settings.into(), ..Facts::default() };
    let snapshots = Snapshots { dns: [(id(2), names)].into(), ..Snapshots::default() };
    let wants = unit(Unit::NetworkDns.mark(id(2)), &snapshots, &facts);
    let all = "10.0.0.7 fd00::7 10.0.0.8";
    let reverse = format!("7.{}0.0.d.f.ip6.arpa", "0.".repeat(27));
    let switch = format!("neutron-{}", id(2));
    assert_eq!(
        pairs(&wants, Table::Dns, &switch, "records"),
        map(&[
            ("www", all),
            ("www.tenant.example", all),
            ("www.cloud.example", all),
            ("7.0.0.10.in-addr.arpa", "www.cloud.example"),
            ("8.0.0.10.in-addr.arpa", "www.cloud.example"),
            (&reverse, "www.cloud.example"),
        ])
    );
    assert_eq!(wants.members[0].column, "dns_records");
}

#[test]
fn an_option_whose_value_is_none_of_its_type_is_left_out_and_a_blank_one_takes_away() {
    let option = |name: &str, value: &str| DhcpOption {
        opt_name: name.into(),
        opt_value: Some(value.into()),
        ip_version: IpVersion::V4,
    };
    let port = PortSnapshot {
        extra_dhcp_opts: vec![
            option("mtu", "much"),
            option("router", ""),
            option("nobody-knows", "x"),
            option("ntp-server", "10.0.0.6,10.0.0.7"),
        ],
        subnets: [(id(4), units::subnet())].into(),
        ..units::port()
    };
    let wants = render(port, &Facts::default());
    let key = format!("{}/{}", id(4), id(1));
    let options = pairs(&wants, Table::DhcpOptions, &key, "options");
    assert_eq!(options["mtu"], "1442");
    assert_eq!(options["ntp_server"], "{10.0.0.6, 10.0.0.7}");
    assert!(!options.contains_key("router"));
    assert!(options.values().all(|value| value != "x"));
}
