//! What holds for every request, whatever it asks for: methods that are none, tokens in the wrong
//! place, bodies without end, and how many statements a list takes.

use http::Request;
use http_body_util::Full;
use identity::Secret;
use identity::token::{Grant, Tokens};
use jiff::Timestamp;
use serde_json::json;
use sql::Scope;
use testkit::database::Engine;
use testkit::server::{TestServer, Who};
use wire::ctx::Ctx;
use wire::query::Query;

use crate::cloud::{OWNER, count, decent, serve, sound, subnet};

testkit::on_each_engine!(a_list_of_any_length_takes_as_many_statements_as_a_short_one);

#[tokio::test]
async fn methods_that_nothing_knows_are_refused_as_by_neutron() {
    serve(Engine::Sqlite, async |server| {
        // Asked of a real Neutron 29: no collection answers HEAD. To OPTIONS it answers as to GET.
        for (path, status) in [
            ("/", 405),
            ("/v2.0/", 405),
            ("/v2.0/networks", 405),
            ("/v2.0/networks/x", 405),
            ("/v2.0/extensions", 404),
            ("/v2.0/nothing", 404),
        ] {
            for method in ["HEAD", "PATCH", "OPTIONS"] {
                let reply = server.call(&Who::member(OWNER), method, path, None).await;
                assert_eq!(reply.status, status, "{method} {path}: {}", reply.text);
                decent(&reply, path);
                assert!(reply.headers.contains_key("x-openstack-request-id"), "{method} {path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_comes_in_its_header_and_nowhere_else() {
    serve(Engine::Sqlite, async |server| {
        let (tokens, ctx) = (Tokens::new(server.db().clone()), &Ctx::system(Timestamp::now()));
        let grant = Grant { project_id: OWNER.to_owned(), ..Grant::default() };
        let token = "nucleon-in-the-right-place";
        assert!(tokens.adopt(ctx, &Secret::from(token), &grant).await.unwrap());
        let query = format!("/v2.0/networks?X-Auth-Token={token}&x_auth_token={token}");
        let bearer = format!("Bearer {token}");
        let cookie = format!("X-Auth-Token={token}");
        for (path, name, value, status) in [
            ("/v2.0/networks", "x-auth-token", token, 200),
            (&query, "x-nothing", "", 401),
            ("/v2.0/networks", "authorization", &bearer, 401),
            ("/v2.0/networks", "cookie", &cookie, 401),
            ("/v2.0/networks", "x-service-token", token, 401),
            ("/v2.0/networks", "x-storage-token", token, 401),
        ] {
            let request = Request::builder().uri(path).header(name, value);
            let reply = server.send_unknown(request.body(Full::default()).unwrap()).await;
            assert_eq!(reply.status, status, "{name}: {}", reply.text);
            assert!(status == 200 || reply.headers.contains_key("www-authenticate"), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_changes_nothing() {
    serve(Engine::Sqlite, async |server| {
        let who = &Who::member(OWNER);
        let before = count(server, "networks").await;
        let mut ask = json!({"network": {"name": "n", "description": ""}}).to_string();
        ask.push_str(&" ".repeat(2 << 20));
        let request = Request::post("/v2.0/networks")
            .header("x-project-id", &who.project)
            .header("x-roles", who.roles)
            .header("content-type", "application/json");
        let reply = server.send(request.body(Full::from(ask)).unwrap()).await;
        assert_eq!((reply.status, reply.fault()), (413, "HTTPRequestEntityTooLarge"));
        assert!(reply.text.contains("2097152"), "the limit is said: {}", reply.text);
        assert_eq!(count(server, "networks").await, before);
    })
    .await;
}

#[tokio::test]
async fn the_addresses_of_large_networks_are_counted_to_the_last_digit() {
    serve(Engine::Sqlite, async |server| {
        let who = &Who::admin();
        let (network, _) = subnet(server, "10.0.0.0/24").await;
        let whole = "fd00::/8";
        let ask = json!({"subnet": {
            "network_id": network, "ip_version": 6, "cidr": whole, "name": "the \"large\" one",
        }});
        let made = server.call(who, "POST", "/v2.0/subnets", Some(ask)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = format!("/v2.0/network-ip-availabilities/{network}");
        let reply = server.call(who, "GET", &path, None).await;
        let all = 1_u128 << 120;
        // But for the gateway's, which is the first one; and 253 of the other subnet.
        for (name, number) in [
            ("total_ips", all - 1),
            ("total_ips", all - 1 + 253),
            ("total_ips_in_subnet", all),
            ("total_ips_in_subnet", all + 254),
        ] {
            assert!(reply.text.contains(&format!("\"{name}\":{number}")), "{}", reply.text);
        }
        let named = reply.json["network_ip_availability"]["subnet_ip_availability"].as_array();
        assert!(named.unwrap().iter().any(|one| one["subnet_name"] == "the \"large\" one"));
    })
    .await;
}

#[tokio::test]
async fn what_clients_look_ports_up_by_has_an_index() {
    serve(Engine::Sqlite, async |server| {
        let table = model::kind("ports").unwrap().table();
        let id = uuid::Uuid::new_v4().to_string();
        let subnet = format!("subnet_id={id}");
        for (name, value, has_index) in [
            ("id", id.as_str(), true),
            ("device_id", "vm1", true),
            ("network_id", &id, true),
            ("mac_address", "fa:16:3e:00:00:01", true),
            ("fixed_ips", "ip_address=192.0.2.7", true),
            ("fixed_ips", &subnet, true),
            ("security_groups", &id, true),
            // So that it is seen that a scan is seen; a project's own ports have an index.
            ("description", "anything", false),
        ] {
            let query = Query::parse(table, &[(name.to_owned(), value.to_owned())], 1000).unwrap();
            for all in [true, false] {
                let scope = Scope { project_id: OWNER.to_owned(), all };
                let plan = server.db().plan(table, &scope, &query).await.unwrap();
                let scans = plan.iter().any(|step| step.starts_with("SCAN t"));
                assert_eq!(scans, all && !has_index, "{name}={value}: {plan:#?}");
            }
        }
    })
    .await;
}

async fn statements(server: &TestServer, path: &str) -> (usize, u64) {
    let before = server.db().stats().statements;
    let reply = server.call(&Who::member(OWNER), "GET", path, None).await;
    let many = reply.json["ports"].as_array().map(Vec::len).unwrap();
    (many, server.db().stats().statements - before)
}

async fn a_list_of_any_length_takes_as_many_statements_as_a_short_one(engine: Engine) {
    serve(engine, async |server| {
        let (network, _) = subnet(server, "10.0.0.0/20").await;
        let port = |place: usize| {
            json!({
                "network_id": network, "tags": ["a", "b"],
                "allowed_address_pairs": [{"ip_address": format!("192.0.2.{}", place % 200)}],
            })
        };
        let bulk = |size: usize| json!({"ports": (0..size).map(port).collect::<Vec<_>>()});
        let mut counted = Vec::new();
        // More than are read at a time, so that it is streamed.
        for (size, there) in [(3, 3), (297, 300), (300, 600)] {
            let ask = Some(bulk(size));
            let made = server.call(&Who::member(OWNER), "POST", "/v2.0/ports", ask).await;
            assert_eq!(made.status, 201, "{}", made.text);
            for path in ["/v2.0/ports", "/v2.0/ports?limit=1000"] {
                let (many, taken) = statements(server, path).await;
                assert_eq!(many, there, "{path}");
                counted.push(taken);
            }
        }
        assert!(counted.iter().all(|taken| *taken == counted[0]), "{counted:?}");
        sound(server).await;
    })
    .await;
}
