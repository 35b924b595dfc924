//! What `diff` and `apply` promise, on an OVSDB server in the process: after the edits all is as
//! wanted, what belongs to others stays, and nothing is written that somebody else has written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod bench;
mod world;

use ovn::apply::Observed;
use ovn::diff::{Difference, Edit};
use ovn::nb::{self, Table};
use ovn::want::{Cell, RowName, Wants, row};
use ovsdb::error::{Reason, TransactError};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;
use wire::types::Id;

use bench::Bench;
use world::any_world;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_the_edits_all_is_as_wanted_and_what_is_others_stays(
        worlds in prop::collection::vec(any_world(), 1..5),
    ) {
        block_on(async {
            let bench = Bench::start().await;
            bench.foreign_rows().await;
            let before = bench.foreign();
            for world in &worlds {
                let units = world.units();
                bench.bring_in_line(&units).await;
                for ((mark, _), difference) in units.iter().zip(bench.diff(&units)) {
                    if world.waits(*mark) {
                        assert!(matches!(difference, Difference::Waits(_)), "{mark:?} {difference:?}");
                    } else {
                        assert!(difference.is_none(), "{mark:?} {difference:?}");
                    }
                }
                assert_eq!(bench.foreign(), before);
            }
        });
    }
}

fn network(id: Id, name: &str) -> Wants {
    let mut wants = Wants::default();
    let key = format!("neutron-{id}");
    wants.row(
        row(Table::LogicalSwitch, &*key)
            .text("name", &key)
            .keys("external_ids", [("neutron:network_name", name)]),
    );
    wants
}

