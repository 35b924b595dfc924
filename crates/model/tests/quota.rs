//! Quotas of requests for several things: counted together, refused together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod house;

use house::{House, admin, kind_of, member, shown};
use model::settings::Settings;
use serde_json::json;
use testkit::database::Engine;

testkit::on_each_engine!(
    a_request_that_passes_the_quota_makes_nothing,
    each_project_of_a_request_is_counted,
);

fn settings(ports: i64) -> Settings {
    let mut settings = Settings::default();
    settings.quotas.insert("port".into(), ports);
    settings
}

async fn a_request_that_passes_the_quota_makes_nothing(engine: Engine) {
    let house = House::with(engine, settings(10)).await;
    let alice = &member("alice");
    let network = house.network(alice).await;
    let port = json!({"network_id": network.to_string()});
    let ports = |count| vec![port.clone(); count];
    for (count, there) in [(11, 0), (6, 6), (5, 6), (4, 10), (2, 10)] {
        let made = house.create_all(alice, "ports", &ports(count)).await;
        match made {
            Ok(made) => assert_eq!(made.len(), count),
            Err(error) => assert_eq!(error.fault().unwrap().kind, "OverQuota"),
        }
        assert_eq!(house.count("SELECT COUNT(*) FROM ports").await, there, "{count} more");
        assert_eq!(house.used("port", "alice").await, there);
    }
    assert_eq!(kind_of(house.port(alice, port).await), "OverQuota");
    assert!(house.findings().await.is_empty());
}

async fn each_project_of_a_request_is_counted(engine: Engine) {
    let house = House::new(engine).await;
    let network = |project: &str| json!({"name": "n", "project_id": project});
    let asked = ["alice", "bob", "alice"].map(network);
    assert_eq!(house.create_all(&admin("root"), "networks", &asked).await.unwrap().len(), 3);
    let counted = (house.used("network", "alice").await, house.used("network", "bob").await);
    assert_eq!(counted, (2, 1));
    assert!(house.findings().await.is_empty());
}

#[tokio::test]
async fn the_ports_of_one_request_are_counted_in_one_statement() {
    let house = House::with(Engine::Sqlite, settings(100)).await;
    let alice = &member("alice");
    let network = house.network(alice).await;
    let first = house.port(alice, json!({"network_id": network.to_string()})).await.unwrap();
    assert_eq!(shown(&first, "project_id"), "alice");
    house.run("CREATE TABLE counted (used INTEGER)", &[]).await;
    let trigger = "CREATE TRIGGER counting AFTER UPDATE ON quota_usage BEGIN \
                   INSERT INTO counted VALUES (new.used); END";
    house.run(trigger, &[]).await;
    let ports = vec![json!({"network_id": network.to_string()}); 20];
    house.create_all(alice, "ports", &ports).await.unwrap();
    let counts = house.rows("SELECT used FROM counted").await;
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert_eq!(house.used("port", "alice").await, 21);
}
