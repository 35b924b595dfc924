//! Two promises by themselves: an older state never replaces a newer one, and one unit that
//! Northbound does not take delays no other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::settings::Settings;
use ovsdb::server::{Mischief, Server};
use ovsdb::value::Datum;
use serde_json::{Value as Json, json};
use sql::{Db, dirty};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};
use wire::ctx::Ctx;

use crate::meddler::{self, NORTHBOUND};
use crate::oracle::{self, Oracle};
use crate::worker::{Time, Worker};

async fn ask(api: &TestServer, method: &str, path: &str, body: Json) -> Json {
    let reply = api.call(&Who::admin(), method, &format!("/v2.0/{path}"), Some(body)).await;
    assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text);
    reply.json
}

async fn create(api: &TestServer, many: &str, one: &str, body: Json) -> String {
    let reply = ask(api, "POST", many, json!({ one: body })).await;
    reply[one]["id"].as_str().unwrap().to_owned()
}

/// The revisions that the row of a port shows, one after the other, until the last one comes.
async fn revisions(northbound: &Server, last: i64) -> Vec<i64> {
    let client = oracle::client(northbound);
    let mut changes = client.changes();
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        let changes = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await;
        for change in changes.expect("the last state comes").unwrap().iter() {
            let row = change.new.as_ref().filter(|_| change.table == "Logical_Switch_Port");
            let ids = row.map(|row| row.get("external_ids"));
            let revision = ids.and_then(|ids| ids.text_at("neutron:revision_number"));
            seen.extend(revision.map(|revision| revision.parse::<i64>().unwrap()));
        }
    }
    seen
}

#[tokio::test]
async fn an_older_state_never_replaces_a_newer_one() {
    let (northbound, time) = (meddler::northbound(), Arc::<Time>::default());
    let api = TestServer::new(Engine::Sqlite, Settings::default()).await;
    let mut servers = vec![api.db().clone()];
    for _ in 0..2 {
        servers.push(Db::open(api.url(), model::MIGRATIONS).await.unwrap());
    }
    let network = create(&api, "networks", "network", json!({ "name": "n" })).await;
    let port = create(&api, "ports", "port", json!({ "network_id": network })).await;
    // Of two transactions that are sent one after the other either may come first.
    northbound.jitter(Duration::from_millis(4));
    let workers: Vec<Worker> =
        servers.iter().map(|db| Worker::start(db, &northbound, &time)).collect();
    let updates = 60;
    let changing = async {
        let mut revision = 0;
        for number in 0..updates {
            let body = json!({ "port": { "name": format!("name-{number}") } });
            let reply = ask(&api, "PUT", &format!("ports/{port}"), body).await;
            revision = reply["port"]["revision_number"].as_i64().unwrap();
            time.pass(Duration::from_secs(3));
            tokio::time::sleep(Duration::from_millis(number % 4)).await;
        }
        revision
    };
    // A new port has the revision 1, and each update gives it the next one.
    let expected = updates.cast_signed() + 1;
    let (last, seen) = tokio::join!(changing, revisions(&northbound, expected));
    assert_eq!(last, expected);
    assert!(seen.is_sorted() && seen.len() > 5, "{seen:?}");
    let conflicts: u64 = workers.iter().map(Worker::conflicts).sum();
    assert!(conflicts > 0, "nobody got into anybody's way: this shows nothing");
}

/// Whether a port's row has come.
fn has_port(northbound: &Server, port: &str) -> bool {
    let rows = northbound.rows(NORTHBOUND, "Logical_Switch_Port");
    rows.values().any(|row| row["name"] == Datum::one(port))
}

#[tokio::test]
async fn one_poisoned_unit_delays_no_other_and_is_reported_with_its_reason() {
    let (northbound, time) = (meddler::northbound(), Arc::<Time>::default());
    let api = TestServer::new(Engine::Sqlite, Settings::default()).await;
    let network = create(&api, "networks", "network", json!({ "name": "n" })).await;
    let mut ports = Vec::new();
    for number in 0..30 {
        let name = if number == 13 { "poison" } else { "wholesome" };
        let body = json!({ "network_id": network, "name": name });
        ports.push(create(&api, "ports", "port", body).await);
    }
    let poisoned = ports.remove(13);
    northbound.set_mischief(Some(Box::new(|_, operations| {
        let is_poisoned =
            operations.iter().any(|operation| operation.to_string().contains("poison"));
        if is_poisoned { Mischief::Refuse("constraint violation") } else { Mischief::None }
    })));
    let worker = Worker::start(api.db(), &northbound, &time);
    let began = Instant::now();
    while !ports.iter().all(|port| has_port(&northbound, port)) {
        assert!(began.elapsed() < Duration::from_secs(10), "others are delayed");
        time.pass(Duration::from_millis(500));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!has_port(&northbound, &poisoned));
    let ctx = Ctx::system(Timestamp::now());
    let why = loop {
        let left =
            api.db().read(&ctx, async |tx| dirty::due(&tx, i64::MAX, 9).await).await.unwrap();
        let left = left.iter().find(|dirty| dirty.mark.id.to_string() == poisoned).unwrap();
        if let Some(why) = left.why.as_ref().filter(|why| why.contains("refused by the test")) {
            break why.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "its reason is not stored: {left:?}");
        time.pass(Duration::from_millis(500));
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    assert!(why.contains("constraint violation"), "{why}");
    assert!(worker.refused() > 0);
    // What comes later is not delayed either.
    let body = json!({ "network_id": network });
    let later = create(&api, "ports", "port", body).await;
    let asked = Instant::now();
    while !has_port(&northbound, &later) {
        assert!(asked.elapsed() < Duration::from_secs(2), "a later unit is delayed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // When it is taken, all is well.
    northbound.set_mischief(None);
    let oracle = Oracle::new(&northbound);
    while let Some(difference) = oracle.difference(api.db()).await {
        assert!(began.elapsed() < Duration::from_secs(20), "{difference}");
        time.pass(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
