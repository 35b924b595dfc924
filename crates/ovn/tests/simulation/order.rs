//! Two promises by themselves: an older state never replaces a newer one, and one unit that
//! Northbound does not take delays no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use model::settings::Settings;
use ovsdb::server::{Mischief, Server};
use ovsdb::value::Datum;
use serde_json::{Value as Json, json};
use sql::{Db, dirty};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};
use uuid::Uuid;
use wire::ctx::Ctx;

use crate::meddler::{self, NORTHBOUND};
use crate::oracle::{self, Oracle};
use crate::worker::{Time, Worker};

/// Ports that are renamed, and how often.
const PORTS: usize = 3;
const RENAMED: i64 = 100;

async fn ask(api: &TestServer, method: &str, path: &str, body: Json) -> Json {
    let reply = api.call(&Who::admin(), method, &format!("/v2.0/{path}"), Some(body)).await;
    assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text);
    reply.json
}

async fn create(api: &TestServer, many: &str, one: &str, body: Json) -> String {
    let reply = ask(api, "POST", many, json!({ one: body })).await;
    reply[one]["id"].as_str().unwrap().to_owned()
}

/// The revisions that each port's row shows, one after the other, until all have come to `last`.
async fn revisions(northbound: &Server, last: i64) -> BTreeMap<Uuid, Vec<i64>> {
    let client = oracle::client(northbound);
    let mut changes = client.changes();
    let mut seen: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    while seen.len() < PORTS || seen.values().any(|seen| seen.last() != Some(&last)) {
        let changes = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await;
        for change in changes.expect("the last state comes").unwrap().iter() {
            let row = change.new.as_ref().filter(|_| change.table == "Logical_Switch_Port");
            let Some(ids) = row.map(|row| row.get("external_ids")) else { continue };
            let revision = ids.text_at("neutron:revision_number").unwrap().parse().unwrap();
            seen.entry(change.uuid).or_default().push(revision);
        }
    }
    seen
}

/// Gives a port one name after the other.
async fn rename(api: &TestServer, port: &str, time: &Time) {
    for number in 0..RENAMED {
        let body = json!({ "port": { "name": format!("name-{number}") } });
        let reply = ask(api, "PUT", &format!("ports/{port}"), body).await;
        // A new port has the revision 1, and each update gives it the next one.
        assert_eq!(reply["port"]["revision_number"], json!(number + 2));
        time.pass(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn an_older_state_never_replaces_a_newer_one() {
    let (northbound, time) = (meddler::northbound(), Arc::<Time>::default());
    let api = TestServer::new(Engine::Sqlite, Settings::default()).await;
    let network = create(&api, "networks", "network", json!({ "name": "n" })).await;
    let mut ports = Vec::new();
    for _ in 0..PORTS {
        ports.push(create(&api, "ports", "port", json!({ "network_id": network })).await);
    }
    // Of two transactions that are sent one after the other either may come first.
    northbound.jitter(Duration::from_millis(10));
    // Two hear of each commit, the third one has to look.
    let other = Db::open(api.url(), model::MIGRATIONS).await.unwrap();
    let servers = [api.db(), api.db(), &other];
    let workers = servers.map(|db| Worker::start(db, &northbound, &time));
    let renaming = join_all(ports.iter().map(|port| rename(&api, port, &time)));
    let (_, seen) = tokio::join!(renaming, revisions(&northbound, RENAMED + 1));
    for seen in seen.values() {
        assert!(seen.is_sorted() && seen.len() > 5, "{seen:?}");
    }
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
            api.db().read(&ctx, async |tx| dirty::due(&tx, i64::MAX, 99).await).await.unwrap();
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
