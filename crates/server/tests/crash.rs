//! `kill -9` under load, on each engine: every acknowledged write is there afterwards, nothing is
//! half-done, and the check finds nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[allow(dead_code, reason = "another test uses the rest")]
mod process;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use process::{Program, ask, get, nucleon};
use serde_json::{Value as Json, json};
use testkit::database::{Database, Engine};

testkit::on_each_engine!(a_killed_server_has_kept_every_acknowledged_write);

/// Times that the server is killed.
const ROUNDS: u64 = 3;
/// Callers at a time.
const CALLERS: usize = 6;

/// What was acknowledged, and what was asked for without an answer.
#[derive(Default)]
struct Known {
    made: BTreeSet<String>,
    removed: BTreeSet<String>,
    unsure: BTreeSet<String>,
}

/// Makes, changes and removes ports until the server goes away.
fn work(address: SocketAddr, network: &str, known: &Mutex<Known>) {
    for turn in 0.. {
        let host = format!("h{turn}");
        let body = json!({"port": {
            "network_id": network, "binding:host_id": host, "tags": ["a", "b"],
        }});
        let Some((status, reply)) = ask(address, "POST", "/v2.0/ports", Some(&body)) else {
            return;
        };
        assert_eq!(status, 201, "{reply}");
        let id = reply["port"]["id"].as_str().unwrap().to_owned();
        known.lock().unwrap().made.insert(id.clone());
        let path = format!("/v2.0/ports/{id}");
        if turn % 3 == 1 {
            let body = json!({"port": {"binding:host_id": "elsewhere"}});
            if ask(address, "PUT", &path, Some(&body)).is_none() {
                return;
            }
        }
        if turn % 3 == 2 {
            known.lock().unwrap().unsure.insert(id.clone());
            if ask(address, "DELETE", &path, None).is_none() {
                return;
            }
            let mut known = known.lock().unwrap();
            known.unsure.remove(&id);
            known.removed.insert(id);
        }
    }
}

fn network(address: SocketAddr) -> String {
    let body = json!({"network": {"name": "n"}});
    let (_, reply) = ask(address, "POST", "/v2.0/networks", Some(&body)).unwrap();
    let id = reply["network"]["id"].as_str().unwrap().to_owned();
    let body = json!({"subnet": {"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/16"}});
    let (status, reply) = ask(address, "POST", "/v2.0/subnets", Some(&body)).unwrap();
    assert_eq!(status, 201, "{reply}");
    id
}

fn verify(address: SocketAddr, known: &Known) {
    // A page, as a list without a limit would come in chunks.
    let list = get(address, "/v2.0/ports?limit=1000000").body;
    let list: Json = serde_json::from_str(&list).unwrap();
    let mut there = BTreeSet::new();
    for port in list["ports"].as_array().unwrap() {
        assert_eq!(port["fixed_ips"].as_array().unwrap().len(), 1, "{port}");
        assert_eq!(port["security_groups"].as_array().unwrap().len(), 1, "{port}");
        assert_eq!(port["tags"].as_array().unwrap().len(), 2, "{port}");
        assert_ne!(port["binding:host_id"], "", "{port}");
        there.insert(port["id"].as_str().unwrap().to_owned());
    }
    for id in known.made.difference(&known.unsure) {
        assert_eq!(there.contains(id), !known.removed.contains(id), "{id} was acknowledged");
    }
}

async fn a_killed_server_has_kept_every_acknowledged_write(engine: Engine) {
    let database = Database::new(engine).await;
    let url = database.url.clone();
    let done = tokio::task::spawn_blocking(move || rounds(&url)).await;
    database.close().await;
    done.unwrap();
}

fn rounds(url: &str) {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["--auth", "none", "--database", url, "--quota", "port=-1"];
    let known = Mutex::new(Known::default());
    let mut program = Program::start(home.path(), &arguments);
    let network = &network(program.address());
    for round in 0..ROUNDS {
        let before = known.lock().unwrap().made.len();
        std::thread::scope(|scope| {
            let address = program.address();
            for _ in 0..CALLERS {
                let known = &known;
                scope.spawn(move || work(address, network, known));
            }
            std::thread::sleep(Duration::from_millis(700 + 171 * round));
            program.kill();
        });
        assert!(known.lock().unwrap().made.len() > before, "it was killed under load");
        let checked = nucleon(home.path(), &["db", "check", "--database", url]);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
        program = Program::start(home.path(), &arguments);
        verify(program.address(), &known.lock().unwrap());
    }
}
