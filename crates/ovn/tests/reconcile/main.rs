//! The reconciler on a Northbound: one in the process, and a real `ovsdb-server`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod bench;
mod breakdown;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ovsdb::transaction::Transaction;
use ovsdb::value::Datum;
use serde_json::json;
use sql::dirty;
use uuid::Uuid;
use wire::ctx::Ctx;

use bench::{Bench, Northbound, schema};

async fn what_is_committed_comes_to_northbound(bench: &Bench) {
    let network = bench.network("n").await;
    bench
        .create("subnet", json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}))
        .await;
    for _ in 0..20 {
        bench.create("port", json!({"network_id": network})).await;
    }
    bench.in_line().await;
    assert_eq!(bench.count("Logical_Switch_Port"), 20);
    let switch = bench.switch(&network);
    assert_eq!(switch.get("ports").as_set().unwrap().len(), 20);
    let ports = bench.call("GET", "ports", json!(null)).await;
    for port in ports["ports"].as_array().unwrap() {
        bench.call("DELETE", &format!("ports/{}", port["id"].as_str().unwrap()), json!(null)).await;
    }
    bench.call("DELETE", &format!("networks/{network}"), json!(null)).await;
    bench.in_line().await;
    let left =
        ["Logical_Switch", "Logical_Switch_Port", "DHCP_Options"].map(|table| bench.count(table));
    assert_eq!(left, [0, 0, 0]);
}

async fn rows_that_somebody_edits_or_removes_come_back(bench: &Bench) {
    let network = bench.network("n").await;
    let port = bench.create("port", json!({"network_id": network})).await;
    bench.in_line().await;
    let (switch, orphan) = (bench.uuid_of_switch(&network), Uuid::new_v4());
    let name = format!("neutron-{orphan}");
    let mut meddling = Transaction::new();
    meddling
        .update("Logical_Switch", switch, [("ports", Datum::none())])
        .update("Logical_Switch", switch, [("external_ids", Datum::map([("theirs", "1")]))])
        .insert("Logical_Switch", orphan, [("name", Datum::one(name.as_str()))]);
    bench.client.transact(&meddling).await.unwrap();
    assert_eq!(bench.count("Logical_Switch_Port"), 0);
    bench.in_line().await;
    assert_eq!(bench.count("Logical_Switch_Port"), 1);
    assert_eq!(bench.count("Logical_Switch"), 1);
    let ids = bench.switch(&network).get("external_ids").clone();
    assert_eq!(
        (ids.text_at("theirs"), ids.text_at("neutron:network_name")),
        (Some("1"), Some("n"))
    );
    assert!(bench.has_port(&port));
    assert!(bench.counters.drift.get() >= 3);
    // A row that does not say any more whose it is.
    let row = bench.uuid_of_port(&port).unwrap();
    let mut meddling = Transaction::new();
    meddling.update("Logical_Switch_Port", row, [("external_ids", Datum::map([("theirs", "1")]))]);
    bench.client.transact(&meddling).await.unwrap();
    bench.in_line().await;
}

#[tokio::test]
async fn a_real_server_is_brought_in_line() {
    let bench = Bench::start(Northbound::real()).await;
    what_is_committed_comes_to_northbound(&bench).await;
    rows_that_somebody_edits_or_removes_come_back(&bench).await;
}

#[tokio::test]
async fn a_server_in_the_process_is_brought_in_line() {
    let bench = Bench::start(Northbound::in_process(schema())).await;
    what_is_committed_comes_to_northbound(&bench).await;
    rows_that_somebody_edits_or_removes_come_back(&bench).await;
}

#[tokio::test]
async fn a_unit_that_northbound_refuses_delays_nothing_else_and_says_why() {
    // A server that takes no texts of more than 200 characters.
    let mut schema = schema();
    let ids = "/tables/Logical_Switch/columns/external_ids/type/value";
    *schema.pointer_mut(ids).unwrap() = json!({"type": "string", "maxLength": 200});
    let bench = Bench::start(Northbound::in_process(schema)).await;
    let long = "x".repeat(250);
    let networks: Vec<_> = (0..30)
        .map(|number| json!({"name": if number == 17 { long.as_str() } else { "n" }}))
        .collect();
    let made = bench.call("POST", "networks", json!({"networks": networks})).await;
    let begun = Instant::now();
    let poison = made["networks"][17]["id"].as_str().unwrap();
    let ctx = Ctx::system(Timestamp::now());
    loop {
        let left =
            bench.db().read(&ctx, async |tx| dirty::due(&tx, i64::MAX, 100).await).await.unwrap();
        if let [one] = left.as_slice()
            && one.tries > 0
        {
            assert_eq!(one.mark.id.to_string(), poison);
            assert!(one.why.as_ref().unwrap().contains("constraint violation"), "{one:?}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{left:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bench.count("Logical_Switch"), 29);
    assert_ne!(bench.counters.refused.get(), 0);
    bench.call("PUT", &format!("networks/{poison}"), json!({"network": {"name": "short"}})).await;
    bench.in_line().await;
    assert_eq!(bench.count("Logical_Switch"), 30);
}

#[tokio::test]
async fn a_request_waits_until_northbound_has_what_it_changed() {
    let bench = Bench::start(Northbound::in_process(schema())).await;
    bench.in_line().await;
    for _ in 0..20 {
        let (network, committed) = bench.commit_network().await;
        let begun = Instant::now();
        bench.settled.wait(&committed).await;
        assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
        assert_eq!(bench.switch(&network).text("name"), Some(&*format!("neutron-{network}")));
    }
}

#[tokio::test]
async fn what_was_committed_while_northbound_was_away_comes_when_it_is_back() {
    let northbound = Northbound::in_process(schema());
    northbound.server().close();
    let bench = Bench::start(northbound).await;
    let begun = Instant::now();
    let (_, committed) = bench.commit_network().await;
    bench.settled.wait(&committed).await;
    assert!(begun.elapsed() < Duration::from_millis(400), "waited for who is not there");
    bench.northbound.server().open();
    bench.in_line().await;
    assert_eq!(bench.count("Logical_Switch"), 1);
}
