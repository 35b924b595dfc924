//! Promise 2: a request that fails or is given up in the middle leaves everything or nothing, and
//! promise 10: what the caller is told of a fault of ours.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};

use crate::cloud::{OWNER, count, discreet, execute, made, serve, sound, subnet};

testkit::on_each_engine!(
    a_statement_that_fails_leaves_nothing_and_says_nothing,
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
