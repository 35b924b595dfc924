//! Whether ports are ACTIVE, and what Nova is told of it.

use std::time::Duration;

use serde_json::{Value as Json, json};
use sql::Db;
use testkit::database::Engine;
use wire::ctx::Ctx;
use wire::value::Value;

use crate::world::{World, id, server_port};

testkit::on_each_engine!(
    a_port_is_active_when_its_flows_are_there_and_down_when_they_are_not,
    what_happened_while_nobody_looked_is_found_by_comparing,
    a_broken_connection_loses_nothing,
    a_port_that_is_disabled_is_down_and_active_again_when_it_is_enabled,
    a_port_that_nobody_has_bound_stays_down_wherever_ovn_has_it,
    a_machine_moves_and_its_port_is_never_unbound,
    a_shared_address_is_where_the_port_is_that_uses_it,
    many_ports_at_once_all_become_active,
    another_server_takes_over_when_the_one_that_follows_dies,
);

/// What Nova has to be told of a port, in order, but for changes of it.
pub async fn told(db: &Db, port_id: &str) -> Vec<String> {
    let ctx = Ctx::system(jiff::Timestamp::now());
    let key = [Value::text(port_id)];
    let sql = "SELECT name FROM nova_events WHERE port_id = ? AND name <> 'network-changed' \
               ORDER BY seq";
    let key = &key;
    let rows = db.read(&ctx, |tx| async move { tx.rows(sql, key).await }).await.unwrap();
    rows.iter().map(|row| row[0].as_text().unwrap().to_owned()).collect()
}

async fn bound(world: &World) -> String {
    world.host("w1", &[("datapath-type", "system")], &[]).await;
    let network = world.network(json!({})).await;
    let port = world.port(server_port(&network, "w1.example")).await;
    assert_eq!((&port["status"], &port["binding:vif_type"]), (&json!("DOWN"), &json!("ovs")));
    world.binding(&id(&port), "");
    id(&port)
}

async fn a_port_is_active_when_its_flows_are_there_and_down_when_they_are_not(engine: Engine) {
    let world = World::new(engine).await;
    let port = bound(&world).await;
    let before = world.shown(&port).await["revision_number"].as_i64().unwrap();
    world.up(&port, "w1");
    let active = world.becomes(&port, "status", json!("ACTIVE")).await;
    assert_eq!(active["revision_number"], before + 1);
    world.down(&port);
    world.becomes(&port, "status", json!("DOWN")).await;
    let events = ["network-vif-plugged", "network-vif-unplugged"];
    assert_eq!(told(world.api().db(), &port).await, events);
}

async fn what_happened_while_nobody_looked_is_found_by_comparing(engine: Engine) {
    let mut world = World::new(engine).await;
    let port = bound(&world).await;
    world.blind();
    world.up(&port, "w1");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.shown(&port).await["status"], "DOWN");
    world.watch();
    world.becomes(&port, "status", json!("ACTIVE")).await;
    world.blind();
    world.down(&port);
    world.up(&port, "w1");
    world.down(&port);
    world.watch();
    world.becomes(&port, "status", json!("DOWN")).await;
    let events = ["network-vif-plugged", "network-vif-unplugged"];
    assert_eq!(told(world.api().db(), &port).await, events);
}

async fn a_broken_connection_loses_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let port = bound(&world).await;
    for _ in 0..3 {
        world.ovsdb.close();
        world.up(&port, "w1");
        world.ovsdb.open();
        world.becomes(&port, "status", json!("ACTIVE")).await;
        world.ovsdb.close();
        world.down(&port);
        world.ovsdb.open();
        world.becomes(&port, "status", json!("DOWN")).await;
    }
}

async fn a_port_that_is_disabled_is_down_and_active_again_when_it_is_enabled(engine: Engine) {
    let world = World::new(engine).await;
    let port = bound(&world).await;
    world.up(&port, "w1");
    world.becomes(&port, "status", json!("ACTIVE")).await;
    let path = format!("ports/{port}");
    world.ask("PUT", &path, "port", json!({"admin_state_up": false})).await;
    world.becomes(&port, "status", json!("DOWN")).await;
    world.ask("PUT", &path, "port", json!({"admin_state_up": true})).await;
    world.becomes(&port, "status", json!("ACTIVE")).await;
}

async fn a_port_that_nobody_has_bound_stays_down_wherever_ovn_has_it(engine: Engine) {
    let world = World::new(engine).await;
    bound(&world).await;
    let network = world.network(json!({})).await;
    let port = id(&world.port(json!({"network_id": network})).await);
    world.binding(&port, "");
    world.up(&port, "w1");
    let other = id(&world.port(server_port(&network, "w1.example")).await);
    world.binding(&other, "");
    world.up(&other, "w1");
    world.becomes(&other, "status", json!("ACTIVE")).await;
    assert_eq!(world.shown(&port).await["status"], "DOWN");
}