#[tokio::test]
async fn a_unit_that_another_has_written_meanwhile_is_not_written() {
    let bench = Bench::start().await;
    let id = Id::random();
    let mark = model::unit::Unit::Network.mark(id);
    let (first, second) = (network(id, "first"), network(id, "second"));
    bench.bring_in_line(&[(mark, first.clone())]).await;
    let observed = bench.observed(mark);
    assert!(matches!(observed, Observed::Token(..)));
    bench.bring_in_line(&[(mark, second.clone())]).await;
    let refused = bench.send(&[(mark, first)], &[observed]).await.unwrap_err();
    let TransactError::Refused { operation: Some(0), reason, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(reason, Reason::WaitTimedOut);
    assert!(bench.diff(&[(mark, second)])[0].is_none());
}

#[tokio::test]
async fn a_row_that_neutron_made_is_taken_over_and_kept() {
    let bench = Bench::start().await;
    let id = Id::random();
    let mark = model::unit::Unit::Network.mark(id);
    let name = format!("neutron-{id}");
    bench.edit(&json!({"op": "insert", "table": "Logical_Switch", "row": {
        "name": name, "external_ids": ["map", [["neutron:network_name", "n"], ["other", "x"]]],
        "other_config": ["map", [["theirs", "1"]]],
    }}));
    let before = bench.uuid_of(&nb::switch(id)).await;
    bench.bring_in_line(&[(mark, network(id, "renamed"))]).await;
    assert_eq!(bench.uuid_of(&nb::switch(id)).await, before);
    let ids = bench.cell("Logical_Switch", before, "external_ids");
    assert_eq!(
        (ids.text_at("neutron:network_name"), ids.text_at("other")),
        (Some("renamed"), Some("x"))
    );
    assert_eq!(bench.cell("Logical_Switch", before, "other_config").text_at("theirs"), Some("1"));
}

#[tokio::test]
async fn of_several_rows_with_one_key_one_is_left() {
    let bench = Bench::start().await;
    let id = Id::random();
    let mark = model::unit::Unit::Subnet.mark(id);
    for cidr in ["10.0.0.0/24", "10.0.1.0/24"] {
        bench.edit(&json!({"op": "insert", "table": "DHCP_Options", "row": {
            "cidr": cidr, "external_ids": ["map", [["subnet_id", id.to_string()]]],
        }}));
    }
    bench.settle().await;
    let mut wants = Wants::default();
    wants.row(row(Table::DhcpOptions, id.to_string()).text("cidr", "10.0.2.0/24"));
    let units = [(mark, wants)];
    bench.bring_in_line(&units).await;
    assert_eq!(bench.count("DHCP_Options"), 1);
    assert!(bench.diff(&units)[0].is_none());
}

#[tokio::test]
async fn a_column_that_the_server_lacks_is_left_out() {
    let bench = Bench::start().await;
    let id = Id::random();
    let mark = model::unit::Unit::Network.mark(id);
    let mut wants = network(id, "n");
    wants.rows[0] = wants.rows[0].clone().text("column_of_the_future", "x");
    let units = [(mark, wants)];
    let Difference::Edits(edits) = &bench.diff(&units)[0] else { panic!("it waits") };
    let [Edit::Insert { columns, .. }] = &edits[..] else { panic!("{edits:?}") };
    assert!(!columns.contains_key("column_of_the_future"));
    bench.bring_in_line(&units).await;
    assert!(bench.diff(&units)[0].is_none());
}

#[tokio::test]
async fn a_reference_to_a_row_that_has_just_gone_is_refused_and_not_lost() {
    let bench = Bench::start().await;
    let (network_id, subnet_id, port_id) = (Id::random(), Id::random(), Id::random());
    let (mut subnet, mut port) = (Wants::default(), Wants::default());
    subnet.row(
        row(Table::DhcpOptions, subnet_id.to_string())
            .text("cidr", "10.0.0.0/24")
            .keys("external_ids", [("subnet_id", subnet_id.to_string())]),
    );
    port.row(
        row(Table::LogicalSwitchPort, port_id.to_string())
            .text("name", port_id.to_string())
            .refers("dhcpv4_options", Some(nb::dhcp_options(subnet_id))),
    );
    port.member(nb::switch(network_id), "ports", nb::port(port_id));
    let marks = model::unit::Unit::Port.mark(port_id);
    bench
        .bring_in_line(&[
            (model::unit::Unit::Network.mark(network_id), network(network_id, "n")),
            (model::unit::Unit::Subnet.mark(subnet_id), subnet),
        ])
        .await;
    let units = [(marks, port)];
    let stale = bench.plan(&units, &[Observed::Absent]);
    let options = bench.uuid_of(&nb::dhcp_options(subnet_id)).await;
    bench.edit(&json!({"op": "delete", "table": "DHCP_Options",
        "where": [["_uuid", "==", ["uuid", options.to_string()]]]}));
    let refused = bench.client.transact(&stale.transaction).await.unwrap_err();
    let TransactError::Refused { operation: Some(operation), reason, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((reason, stale.owners(operation)), (Reason::WaitTimedOut, &[0][..]));
    bench.settle().await;
    assert_eq!(bench.diff(&units)[0], Difference::Waits(nb::dhcp_options(subnet_id)));
}

/// A security group with so many rules.
fn group(id: Id, rules: u128) -> Wants {
    let (ports, mut wants) = (nb::port_group(id), Wants::default());
    let rules: Vec<RowName> = (1..=rules)
        .map(|rule| RowName::new(Table::Acl, Uuid::from_u128(rule).to_string()))
        .collect();
    wants.row(
        row(ports.table, &*ports.key)
            .text("name", &ports.key)
            .cell("acls", Cell::Refers(rules.clone())),
    );
    for rule in rules {
        let ids = [("neutron:security_group_rule_id", rule.key.clone())];
        wants.row(
            row(rule.table, rule.key)
                .text("action", "allow-related")
                .text("direction", "to-lport")
                .text("match", "ip4")
                .one("priority", 1002)
                .keys("external_ids", ids),
        );
    }
    wants
}

#[tokio::test]
async fn a_rule_more_in_a_large_group_costs_no_look_at_the_others() {
    let bench = Bench::start().await;
    let id = Id::random();
    let mark = model::unit::Unit::SecurityGroup.mark(id);
    bench.bring_in_line(&[(mark, group(id, 400))]).await;
    bench.settle().await;
    let units = [(mark, group(id, 401))];
    let plan = bench.plan(&units, &[bench.observed(mark)]);
    assert!(plan.transaction.len() < 10, "{} operations", plan.transaction.len());
    bench.bring_in_line(&units).await;
    assert!(bench.diff(&units)[0].is_none());
    assert_eq!(bench.count("ACL"), 401);
}
