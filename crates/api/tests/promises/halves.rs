//! Promise 2: a request that fails or is given up in the middle leaves everything or nothing, and
//! promise 10: what the caller is told of a fault of ours.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};
use wire::ctx::Ctx;
use wire::value::Value;

use crate::cloud::{OWNER, count, discreet, execute, made, serve, sound, subnet};

testkit::on_each_engine!(
    a_statement_that_fails_leaves_nothing_and_says_nothing,
    whichever_statement_fails_everything_is_done_or_nothing,
    callers_that_go_away_leave_whole_ports_or_none,
);

/// Tables that a port is written to, each failing in turn.
const INNER: &[&str] = &["quota_usage", "ip_allocations", "port_security_groups", "port_bindings"];

async fn rows(server: &TestServer) -> Vec<i64> {
    let mut all = Vec::new();
    for table in ["ports", "quota_usage", "ip_allocations", "port_security_groups", "port_bindings"]
    {
        all.push(count(server, table).await);
    }
    all
}

async fn a_statement_that_fails_leaves_nothing_and_says_nothing(engine: Engine) {
    serve(engine, async |server| {
        let who = &Who::member(OWNER);
        let (network, _) = subnet(server, "192.0.2.0/24").await;
        let ask = json!({"port": {"network_id": network, "name": "p"}});
        made(server, who, "ports", "port", ask["port"].clone()).await;
        for table in INNER {
            let before = rows(server).await;
            execute(server, &format!("ALTER TABLE {table} RENAME TO away"), &[]).await;
            let reply = server.call(who, "POST", "/v2.0/ports", Some(ask.clone())).await;
            execute(server, &format!("ALTER TABLE away RENAME TO {table}"), &[]).await;
            assert_eq!(reply.status, 500, "{table}: {}", reply.text);
            assert_eq!(reply.fault(), "HTTPInternalServerError");
            let id = reply.headers["x-openstack-request-id"].to_str().unwrap();
            assert!(reply.text.contains(id), "{}", reply.text);
            assert!(!reply.text.contains(table), "{}", reply.text);
            discreet(&reply, table);
            assert_eq!(rows(server).await, before, "{table}");
            sound(server).await;
        }
        let reply = server.call(who, "POST", "/v2.0/ports", Some(ask)).await;
        assert_eq!(reply.status, 201, "and the server goes on: {}", reply.text);
    })
    .await;
}

/// Every table that the requests below write to, and what shows a change of a row in it.
const WRITTEN: &[(&str, &str)] = &[
    ("networks", "COUNT(*)"),
    ("segments", "COUNT(*)"),
    ("segment_allocations", "COUNT(segment_id)"),
    ("subnets", "COUNT(*)"),
    ("ports", "COALESCE(SUM(revision_number), 0) + COUNT(*)"),
    ("port_bindings", "COUNT(*) + COALESCE(SUM(LENGTH(host)), 0)"),
    ("port_binding_levels", "COUNT(*) + COALESCE(SUM(LENGTH(host)), 0)"),
    ("port_security_groups", "COUNT(*)"),
    ("ip_allocations", "COUNT(*)"),
    ("security_groups", "COUNT(*)"),
    ("security_group_rules", "COUNT(*)"),
    ("quota_usage", "COALESCE(SUM(used), 0)"),
    ("tags", "COUNT(*)"),
    ("rbac_policies", "COUNT(*)"),
    ("dirty", "COUNT(*)"),
];

async fn state(server: &TestServer) -> Vec<i64> {
    let sums = WRITTEN.iter().map(|(table, sum)| format!("(SELECT {sum} FROM {table})"));
    let sql = &format!("SELECT {}", sums.collect::<Vec<_>>().join(", "));
    let ctx = &Ctx::system(Timestamp::now());
    let read = server.db().read(ctx, |tx| async move { tx.rows(sql, &[]).await });
    let number = |value: &Value| match value {
        Value::Int(number) => *number,
        other => other.as_text().unwrap().parse().unwrap(),
    };
    read.await.unwrap()[0].iter().map(number).collect()
}

/// Who may do everything.
fn anybody() -> Who {
    Who::new("admin", "admin,manager,member,reader,service")
}

/// Asks again and again, with the first statement failing, the second one, and so on, until none is
/// left to fail; how many there were.
async fn sabotaged(server: &TestServer, method: &str, path: &str, body: Option<Json>) -> u64 {
    for number in 1.. {
        let before = state(server).await;
        assert!(server.db().fail_at(number));
        let reply = server.call(&anybody(), method, path, body.clone()).await;
        let struck = server.db().fail_at(0);
        let asked = format!("{method} {path}, statement {number}");
        if !struck {
            assert!(reply.status < 300, "{asked}: {}", reply.text);
            assert_ne!(state(server).await, before, "{asked}");
            sound(server).await;
            return number - 1;
        }
        assert_eq!(reply.status, 500, "{asked}: {}", reply.text);
        discreet(&reply, &asked);
        assert_eq!(state(server).await, before, "{asked}");
        sound(server).await;
    }
    unreachable!("the loop has no end");
}

