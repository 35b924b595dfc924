//! Many at once: everything that can be taken is taken once, limits hold, nobody sees a fault that
//! is not his own, and the database is sound at the end.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};

use crate::cloud::{OWNER, count, made, serve, settings, sound, subnet};

/// Callers at a time.
const CLIENTS: usize = 64;

testkit::on_each_engine!(
    the_last_addresses_go_out_once_each_and_then_there_are_none,
    a_quota_is_never_passed,
    a_network_that_goes_leaves_no_orphans,
    of_overlapping_subnets_one_is_made,
    a_prefix_of_a_pool_goes_out_once,
    a_project_has_one_default_group,
    a_bound_port_is_bound_at_every_instant,
);

fn port(network: &str) -> Option<Json> {
    Some(json!({"port": {"network_id": network}}))
}

async fn the_last_addresses_go_out_once_each_and_then_there_are_none(engine: Engine) {
    serve(engine, async |server| {
        let (network, _) = subnet(server, "192.0.2.0/24").await;
        let got = join_all((0..CLIENTS).map(|_| async {
            let mut mine = Vec::new();
            loop {
                let reply =
                    server.call(&Who::member(OWNER), "POST", "/v2.0/ports", port(&network)).await;
                if reply.status != 201 {
                    assert_eq!(reply.status, 409, "{}", reply.text);
                    assert_eq!(reply.fault(), "IpAddressGenerationFailure", "{}", reply.text);
                    return mine;
                }
                let address = &reply.json["port"]["fixed_ips"][0]["ip_address"];
                mine.push(address.as_str().unwrap().to_owned());
            }
        }))
        .await
        .concat();
        let once: BTreeSet<_> = got.iter().collect();
        // The network's, the broadcast's and the gateway's address are nobody's.
        assert_eq!((got.len(), once.len()), (253, 253));
        sound(server).await;
    })
    .await;
}

async fn a_quota_is_never_passed(engine: Engine) {
    let mut limited = settings();
    limited.quotas.insert("port".into(), 50);
    TestServer::with(engine, limited, async |server| {
        let (network, _) = subnet(server, "10.0.0.0/16").await;
        let statuses = join_all((0..CLIENTS).map(|_| async {
            let mut seen = Vec::new();
            for _ in 0..2 {
                let reply =
                    server.call(&Who::member(OWNER), "POST", "/v2.0/ports", port(&network)).await;
                if reply.status != 201 {
                    assert_eq!(reply.fault(), "OverQuota", "{}", reply.text);
                }
                seen.push(reply.status);
            }
            seen
        }))
        .await
        .concat();
        let made = statuses.iter().filter(|status| **status == 201).count();
        assert_eq!((made, count(server, "ports").await), (50, 50));
        sound(server).await;
    })
    .await;
}

async fn a_network_that_goes_leaves_no_orphans(engine: Engine) {
    serve(engine, async |server| {
        let who = &Who::member(OWNER);
        for _ in 0..5 {
            let (network, _) = &subnet(server, "192.0.2.0/24").await;
            let path = &format!("/v2.0/networks/{network}");
            let replies = join_all((0..16).map(|place| async move {
                if place % 4 == 3 {
                    return server.call(who, "DELETE", path, None).await;
                }
                server.call(who, "POST", "/v2.0/ports", port(network)).await
            }))
            .await;
            for reply in &replies {
                assert!([201, 204, 404, 409].contains(&reply.status), "{}", reply.text);
            }
            let gone = server.call(who, "GET", path, None).await.status == 404;
            let kept = replies.iter().filter(|reply| reply.status == 201).count();
            let list = format!("/v2.0/ports?network_id={network}");
            let there = server.call(who, "GET", &list, None).await.json["ports"].clone();
            assert_eq!(there.as_array().unwrap().len(), if gone { 0 } else { kept });
            assert!(!gone || kept == 0, "a port was acknowledged and went with its network");
        }
        sound(server).await;
    })
    .await;
}

