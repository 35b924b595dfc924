//! Bindings against a real database: a bound port has exactly one active binding, for every reader,
//! at every instant.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use house::{House, admin, kind, kind_of, shown};
use model::binding;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use wire::draft::{Draft, Verb};
use wire::fault::Result;
use wire::row::Row;
use wire::types::Id;
use wire::value::Value;

const ALICE: &str = "a11ce000000000000000000000000000";

/// What is asked of the bindings of a port.
#[derive(Clone, Debug)]
enum Act {
    Create(Json),
    Update(&'static str, Json),
    Delete(&'static str),
    Activate(&'static str),
}

async fn act(house: &House, port: Id, act: Act) -> Result<Option<Row>> {
    let ctx = &admin(ALICE);
    let act = &act;
    let draft = |verb, body: &Json| Draft::parse(&binding::TABLE, verb, body);
    house
        .world
        .db
        .write(ctx, |tx| async move {
            let call = house.world.call(&tx, ctx);
            let port = call.find(kind("ports").table(), port).await?.unwrap();
            Ok(match act {
                Act::Create(body) => {
                    Some(binding::create(&call, &port, &draft(Verb::Create, body)?).await?)
                }
                Act::Update(host, body) => {
                    Some(binding::update(&call, &port, host, &draft(Verb::Update, body)?).await?)
                }
                Act::Activate(host) => Some(binding::activate(&call, &port, host).await?),
                Act::Delete(host) => {
                    binding::delete(&call, &port, host).await?;
                    None
                }
            })
        })
        .await
}

async fn list(house: &House, port: Id) -> Vec<Row> {
    let ctx = &admin(ALICE);
    house
        .world
        .db
        .read(ctx, |tx| async move {
            let call = house.world.call(&tx, ctx);
            let port = call.find(kind("ports").table(), port).await?.unwrap();
            binding::list(&call, &port).await
        })
        .await
        .unwrap()
}

async fn server_port(house: &House, host: &str) -> Id {
    let root = admin(ALICE);
    let network = house.network(&root).await.to_string();
    let body = json!({"network_id": network, "device_owner": "compute:nova",
                      "device_id": "vm", "binding:host_id": host});
    house.port(&root, body).await.unwrap().id()
}

testkit::on_each_engine!(
    a_host_binds_and_its_absence_unbinds,
    no_reader_sees_a_bound_port_unbound_in_a_storm_of_rebinds,
    a_prepared_binding_takes_over_when_it_is_activated,
    a_port_that_moves_takes_over_what_was_prepared_on_its_new_host,
    an_unbound_port_becomes_bound_by_activation,
    without_its_active_binding_a_port_is_vacant_and_whole,
    a_vacant_port_with_a_prepared_binding_is_bound_by_activation,
    damaged_bindings_of_distributed_ports_are_found,
    only_servers_have_several_bindings,
    activations_that_race_leave_one_active_binding,
    a_distributed_port_is_on_every_host_that_asked,
);

async fn a_host_binds_and_its_absence_unbinds(engine: Engine) {
    let house = House::new(engine).await;
    let root = admin(ALICE);
    let id = server_port(&house, "h1").await;
    let bound = house.find("ports", id).await.unwrap();
    assert_eq!(shown(&bound, "binding:host_id"), "h1");
    assert_eq!(shown(&bound, "binding:vif_type"), "other");
    assert_eq!(shown(&bound, "binding:vif_details"), json!({"bound_drivers": {"0": "none"}}));
    assert_eq!(house.count("SELECT COUNT(*) FROM port_binding_levels").await, 1);
    for nowhere in [json!(""), json!(null)] {
        let body = json!({"binding:host_id": nowhere});
        let port = house.update(&root, "ports", id, body).await.unwrap();
        assert_eq!(shown(&port, "binding:host_id"), "");
        assert_eq!(shown(&port, "binding:vif_type"), "unbound");
        assert_eq!(house.count("SELECT COUNT(*) FROM port_binding_levels").await, 0);
    }
    let again = json!({"binding:host_id": "h2"});
    let port = house.update(&root, "ports", id, again).await.unwrap();
    assert_eq!(shown(&port, "binding:host_id"), "h2");
    assert_eq!(house.count("SELECT COUNT(*) FROM port_bindings").await, 1);
}

async fn no_reader_sees_a_bound_port_unbound_in_a_storm_of_rebinds(engine: Engine) {
    let house = House::new(engine).await;
    let id = server_port(&house, "h0").await;
    let over = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(AtomicUsize::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (house, over, reads) = (Arc::clone(&house), Arc::clone(&over), Arc::clone(&reads));
        readers.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let port = house.find("ports", id).await.unwrap();
                let host = shown(&port, "binding:host_id");
                assert!(host.as_str().is_some_and(|host| host.starts_with('h')), "{host}");
                assert_eq!(shown(&port, "binding:vif_type"), "other");
                let bindings = list(&house, id).await;
                let active = bindings.iter().filter(|row| shown(row, "status") == "ACTIVE");
                assert_eq!(active.count(), 1, "{bindings:?}");
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let house = Arc::clone(&house);
        writers.spawn(async move {
            for round in 0..40 {
                let host = format!("h{writer}-{round}");
                let body = json!({"binding:host_id": host});
                house.update(&admin(ALICE), "ports", id, body).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    over.store(true, Ordering::Relaxed);
    readers.join_all().await;
    assert!(reads.load(Ordering::Relaxed) > 20, "the readers have looked");
    assert_eq!(house.count("SELECT COUNT(*) FROM port_bindings").await, 1);
    assert_eq!(house.count("SELECT COUNT(*) FROM port_binding_levels").await, 1);
}

async fn a_prepared_binding_takes_over_when_it_is_activated(engine: Engine) {
    let house = House::new(engine).await;
    let id = server_port(&house, "h1").await;
    let made = act(&house, id, Act::Create(json!({"host": "h2", "profile": {"a": 1}}))).await;
    let made = made.unwrap().unwrap();
    assert_eq!(shown(&made, "status"), "INACTIVE");
    assert_eq!(shown(&made, "vif_type"), "other");
    assert_eq!(shown(&made, "vif_details"), json!({}));
    assert_eq!(shown(&made, "profile"), json!({"a": 1}));
    let port = house.find("ports", id).await.unwrap();
    assert_eq!(shown(&port, "binding:host_id"), "h1", "nothing has moved yet");

    for (ask, fault) in [
        (Act::Create(json!({"host": "h2"})), "PortBindingAlreadyExists"),
        (Act::Create(json!({"host": "h1"})), "PortBindingAlreadyExists"),
        (Act::Create(json!({"host": ""})), "HTTPBadRequest"),
        (Act::Activate("h1"), "PortBindingAlreadyActive"),
        (Act::Activate("h3"), "PortBindingNotFound"),
        (Act::Update("h3", json!({"vnic_type": "direct"})), "PortBindingNotFound"),
        (Act::Update("h2", json!({"host": "h1"})), "PortBindingAlreadyExists"),
        (Act::Delete("h3"), "PortBindingNotFound"),
    ] {
        assert_eq!(kind_of(act(&house, id, ask.clone()).await), fault, "{ask:?}");
    }
    let active = act(&house, id, Act::Activate("h2")).await.unwrap().unwrap();
    assert_eq!(shown(&active, "status"), "ACTIVE");
    let moved = house.find("ports", id).await.unwrap();
    assert_eq!(shown(&moved, "binding:host_id"), "h2");
    assert_eq!(shown(&moved, "binding:profile"), json!({"a": 1}));
    let both: Vec<(Json, Json, Json)> = list(&house, id)
        .await
        .iter()
        .map(|row| (shown(row, "host"), shown(row, "status"), shown(row, "vif_type")))
        .collect();
    assert_eq!(
        both,
        [
            (json!("h1"), json!("INACTIVE"), json!("unbound")),
            (json!("h2"), json!("ACTIVE"), json!("other")),
        ]
    );
    let again = act(&house, id, Act::Activate("h1")).await.unwrap().unwrap();
    assert_eq!(shown(&again, "status"), "ACTIVE");
}

async fn a_port_that_moves_takes_over_what_was_prepared_on_its_new_host(engine: Engine) {
    let house = House::new(engine).await;
    let id = server_port(&house, "h1").await;
    for host in ["h2", "h3"] {
        let body = json!({"host": host, "profile": {"prepared": true}});
        act(&house, id, Act::Create(body)).await.unwrap();
    }
    let body = json!({"binding:host_id": "h2"});
    let port = house.update(&admin(ALICE), "ports", id, body).await.unwrap();
    assert_eq!(shown(&port, "binding:host_id"), "h2");
    assert_eq!(shown(&port, "binding:vif_type"), "other");
    assert_eq!(shown(&port, "binding:profile"), json!({}));
    let bindings = list(&house, id).await;
    let seen: Vec<(Json, Json)> =
        bindings.iter().map(|row| (shown(row, "host"), shown(row, "status"))).collect();
    assert_eq!(seen, [(json!("h2"), json!("ACTIVE")), (json!("h3"), json!("INACTIVE"))]);
    assert_eq!(house.count("SELECT COUNT(*) FROM port_binding_levels").await, 2);
    assert_eq!(house.findings().await, []);
}

async fn an_unbound_port_becomes_bound_by_activation(engine: Engine) {
    let house = House::new(engine).await;
    let id = server_port(&house, "").await;
    act(&house, id, Act::Create(json!({"host": "h2"}))).await.unwrap();
    act(&house, id, Act::Activate("h2")).await.unwrap();
    let bindings = list(&house, id).await;
    assert_eq!(bindings.len(), 1, "the empty host is no binding: {bindings:?}");
    assert_eq!(shown(&bindings[0], "host"), "h2");
}

async fn without_its_active_binding_a_port_is_vacant_and_whole(engine: Engine) {
    let house = House::new(engine).await;
    let root = &admin(ALICE);
    let id = server_port(&house, "h1").await;
    act(&house, id, Act::Create(json!({"host": "h2"}))).await.unwrap();
    act(&house, id, Act::Delete("h2")).await.unwrap();
    assert_eq!(list(&house, id).await.len(), 1);
    act(&house, id, Act::Delete("h1")).await.unwrap();
    let port = house.find("ports", id).await.unwrap();
    assert_eq!(shown(&port, "binding:host_id"), "");
    assert_eq!(shown(&port, "binding:vif_type"), "unbound");
    assert_eq!(shown(&port, "binding:profile"), json!({}));
    assert_eq!(shown(&port, "status"), "DOWN");
    assert_eq!(list(&house, id).await.len(), 0, "there is no binding to be listed");
    let active = "SELECT COUNT(*) FROM port_bindings WHERE active_port IS NOT NULL";
    assert_eq!(house.count(active).await, 1);
    assert_eq!(house.count("SELECT COUNT(*) FROM port_binding_levels").await, 0);
    assert_eq!(house.findings().await, []);

    let next = act(&house, id, Act::Create(json!({"host": "h3"}))).await.unwrap().unwrap();
    assert_eq!(shown(&next, "status"), "ACTIVE", "the next binding is the active one");
    let port = house.find("ports", id).await.unwrap();
    assert_eq!(shown(&port, "binding:host_id"), "h3");
    act(&house, id, Act::Delete("h3")).await.unwrap();
    let body = json!({"binding:host_id": "h4"});
    let port = house.update(root, "ports", id, body).await.unwrap();
    assert_eq!(shown(&port, "binding:host_id"), "h4", "a vacant port can be bound again");
    assert_eq!(list(&house, id).await.len(), 1);
    assert_eq!(house.findings().await, []);
}

async fn a_vacant_port_with_a_prepared_binding_is_bound_by_activation(engine: Engine) {
    let house = House::new(engine).await;
    let id = server_port(&house, "h1").await;
    act(&house, id, Act::Create(json!({"host": "h2"}))).await.unwrap();
    act(&house, id, Act::Delete("h1")).await.unwrap();
    act(&house, id, Act::Activate("h2")).await.unwrap();
    let bindings = list(&house, id).await;
    assert_eq!(bindings.len(), 1, "{bindings:?}");
    assert_eq!(shown(&bindings[0], "status"), "ACTIVE");
    assert_eq!(house.findings().await, []);
}

async fn damaged_bindings_of_distributed_ports_are_found(engine: Engine) {
    let house = House::new(engine).await;
    let root = &admin(ALICE);
    let network = house.network(root).await.to_string();
    let body = json!({"network_id": network,
                      "device_owner": "network:router_interface_distributed"});
    let port = &house.port(root, body).await.unwrap();
    house.distribute(root, port, "h1").await;
    assert_eq!(house.findings().await, []);
    for (column, value) in [
        ("profile", "{bad"),
        ("vif_details", "[1,"),
        ("vnic_type", "telepathic"),
        ("status", "MAYBE"),
    ] {
        let table = "distributed_port_bindings";
        let before = house.rows(&format!("SELECT {column} FROM {table}")).await;
        let sql = format!("UPDATE {table} SET {column} = ?");
        house.run(&sql, &[Value::text(value)]).await;
        let found = house.findings().await;
        assert_eq!(found.len(), 1, "{column}: {found:?}");
        assert_eq!(found[0].table, table);
        assert_eq!(found[0].row, port.id().to_string());
        house.run(&sql, &before[0]).await;
    }
    house.run("DELETE FROM distributed_port_bindings", &[]).await;
    let found = house.findings().await;
    assert_eq!(found.len(), 1, "a level without its binding: {found:?}");
    assert_eq!(found[0].table, "port_binding_levels");
}

async fn only_servers_have_several_bindings(engine: Engine) {
    let house = House::new(engine).await;
    let id = server_port(&house, "h1").await;
    house.update(&admin(ALICE), "ports", id, json!({"device_owner": ""})).await.unwrap();
    for ask in [Act::Create(json!({"host": "h2"})), Act::Activate("h1"), Act::Delete("h1")] {
        assert_eq!(kind_of(act(&house, id, ask.clone()).await), "BadRequest", "{ask:?}");
    }
}

async fn activations_that_race_leave_one_active_binding(engine: Engine) {
    let house = House::new(engine).await;
    let id = server_port(&house, "h1").await;
    let hosts = ["h2", "h3", "h4"];
    for host in hosts {
        act(&house, id, Act::Create(json!({"host": host}))).await.unwrap();
    }
    let mut clients = tokio::task::JoinSet::new();
    for round in 0..24 {
        let house = Arc::clone(&house);
        clients.spawn(async move {
            let answer = act(&house, id, Act::Activate(hosts[round % 3])).await;
            if answer.is_err() {
                assert_eq!(kind_of(answer), "PortBindingAlreadyActive");
            }
        });
    }
    clients.join_all().await;
    let active = "SELECT COUNT(*) FROM port_bindings WHERE active_port = port_id";
    assert_eq!(house.count(active).await, 1);
    assert_eq!(house.count("SELECT COUNT(*) FROM port_bindings").await, 4);
}

async fn a_distributed_port_is_on_every_host_that_asked(engine: Engine) {
    let house = House::new(engine).await;
    let root = &admin(ALICE);
    let network = house.network(root).await.to_string();
    let body = json!({"network_id": network, "binding:host_id": "h9",
                      "device_owner": "network:router_interface_distributed"});
    let port = &house.port(root, body).await.unwrap();
    assert_eq!(shown(port, "binding:vif_type"), "distributed");
    assert_eq!(shown(port, "binding:host_id"), "");
    for host in ["h1", "h2", "h1"] {
        house.distribute(root, port, host).await;
    }
    let hosts: Vec<Json> =
        list(&house, port.id()).await.iter().map(|row| shown(row, "host")).collect();
    assert_eq!(hosts, ["h1", "h2"]);
    assert_eq!(house.count("SELECT COUNT(*) FROM port_binding_levels").await, 2);
    let world = &house.world;
    world
        .db
        .write(root, |tx| async move {
            binding::distributed::remove_of_router(&world.call(&tx, root), "r1").await
        })
        .await
        .unwrap();
    assert_eq!(list(&house, port.id()).await.len(), 0);
}
