//! What rendering reads: how many statements it takes, and what becomes of damaged rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod house;

use house::{House, member};
use model::snapshot::{self, Snapshots};
use model::unit::Unit;
use serde_json::json;
use sql::Mark;
use testkit::database::Engine;
use wire::ctx::Ctx;
use wire::types::Id;
use wire::value::Value;

testkit::on_each_engine!(
    many_units_take_as_many_statements_as_one,
    a_damaged_rule_permits_nothing_and_spoils_nothing_else,
    ports_that_were_there_before_the_table_of_pairs_are_in_it,
);

async fn load(house: &House, ctx: &Ctx, marks: &[Mark]) -> Snapshots {
    house.world.db.read(ctx, |tx| async move { snapshot::load(&tx, marks).await }).await.unwrap()
}

async fn statements(house: &House, ctx: &Ctx, marks: &[Mark]) -> u64 {
    let before = house.world.db.stats().statements;
    load(house, ctx, marks).await;
    house.world.db.stats().statements - before
}

async fn many_units_take_as_many_statements_as_one(engine: Engine) {
    let house = House::new(engine).await;
    let ctx = member("project");
    let mut marks = Vec::new();
    for number in 0..6 {
        let name = format!("n{number}");
        let network = house.create(&ctx, "networks", json!({"name": name})).await;
        let network = network.unwrap().id();
        let subnet = json!({
            "network_id": network.to_string(), "cidr": "10.0.0.0/24", "ip_version": 4,
        });
        let subnet = house.create(&ctx, "subnets", subnet).await.unwrap().id();
        let port = json!({
            "network_id": network.to_string(),
            "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1300"}],
            "allowed_address_pairs": [{"ip_address": "10.0.0.50"}],
        });
        let port = house.create(&ctx, "ports", port).await.unwrap();
        let groups = port.get(model::port::at::security_groups);
        marks.extend([
            Unit::Network.mark(network),
            Unit::Subnet.mark(subnet),
            Unit::Port.mark(port.id()),
            Unit::SecurityGroup.mark(groups[0]),
            Unit::NetworkDns.mark(network),
        ]);
    }
    let one = statements(&house, &ctx, &marks[..5]).await;
    assert!(one > 5, "each kind is read");
    assert_eq!(statements(&house, &ctx, &marks).await, one);
    let all = load(&house, &ctx, &marks).await;
    assert_eq!((all.networks.len(), all.subnets.len(), all.ports.len()), (6, 6, 6));
    assert!(all.ports.values().all(|port| port.subnets.len() == 1 && port.fixed_ips.len() == 1));
}

async fn a_damaged_rule_permits_nothing_and_spoils_nothing_else(engine: Engine) {
    let house = House::new(engine).await;
    let ctx = member("project");
    let group = house.create(&ctx, "security_groups", json!({"name": "g"}));
    let group = group.await.unwrap().id();
    let mut rules: Vec<Id> = Vec::new();
    for prefix in ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"] {
        let rule = json!({
            "security_group_id": group.to_string(), "direction": "ingress", "protocol": "tcp",
            "remote_ip_prefix": prefix,
        });
        rules.push(house.create(&ctx, "security_group_rules", rule).await.unwrap().id());
    }
    let damage = [("normalized_cidr", "0.0.0.0/0 || 1"), ("protocol", "tcp || ip4")];
    for ((column, text), rule) in damage.into_iter().zip(&rules) {
        let sql = format!("UPDATE security_group_rules SET {column} = ? WHERE id = ?");
        house
            .world
            .db
            .write(&ctx, |tx| {
                let params = vec![Value::text(text), Value::text(rule.to_string())];
                tx.exec(sql.clone(), params);
                async { Ok(()) }
            })
            .await
            .unwrap();
    }
    let snapshots = load(&house, &ctx, &[Unit::SecurityGroup.mark(group)]).await;
    let read = &snapshots.security_groups[&group].rules;
    assert!(read.iter().any(|rule| rule.id == rules[2]));
    assert!(read.iter().all(|rule| rule.id != rules[0] && rule.id != rules[1]));
    assert_eq!(read.len(), 3, "the two rules that each group begins with, and the sound one");
}

async fn ports_that_were_there_before_the_table_of_pairs_are_in_it(engine: Engine) {
    let house = House::new(engine).await;
    let ctx = member("project");
    let network = house.create(&ctx, "networks", json!({"name": "n"})).await.unwrap().id();
    for pairs in [json!([]), json!(["10.0.0.5", "10.0.1.0/24", "2001:DB8::5"])] {
        let pair = |ip: &serde_json::Value| json!({"ip_address": ip});
        let pairs: Vec<_> = pairs.as_array().unwrap().iter().map(pair).collect();
        let port = json!({"network_id": network.to_string(), "allowed_address_pairs": pairs});
        house.create(&ctx, "ports", port).await.unwrap();
    }
    let sql = "SELECT port_id, ip_address, network_id FROM port_address_pairs ORDER BY ip_address";
    let stored = async || {
        house.world.db.read(&ctx, |tx| async move { tx.rows(sql, &[]).await }).await.unwrap()
    };
    let kept = stored().await;
    assert_eq!(kept.len(), 2);
    house
        .world
        .db
        .write(&ctx, |tx| async move {
            tx.exec("DELETE FROM port_address_pairs", Vec::new());
            model::unit::reads::fill_pairs(&tx).await
        })
        .await
        .unwrap();
    assert_eq!(stored().await, kept);
}