async fn of_overlapping_subnets_one_is_made(engine: Engine) {
    serve(engine, async |server| {
        let who = &Who::member(OWNER);
        let network = &made(server, who, "networks", "network", json!({})).await;
        let replies = join_all((0..16_u8).map(|place| async move {
            let cidr = format!("10.0.0.0/{}", 16 + place % 8);
            let ask = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": cidr}});
            server.call(who, "POST", "/v2.0/subnets", Some(ask)).await
        }))
        .await;
        let made = replies.iter().filter(|reply| reply.status == 201).count();
        for reply in replies.iter().filter(|reply| reply.status != 201) {
            assert!([400, 409].contains(&reply.status), "{}", reply.text);
        }
        assert_eq!((made, count(server, "subnets").await), (1, 1));
        sound(server).await;
    })
    .await;
}

async fn a_prefix_of_a_pool_goes_out_once(engine: Engine) {
    serve(engine, async |server| {
        let who = &Who::member(OWNER);
        let ask = json!({"name": "p", "prefixes": ["10.0.0.0/20"], "default_prefixlen": 24});
        let pool = &made(server, who, "subnetpools", "subnetpool", ask).await;
        let got = join_all((0..32).map(|_| async move {
            let network = made(server, who, "networks", "network", json!({})).await;
            let ask = json!({"subnet": {
                "network_id": network, "ip_version": 4, "subnetpool_id": pool,
            }});
            let reply = server.call(who, "POST", "/v2.0/subnets", Some(ask)).await;
            if reply.status != 201 {
                assert!([400, 409].contains(&reply.status), "{} {}", reply.status, reply.text);
                return None;
            }
            Some(reply.json["subnet"]["cidr"].as_str().unwrap().to_owned())
        }))
        .await;
        let got: Vec<_> = got.into_iter().flatten().collect();
        let once: BTreeSet<_> = got.iter().collect();
        assert_eq!((got.len(), once.len()), (16, 16), "{got:?}");
        sound(server).await;
    })
    .await;
}

async fn a_project_has_one_default_group(engine: Engine) {
    serve(engine, async |server| {
        let who = &Who::member("new");
        let replies = join_all((0..CLIENTS).map(|_| async move {
            server.call(who, "GET", "/v2.0/security-groups?name=default", None).await
        }))
        .await;
        for reply in &replies {
            assert_eq!(reply.json["security_groups"].as_array().unwrap().len(), 1, "{reply:?}");
        }
        assert_eq!(count(server, "security_groups").await, 1);
        sound(server).await;
    })
    .await;
}

async fn a_bound_port_is_bound_at_every_instant(engine: Engine) {
    serve(engine, async |server| {
        let admin = &Who::admin();
        let (network, _) = subnet(server, "192.0.2.0/24").await;
        let ask =
            json!({"network_id": network, "binding:host_id": "h0", "device_owner": "compute:a"});
        let port = made(server, admin, "ports", "port", ask).await;
        let path = &format!("/v2.0/ports/{port}");
        let storm = join_all((0..8).map(|writer| async move {
            for round in 0..8 {
                let ask = json!({"port": {"binding:host_id": format!("h{writer}-{round}")}});
                let reply = server.call(admin, "PUT", path, Some(ask)).await;
                assert!([200, 409].contains(&reply.status), "{}", reply.text);
            }
        }));
        let readers = join_all((0..4).map(|_| async move {
            for _ in 0..60 {
                let shown = server.call(admin, "GET", path, None).await;
                let host = shown.json["port"]["binding:host_id"].as_str().unwrap_or_default();
                assert!(host.starts_with('h'), "{}", shown.text);
                let list = format!("{path}/bindings?status=ACTIVE");
                let active = server.call(admin, "GET", &list, None).await;
                let active = active.json["bindings"].as_array().unwrap().len();
                assert_eq!(active, 1, "active bindings");
            }
        }));
        futures_util::future::join(storm, readers).await;
        sound(server).await;
    })
    .await;
}
