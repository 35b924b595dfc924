//! Agents and availability zones.

use serde_json::{Value as Json, json};
use testkit::database::Engine;

use crate::world::World;

testkit::on_each_engine!(
    agents_are_shown_as_neutron_shows_them,
    an_agent_dies_when_it_does_not_come_to_the_configuration,
    a_host_without_a_chassis_is_dead,
    agents_can_be_described_and_forgotten_and_nothing_else,
    looking_at_agents_raises_the_number_once_whoever_looks,
);

const METADATA: &str = "11111111-1111-4111-8111-111111111111";

async fn world(engine: Engine) -> World {
    let world = World::new(engine).await;
    let config = [
        ("ovn-cms-options", "enable-chassis-as-gw, availability-zones=az2:az1"),
        ("ovn-bridge-mappings", "public:br-ex,other:br-o"),
    ];
    let ids = [("neutron:ovn-metadata-id", METADATA), ("neutron:ovn-metadata-sb-cfg", "7")];
    world.host("w1", &config, &ids).await;
    world.host("w22", &[], &[]).await;
    world
}

async fn agent(world: &World, id: &str) -> Json {
    world.ask("GET", &format!("agents/{id}"), "agent", Json::Null).await
}

async fn agents_are_shown_as_neutron_shows_them(engine: Engine) {
    let world = world(engine).await;
    world.reports("w1", 7, 1_795_257_886_123);
    world
        .sees(|sb| {
            let of = ovn::sb::named(sb, "w1");
            of.is_some_and(|(_, host)| host.nb_cfg_timestamp() == 1_795_257_886_123)
        })
        .await;
    assert_eq!(
        agent(&world, "w1").await,
        json!({
            "id": "w1", "agent_type": "OVN Controller Gateway agent", "binary": "ovn-controller",
            "topic": "n/a", "host": "w1.example", "admin_state_up": true, "alive": true,
            "heartbeat_timestamp": "2026-11-21 10:44:46", "description": "",
            "availability_zone": "az1, az2",
            "configurations":
                {"chassis_name": "w1", "bridge-mappings": "public:br-ex,other:br-o"},
        })
    );
    let metadata = agent(&world, METADATA).await;
    assert_eq!(metadata["agent_type"], "OVN Metadata agent");
    assert_eq!(metadata["binary"], "neutron-ovn-metadata-agent");
    assert_eq!(agent(&world, "w22").await["agent_type"], "OVN Controller agent");
    let listed = |reply: Json| reply["agents"].as_array().unwrap().len();
    assert_eq!(listed(world.call("GET", "agents", None).await.json), 3);
    assert_eq!(listed(world.call("GET", "agents?host=w22.example", None).await.json), 1);
    let zones = world.call("GET", "availability_zones", None).await.json;
    assert_eq!(
        zones["availability_zones"],
        json!([
            {"name": "az1", "resource": "router", "state": "available"},
            {"name": "az2", "resource": "router", "state": "available"},
        ])
    );
}

async fn an_agent_dies_when_it_does_not_come_to_the_configuration(engine: Engine) {
    let world = world(engine).await;
    let long_ago = jiff::Timestamp::now().as_millisecond() - 100_000;
    for (nb_cfg, alive) in [(6, true), (5, false)] {
        world.reports("w1", nb_cfg, long_ago);
        world
            .sees(|sb| ovn::sb::named(sb, "w1").is_some_and(|(_, host)| host.nb_cfg() == nb_cfg))
            .await;
        assert_eq!(agent(&world, "w1").await["alive"], alive, "behind by {}", 7 - nb_cfg);
    }
    assert_eq!(agent(&world, METADATA).await["alive"], false, "nothing is without the controller");
    assert_eq!(agent(&world, "w22").await["alive"], true);
}

async fn a_host_without_a_chassis_is_dead(engine: Engine) {
    let world = world(engine).await;
    world.southbound(&[
        json!({"op": "delete", "table": "Chassis", "where": [["name", "==", "w1"]]}),
    ]);
    world.sees(|sb| ovn::sb::named(sb, "w1").is_none()).await;
    let dead = agent(&world, "w1").await;
    assert_eq!(dead["alive"], false);
    assert_eq!(dead["host"], "(\"Chassis\" register deleted)");
}

async fn agents_can_be_described_and_forgotten_and_nothing_else(engine: Engine) {
    let world = world(engine).await;
    let put = |id: &'static str, ask: Json| {
        let world = &world;
        async move { world.call("PUT", &format!("agents/{id}"), Some(json!({"agent": ask}))).await }
    };
    let reply = put("w1", json!({"description": "rack \"7\""})).await;
    assert_eq!(
        (reply.status, &reply.json),
        (200, &json!({"agent": {"description": "rack \"7\""}}))
    );
    assert_eq!(agent(&world, "w1").await["description"], "rack \"7\"");
    put(METADATA, json!({"description": "meta"})).await;
    assert_eq!(world.external_id("w1", "neutron:description-metadata").as_deref(), Some("meta"));
    put("w1", json!({"description": null})).await;
    assert_eq!(agent(&world, "w1").await["description"], "");
    assert_eq!(agent(&world, METADATA).await["description"], "meta");
    let reply = put("w1", json!({"admin_state_up": false})).await;
    assert_eq!((reply.status, reply.fault()), (400, "BadRequest"));
    assert_eq!(put("w1", json!({"admin_state_up": true})).await.status, 200);
    assert_eq!(put("nope", json!({"description": "x"})).await.fault(), "AgentNotFound");
    assert_eq!(world.call("DELETE", "agents/w1", None).await.status, 204);
    for gone in ["w1", METADATA] {
        let reply = world.call("GET", &format!("agents/{gone}"), None).await;
        assert_eq!((reply.status, reply.fault()), (404, "AgentNotFound"), "{gone}");
    }
    assert_eq!(agent(&world, "w22").await["alive"], true);
}

async fn looking_at_agents_raises_the_number_once_whoever_looks(engine: Engine) {
    let world = world(engine).await;
    let long = std::time::Duration::from_secs(37);
    let liveness = world.ovn.liveness();
    assert!(liveness.raise(long).await.unwrap());
    assert!(!liveness.raise(long).await.unwrap(), "it was raised a moment ago");
    assert_eq!(world.northbound_cfg(), 8);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let liveness = liveness.clone();
            tokio::spawn(async move { liveness.raise(std::time::Duration::ZERO).await.unwrap() })
        })
        .collect();
    let mut raised = 0;
    for task in tasks {
        raised += i64::from(task.await.unwrap());
    }
    assert_eq!(world.northbound_cfg(), 8 + raised, "each raised it by one, or not at all");
}