async fn whichever_statement_fails_everything_is_done_or_nothing(engine: Engine) {
    serve(engine, async |server| {
        let (network, _) = subnet(server, "192.0.2.0/24").await;
        let port = json!({"port": {
            "network_id": network, "tags": ["t"], "device_owner": "compute:a",
            "binding:host_id": "h1",
        }});
        let ports = "/v2.0/ports";
        assert!(sabotaged(server, "POST", ports, Some(port)).await > 10, "all were counted");
        let made = server.call(&Who::admin(), "GET", ports, None).await;
        let port = &format!("{ports}/{}", made.json["ports"][0]["id"].as_str().unwrap());
        let moved = json!({"port": {"binding:host_id": "h2"}});
        assert!(sabotaged(server, "PUT", port, Some(moved)).await > 4);
        let prepared = json!({"binding": {"host": "h3"}});
        sabotaged(server, "POST", &format!("{port}/bindings"), Some(prepared)).await;
        sabotaged(server, "PUT", &format!("{port}/bindings/h3/activate"), None).await;
        sabotaged(server, "DELETE", port, None).await;
        assert!(sabotaged(server, "DELETE", &format!("/v2.0/networks/{network}"), None).await > 8);
    })
    .await;
}

/// How many pages the database may have; fewer than there are: no more than these.
async fn pages(server: &TestServer, most: u32) {
    let (sql, ctx) = (&format!("PRAGMA max_page_count = {most}"), &Ctx::system(Timestamp::now()));
    let set = server.db().write(ctx, |tx| async move { tx.rows(sql, &[]).await.map(drop) });
    set.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_what_is_written_and_nothing_else_until_there_is_room_again() {
    serve(Engine::Sqlite, async |server| {
        let who = &Who::member(OWNER);
        let (network, _) = subnet(server, "10.0.0.0/16").await;
        let ask = json!({"port": {"network_id": network, "description": "x".repeat(250)}});
        let first = made(server, who, "ports", "port", ask["port"].clone()).await;
        pages(server, 1).await;
        let mut there = 1;
        let refused = loop {
            let reply = server.call(who, "POST", "/v2.0/ports", Some(ask.clone())).await;
            if reply.status != 201 {
                break reply;
            }
            there += 1;
            assert!(there < 1000, "the disk is never full");
        };
        assert_eq!(refused.status, 503, "{}", refused.text);
        discreet(&refused, "a full disk");
        // Those that would have been stored together are refused together.
        let ask = &ask;
        let call = || async { server.call(who, "POST", "/v2.0/ports", Some(ask.clone())).await };
        for again in join_all((0..64).map(|_| call())).await {
            assert!([201, 503].contains(&again.status), "{}", again.text);
            there += usize::from(again.status == 201);
        }
        let list = server.call(who, "GET", "/v2.0/ports", None).await;
        assert_eq!(list.json["ports"].as_array().map(Vec::len), Some(there), "reading goes on");
        let port = server.call(who, "GET", &format!("/v2.0/ports/{first}"), None).await;
        assert_eq!(port.status, 200, "{}", port.text);
        sound(server).await;
        pages(server, u32::MAX / 2).await;
        made(server, who, "ports", "port", ask["port"].clone()).await;
        sound(server).await;
    })
    .await;
}

async fn callers_that_go_away_leave_whole_ports_or_none(engine: Engine) {
    serve(engine, async |server| {
        let who = &Who::member(OWNER);
        let network = &subnet(server, "10.0.0.0/22").await.0;
        let outcomes = join_all((0..200_u64).map(|place| async move {
            let ask = json!({"port": {"network_id": network, "name": format!("p{place}")}});
            let patience = Duration::from_micros(place * 577 % 60_000);
            let call = server.call(who, "POST", "/v2.0/ports", Some(ask));
            let reply = tokio::time::timeout(patience, call).await.ok()?;
            assert_eq!(reply.status, 201, "{}", reply.text);
            reply.json["port"]["id"].as_str().map(str::to_owned)
        }))
        .await;
        // What was begun is worked on to its end; wait for the last.
        let mut before = -1;
        while before != count(server, "ports").await {
            before = count(server, "ports").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let list = server.call(who, "GET", "/v2.0/ports", None).await;
        let ports = list.json["ports"].as_array().unwrap();
        let complete = |port: &Json| {
            port["fixed_ips"].as_array().unwrap().len() == 1
                && port["security_groups"].as_array().unwrap().len() == 1
        };
        assert!(ports.iter().all(complete), "{}", list.text);
        for id in outcomes.into_iter().flatten() {
            assert!(ports.iter().any(|port| port["id"] == *id), "{id} was acknowledged");
        }
        sound(server).await;
    })
    .await;
}