async fn a_machine_moves_and_its_port_is_never_unbound(engine: Engine) {
    let world = World::new(engine).await;
    let port = bound(&world).await;
    world.host("w22", &[("datapath-type", "system")], &[]).await;
    world.up(&port, "w1");
    world.becomes(&port, "status", json!("ACTIVE")).await;
    // Nova prepares the new host, and says where the machine goes.
    let prepared = json!({"host": "w22.example", "vnic_type": "normal", "profile": {}});
    let bindings = format!("ports/{port}/bindings");
    let binding = world.ask("POST", &bindings, "binding", prepared).await;
    assert_eq!((&binding["status"], &binding["vif_type"]), (&json!("INACTIVE"), &json!("ovs")));
    let ask = json!({"binding:profile": {"migrating_to": "w22.example"}});
    let port_path = format!("ports/{port}");
    let shown = world.ask("PUT", &port_path, "port", ask).await;
    assert_eq!((&shown["binding:vif_type"], &shown["status"]), (&json!("ovs"), &json!("DOWN")));
    // The new host has the device; what it has come to is older than that.
    world.arrives(&port, Some("w22"));
    let begin = std::time::Instant::now();
    while world.northbound_cfg() == 7 {
        assert!(begin.elapsed() < Duration::from_secs(10), "nobody asks the new host");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.shown(&port).await["status"], "DOWN", "its flows may not be there yet");
    world.reports("w22", 8, jiff::Timestamp::now().as_millisecond());
    world.becomes(&port, "status", json!("ACTIVE")).await;
    // The machine is there.
    world.call("PUT", &format!("{bindings}/w22.example/activate"), None).await;
    let shown = world.shown(&port).await;
    assert_eq!(shown["binding:host_id"], "w22.example");
    assert_eq!((&shown["binding:vif_type"], &shown["status"]), (&json!("ovs"), &json!("DOWN")));
    world.up(&port, "w22");
    world.arrives(&port, None);
    world.becomes(&port, "status", json!("ACTIVE")).await;
    assert_eq!(world.call("DELETE", &format!("{bindings}/w1.example"), None).await.status, 204);
    let listed = world.call("GET", &bindings, None).await.json;
    let listed: Vec<&Json> = listed["bindings"].as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), 1);
    let (plugged, unplugged) = ("network-vif-plugged", "network-vif-unplugged");
    let told = told(world.api().db(), &port).await;
    assert_eq!(told, [plugged, unplugged, plugged, unplugged, plugged]);
}

async fn a_shared_address_is_where_the_port_is_that_uses_it(engine: Engine) {
    let world = World::new(engine).await;
    bound(&world).await;
    world.host("w22", &[], &[]).await;
    let network = world.network(json!({})).await;
    let port = id(&world.port(json!({"network_id": network})).await);
    world.binding(&port, "virtual");
    let parent = |host: &str| json!({ "parent_hostname": host });
    world.up(&port, "w1");
    let shown = world.becomes(&port, "binding:vif_details", parent("w1.example")).await;
    assert_eq!((&shown["binding:host_id"], &shown["status"]), (&json!(""), &json!("DOWN")));
    world.up(&port, "w22");
    world.becomes(&port, "binding:vif_details", parent("w22.example")).await;
    world.down(&port);
    world.becomes(&port, "binding:vif_details", parent("")).await;
}

async fn many_ports_at_once_all_become_active(engine: Engine) {
    let world = World::new(engine).await;
    world.host("w1", &[], &[]).await;
    let network = world.network(json!({})).await;
    let mut ports = Vec::new();
    for _ in 0..120 {
        let port = id(&world.port(server_port(&network, "w1.example")).await);
        ports.push(port);
    }
    for port in &ports {
        world.binding(port, "");
        world.up(port, "w1");
    }
    for port in &ports {
        world.becomes(port, "status", json!("ACTIVE")).await;
        assert_eq!(told(world.api().db(), port).await, ["network-vif-plugged"]);
    }
}

async fn another_server_takes_over_when_the_one_that_follows_dies(engine: Engine) {
    let world = World::new(engine).await;
    let port = bound(&world).await;
    world.up(&port, "w1");
    world.becomes(&port, "status", json!("ACTIVE")).await;
    let (other, watch) = world.another().await;
    world.ovn.southbound().stop().await;
    world.down(&port);
    world.becomes(&port, "status", json!("DOWN")).await;
    world.up(&port, "w1");
    world.becomes(&port, "status", json!("ACTIVE")).await;
    watch.abort();
    drop(other);
}
