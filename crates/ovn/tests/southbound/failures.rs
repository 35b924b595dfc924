//! What the database does not take now is done shortly afterwards, and what it never takes keeps
//! nothing else from being done.

use std::time::Duration;

use serde_json::json;
use testkit::database::Engine;
use wire::ctx::Ctx;

use crate::world::{World, id, server_port};

/// Longer than an event takes to be followed.
const MOMENT: Duration = Duration::from_millis(150);

async fn bound(world: &World) -> String {
    world.host("w1", &[("datapath-type", "system")], &[]).await;
    let network = world.network(json!({})).await;
    let port = id(&world.port(server_port(&network, "w1.example")).await);
    world.binding(&port, "");
    port
}

/// Runs statements of SQLite.
async fn run(world: &World, statements: &[String]) {
    let ctx = Ctx::system(jiff::Timestamp::now());
    let act = |tx: sql::Tx| async move {
        for statement in statements {
            tx.exec(statement.clone(), Vec::new());
        }
        Ok(())
    };
    world.api().db().write(&ctx, act).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_statement_fails_the_status_follows_within_seconds() {
    let world = World::new(Engine::Sqlite).await;
    let port = bound(&world).await;
    tokio::time::sleep(MOMENT).await;
    for number in 1..=6 {
        let (status, is_up) = if number % 2 == 1 { ("ACTIVE", true) } else { ("DOWN", false) };
        world.api().db().fail_at(number);
        if is_up {
            world.up(&port, "w1")
        } else {
            world.down(&port)
        }
        tokio::time::sleep(MOMENT).await;
        assert!(world.api().db().fail_at(0), "there is no statement {number}");
        world.becomes(&port, "status", json!(status)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_can_have_no_metadata_port_delays_no_other() {
    let mut world = World::new(Engine::Sqlite).await;
    let port = bound(&world).await;
    let poison = world.network(json!({})).await;
    let healed = world.network(json!({})).await;
    world.blind();
    run(
        &world,
        &[
            format!("DELETE FROM ports WHERE network_id IN ('{poison}', '{healed}')"),
            format!(
                "CREATE TRIGGER poison BEFORE INSERT ON ports WHEN NEW.network_id = '{poison}' \
                 BEGIN SELECT RAISE(ABORT, 'not here'); END"
            ),
        ],
    )
    .await;
    world.up(&port, "w1");
    world.watch();
    world.becomes(&port, "status", json!("ACTIVE")).await;
    let ports = format!("ports?device_owner=network:distributed&network_id={healed}");
    let made = world.call("GET", &ports, None).await;
    assert_eq!(made.json["ports"].as_array().map(Vec::len), Some(1), "{}", made.text);
}
