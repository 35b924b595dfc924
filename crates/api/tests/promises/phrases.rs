//! Messages are our own, but for a few words that clients look for in them.

use serde_json::json;
use testkit::database::Engine;
use testkit::server::Who;

use crate::cloud::{made, serve, subnet};

testkit::on_each_engine!(clients_find_the_words_that_they_look_for);

async fn clients_find_the_words_that_they_look_for(engine: Engine) {
    serve(engine, async |server| {
        let admin = &Who::admin();
        let (network, _) = subnet(server, "192.0.2.0/24").await;
        let body = json!({"network_id": network, "ip_version": 4, "cidr": "192.0.2.128/25"});
        let reply =
            server.call(admin, "POST", "/v2.0/subnets", Some(json!({"subnet": body}))).await;
        // tempest's `create_subnet` goes on to the next range.
        assert!(reply.text.contains("overlaps with another subnet"), "{}", reply.text);

        made(server, admin, "ports", "port", json!({"network_id": network})).await;
        let reply = server.call(admin, "DELETE", &format!("/v2.0/networks/{network}"), None).await;
        // tempest's `_test_delete_subnet_with_ports`.
        let words = "There are one or more ports still in use on the network";
        assert!(reply.text.contains(words), "{}", reply.text);

        let group = json!({"name": "g"});
        let group = made(server, admin, "security-groups", "security_group", group).await;
        let rule = json!({"security_group_rule": {"security_group_id": group,
            "direction": "ingress", "ethertype": "IPv4", "remote_ip_prefix": "2001:db8::/64"}});
        let reply = server.call(admin, "POST", "/v2.0/security-group-rules", Some(rule)).await;
        // tempest's `test_create_security_group_rule_wrong_ip_prefix_version`.
        assert!(reply.text.contains("Conflicting value ethertype"), "{}", reply.text);
    })
    .await;
}
