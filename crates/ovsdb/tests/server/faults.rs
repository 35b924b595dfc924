//! What can be made to go wrong with the server in the process.

use std::time::Duration;

use ovsdb::server::{Mischief, Server};
use ovsdb::value::Datum;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::house::{House, Wire, assert_fits, name, uuid, zoo};

fn cage(number: u128) -> Json {
    let row = json!({ "name": format!("c{number}") });
    json!({ "op": "insert", "table": "Cage", "uuid": name(number), "row": row })
}

async fn start() -> (House, Wire) {
    let house = House::ours();
    let wire = house.connect().await;
    (house, wire)
}

fn server(house: &House) -> &Server {
    match house {
        House::Ours(server) => server,
        House::Real(_) => unreachable!("these faults are ours"),
    }
}

fn cages(house: &House) -> Vec<u128> {
    server(house).rows("Zoo", "Cage").keys().map(|uuid| uuid.as_u128()).collect()
}

#[tokio::test]
async fn dropped_connections_end_and_others_come() {
    let (house, mut wire) = start().await;
    wire.call("lock", json!(["l"])).await;
    assert_eq!(server(&house).connections(), 1);
    server(&house).drop_connections();
    assert_eq!(wire.next().await, None);
    assert_eq!(server(&house).connections(), 0);
    let mut wire = house.connect().await;
    assert_eq!(wire.call("lock", json!(["l"])).await, json!({ "locked": true }));
    server(&house).close();
    assert_eq!(wire.next().await, None);
    assert_eq!(house.connect().await.next().await, None);
    server(&house).open();
    assert_eq!(house.connect().await.call("echo", json!([])).await, json!([]));
}

#[tokio::test]
async fn a_paused_server_says_nothing() {
    let (house, mut wire) = start().await;
    server(&house).pause();
    let id = wire.send("echo", json!([])).await;
    assert_eq!(wire.soon().await, None);
    server(&house).resume();
    assert_eq!(wire.reply(id).await["result"], json!([]));
}

#[tokio::test]
async fn a_delayed_server_takes_its_time() {
    let (house, mut wire) = start().await;
    server(&house).delay(Duration::from_millis(60));
    let began = std::time::Instant::now();
    wire.call("echo", json!([])).await;
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn refused_transactions_leave_nothing() {
    let (house, mut wire) = start().await;
    server(&house).refuse_next(1);
    let refused = wire.transact(&[cage(1)]).await;
    assert_fits(&refused, &json!([{ "error": "resources exhausted" }]));
    assert!(cages(&house).is_empty());
    assert_fits(&wire.transact(&[cage(1)]).await, &json!([{ "uuid": uuid(1) }]));
    assert_eq!(server(&house).committed(), 2, "the one and `_Server`'s own");
}

#[tokio::test]
async fn a_reply_can_be_lost_after_the_fact() {
    let (house, mut wire) = start().await;
    let mut other = house.connect().await;
    other.call("monitor_cond", json!(["Zoo", "m", { "Cage": [{ "columns": ["name"] }] }])).await;
    server(&house).lose_next_replies(1);
    wire.send("transact", json!(["Zoo", cage(1)])).await;
    assert_eq!(wire.next().await, None);
    assert_eq!(cages(&house), [1]);
    assert_fits(&other.next().await.unwrap(), &json!({ "method": "update2" }));
}

#[tokio::test]
async fn mischief_is_asked_of_each_transaction() {
    let (house, mut wire) = start().await;
    server(&house).set_mischief(Some(Box::new(|database, operations| {
        assert_eq!(database, "Zoo");
        match operations[0]["row"]["name"].as_str() {
            Some("c1") => Mischief::Refuse("constraint violation"),
            Some("c2") => Mischief::HangBefore,
            _ => Mischief::None,
        }
    })));
    let refused = wire.transact(&[cage(1)]).await;
    assert_fits(&refused, &json!([{ "error": "constraint violation" }]));
    wire.transact(&[cage(3)]).await;
    wire.send("transact", json!(["Zoo", cage(2)])).await;
    assert_eq!(wire.next().await, None);
    assert_eq!(cages(&house), [3]);
}

#[tokio::test]
async fn a_restored_backup_is_all_there_is() {
    let (house, mut wire) = start().await;
    wire.transact(&[cage(1)]).await;
    let backup = server(&house).backup("Zoo").unwrap();
    wire.transact(&[cage(2)]).await;
    let tables = json!({ "Cage": [{ "columns": ["name"] }] });
    let before = wire.call("monitor_cond_since", json!(["Zoo", "m", tables, name(0)])).await;
    server(&house).restore(&backup);
    assert_eq!(wire.next().await, None);
    assert_eq!(cages(&house), [1]);
    let mut wire = house.connect().await;
    let after = wire.call("monitor_cond_since", json!(["Zoo", "m", tables, before[1]])).await;
    let row = json!({ name(1): { "initial": { "name": "c1" } } });
    assert_fits(&after, &json!([false, "*", { "Cage": row }]));
    // Its indexes are restored too.
    assert_fits(&wire.transact(&[cage(2)]).await, &json!([{ "uuid": uuid(2) }]));
    server(&house).restart_empty("Zoo");
    assert!(cages(&house).is_empty());
    let mut wire = house.connect().await;
    assert_fits(&wire.transact(&[cage(1)]).await, &json!([{ "uuid": uuid(1) }]));
}

#[tokio::test]
async fn rows_edited_by_hand_are_told_like_any_change() {
    let (house, mut wire) = start().await;
    wire.transact(&[cage(1)]).await;
    wire.call("monitor_cond", json!(["Zoo", "m", { "Cage": [{ "columns": ["tags"] }] }])).await;
    let edit = json!({ "op": "update", "table": "Cage", "where": [], "row": { "tags": "t" } });
    assert_eq!(server(&house).edit("Zoo", &[edit]), json!([{ "count": 1 }]));
    let row = json!({ name(1): { "modify": { "tags": "t" } } });
    assert_fits(&wire.next().await.unwrap(), &json!({ "params": ["m", { "Cage": row }] }));
    let rows = server(&house).rows("Zoo", "Cage");
    assert_eq!(rows[&Uuid::from_u128(1)]["tags"], Datum::one("t"));
}

#[tokio::test]
async fn a_server_can_cease_to_lead() {
    let (house, mut wire) = start().await;
    let tables =
        json!({ "Database": [{ "columns": ["leader"], "where": [["name", "==", "Zoo"]] }] });
    wire.call("monitor_cond", json!(["_Server", "s", tables])).await;
    server(&house).set_leader("Zoo", false);
    let told = wire.next().await.unwrap();
    let rows = told["params"][1]["Database"].as_object().unwrap();
    assert_eq!(rows.values().next().unwrap(), &json!({ "modify": { "leader": false } }));
}

#[tokio::test]
async fn it_asks_whether_the_other_side_is_there() {
    let (house, mut wire) = start().await;
    wire.call("echo", json!([])).await;
    server(&house).echo();
    assert_fits(&wire.next().await.unwrap(), &json!({ "method": "echo", "id": "echo" }));
    wire.raw(r#"{"id":"echo","result":[],"error":null}"#).await;
    wire.call("echo", json!([])).await;
    assert_eq!(server(&house).echoed(), 1);
}

#[tokio::test]
async fn tcp_is_served_too() {
    let server = Server::start_tcp([zoo()]).await.unwrap();
    let address = server.remote().strip_prefix("tcp:").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().to_string(), address);
}
