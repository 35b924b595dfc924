//! Promise 4: a row that was damaged by hand is no outage, and the check names it and its remedy.

use jiff::Timestamp;
use serde_json::json;
use testkit::database::Engine;
use testkit::server::Who;
use wire::ctx::Ctx;

use crate::cloud::{decent, execute, made, serve, subnet};

testkit::on_each_engine!(damaged_rows_are_shown_as_empty_and_found_by_the_check);

/// What is written over what, as `(table, column, key, value)`.
const DAMAGE: &[(&str, &str, &str, &str)] = &[
    ("port_bindings", "profile", "port_id", "{bad"),
    ("port_bindings", "vif_details", "port_id", "[1,"),
    ("port_bindings", "vnic_type", "port_id", "telepathic"),
    ("ports", "allowed_address_pairs", "id", "{\"no\": 1"),
    ("ports", "extra_dhcp_opts", "id", "no json"),
    ("ports", "mac_address", "id", "not a mac"),
    ("ports", "status", "id", "SLEEPING"),
    ("networks", "status", "id", "SLEEPING"),
    ("ports", "numa_affinity_policy", "id", "sideways"),
    ("ip_allocations", "ip_address", "port_id", "999.1.2.3"),
    ("subnets", "cidr", "network_id", "10.0.0/99"),
    ("subnets", "allocation_pools", "network_id", "{{{"),
    ("subnets", "host_routes", "network_id", "3"),
    ("subnets", "gateway_ip", "network_id", "gate"),
    ("networks", "availability_zone_hints", "id", "nova"),
];

async fn damaged_rows_are_shown_as_empty_and_found_by_the_check(engine: Engine) {
    let mut silent = Vec::new();
    for (table, column, key, value) in DAMAGE {
        serve(engine, async |server| {
            let admin = &Who::admin();
            let (network, subnet) = subnet(server, "192.0.2.0/24").await;
            let ask =
                json!({"network_id": network, "binding:host_id": "h", "device_owner": "compute:a"});
            let port = made(server, &Who::admin(), "ports", "port", ask).await;
            let id = if matches!(*table, "subnets" | "networks") { &network } else { &port };
            let sql = format!("UPDATE {table} SET {column} = ? WHERE {key} = ?");
            execute(server, &sql, &[value, id]).await;
            for path in [
                "/v2.0/ports".to_owned(),
                format!("/v2.0/ports/{port}"),
                format!("/v2.0/ports/{port}/bindings"),
                format!("/v2.0/subnets/{subnet}"),
                "/v2.0/subnets".to_owned(),
                format!("/v2.0/networks/{network}"),
                "/v2.0/networks".to_owned(),
                "/v2.0/network-ip-availabilities".to_owned(),
            ] {
                let reply = server.call(admin, "GET", &path, None).await;
                decent(&reply, &path);
                assert_eq!(reply.status, 200, "{table}.{column}: {path}: {}", reply.text);
            }
            let ctx = &Ctx::system(Timestamp::now());
            let found = model::check::check(server.db(), ctx).await.unwrap();
            let named = found.iter().any(|finding| {
                finding.table == *table && !finding.row.is_empty() && !finding.remedy.is_empty()
            });
            if !named {
                silent.push(format!("{table}.{column} = {value}: {found:?}"));
            }
            // What is done with such a row may be refused, and is no fault of the server's.
            for (method, path, body) in [
                ("POST", "ports".to_owned(), json!({"port": {"network_id": network}})),
                ("PUT", format!("ports/{port}"), json!({"port": {"binding:host_id": "other"}})),
                ("PUT", format!("ports/{port}"), json!({"port": {"name": "named"}})),
                ("PUT", format!("subnets/{subnet}"), json!({"subnet": {"name": "named"}})),
                ("PUT", format!("networks/{network}"), json!({"network": {"name": "named"}})),
            ] {
                let path = format!("/v2.0/{path}");
                let reply = server.call(admin, method, &path, Some(body)).await;
                decent(&reply, &format!("{table}.{column}: {method} {path}"));
            }
        })
        .await;
    }
    assert!(silent.is_empty(), "the check does not find:\n{}", silent.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_list_that_is_not_what_its_table_has_is_found_and_can_be_set_anew() {
    serve(Engine::Sqlite, async |server| {
        let admin = &Who::admin();
        let (network, _) = subnet(server, "192.0.2.0/24").await;
        let port = made(server, admin, "ports", "port", json!({"network_id": network})).await;
        let path = format!("/v2.0/ports/{port}");
        let shown = server.call(admin, "GET", &path, None).await.json["port"].clone();
        let fixed_ips = shown["fixed_ips"].clone();
        let ctx = &Ctx::system(Timestamp::now());
        let sql = "UPDATE ports SET fixed_ips_list = '[]', security_groups_list = NULL WHERE id = ?";
        execute(server, sql, &[&port]).await;
        let found = model::check::check(server.db(), ctx).await.unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        for (finding, attribute) in found.iter().zip(["fixed_ips", "security_groups"]) {
            assert_eq!(finding.row, port);
            assert!(finding.remedy.contains(attribute), "{finding:?}");
            assert_ne!(shown[attribute], json!([]));
        }
        // As the remedies say.
        let subnet = &fixed_ips[0]["subnet_id"];
        for fixed_ips in [json!([{"subnet_id": subnet, "ip_address": "192.0.2.77"}]), fixed_ips] {
            let body =
                json!({"port": {"fixed_ips": fixed_ips, "security_groups": shown["security_groups"]}});
            let reply = server.call(admin, "PUT", &path, Some(body)).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
        }
        let again = server.call(admin, "GET", &path, None).await.json["port"].clone();
        assert_eq!(again["fixed_ips"], shown["fixed_ips"]);
        assert_eq!(again["security_groups"], shown["security_groups"]);
        assert_eq!(model::check::check(server.db(), ctx).await.unwrap(), []);
    })
    .await;
}
