//! One thing of each kind, and what every test asks of replies and of the database afterwards.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::kind::Kind;
use model::settings::Settings;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{Reply, TestServer, Who};
use wire::ctx::Ctx;
use wire::value::Value;

/// The project that owns everything.
pub const OWNER: &str = "owner";

/// Words that are in SQL, paths and traces, and in no reply.
const INNER: &[&str] = &[
    "SELECT ",
    "INSERT INTO",
    "UPDATE ports",
    "sqlite",
    "SQLITE",
    "postgres",
    "mysql",
    "MariaDB",
    "UNIQUE constraint",
    "syntax error",
    "panicked",
    "backtrace",
    ".rs:",
    "/src/",
    "no such table",
    "relation \"",
];

/// Without limits, so that nothing but what is tested is refused.
pub fn settings() -> Settings {
    let mut settings = Settings::default();
    for limit in settings.quotas.values_mut() {
        *limit = -1;
    }
    settings
}

/// A server with one thing of each kind that can be created, all the owner's.
pub struct Cloud {
    /// The ids, by collection.
    pub ids: BTreeMap<&'static str, String>,
}

impl Cloud {
    pub async fn new(server: &TestServer) -> Self {
        let mut cloud = Self { ids: BTreeMap::new() };
        for kind in model::KINDS {
            let many = kind.table().many;
            if !kind.verbs().create {
                continue;
            }
            let who = Who::new(OWNER, "admin,manager,member,reader");
            let reply = cloud.create(server, &who, *kind).await;
            assert_eq!(reply.status, 201, "{many}: {}", reply.text);
            let id = reply.json[kind.table().one]["id"].as_str().unwrap();
            cloud.ids.insert(many, id.to_owned());
        }
        let network = cloud.ids["networks"].clone();
        cloud.ids.insert("network_ip_availabilities", network);
        cloud
    }

    pub async fn create(&self, server: &TestServer, who: &Who, kind: &dyn Kind) -> Reply {
        let body = json!({kind.table().one: self.body(kind.table().many)});
        server.call(who, "POST", &format!("/v2.0/{}", kind.path()), Some(body)).await
    }

    /// What makes one of a kind. A new kind needs its line, and all tests know it.
    ///
    /// # Panics
    /// The line is missing.
    pub fn body(&self, many: &str) -> Json {
        let id = |many: &str| self.ids.get(many).cloned().unwrap_or_default();
        let unique = uuid::Uuid::new_v4();
        let [a, b, c, d] = [0, 1, 2, 3].map(|place| unique.as_bytes()[place]);
        match many {
            "networks" => json!({"name": "n"}),
            "segments" => json!({"network_id": id("networks"), "network_type": "geneve"}),
            "subnets" => json!({
                "network_id": id("networks"), "ip_version": 6, "cidr": format!("fd00:{a:x}:{b:x}:{c:x}{d:02x}::/64"),
            }),
            "subnetpools" => json!({"name": "p", "prefixes": [format!("10.{a}.0.0/16")]}),
            "ports" => json!({"network_id": id("networks"), "fixed_ips": []}),
            "address_scopes" => json!({"name": "s", "ip_version": 4}),
            "security_groups" => json!({"name": "g"}),
            "security_group_rules" => json!({
                "security_group_id": id("security_groups"), "direction": "ingress",
                "remote_ip_prefix": format!("{a}.{b}.{c}.{d}/32"),
            }),
            "default_security_group_rules" => json!({
                "direction": "ingress", "remote_ip_prefix": format!("{a}.{b}.{c}.{d}/32"),
                "used_in_default_sg": true, "used_in_non_default_sg": true,
            }),
            "security_groups_default_statefulness" => json!({"stateful": true}),
            "address_groups" => json!({"name": "a", "addresses": ["192.0.2.0/24"]}),
            "rbac_policies" => json!({
                "object_type": "network", "object_id": id("networks"),
                "action": "access_as_shared", "target_tenant": unique.to_string(),
            }),
            other => panic!("say here how one of {other} is made"),
        }
    }
}

/// A reply that a stranger may read: no fault of ours, nothing from inside.
#[track_caller]
pub fn decent(reply: &Reply, asked: &str) {
    assert!(reply.status < 500, "{asked}\nanswers {}: {}", reply.status, reply.text);
    discreet(reply, asked);
}

/// Nothing from inside is in it.
#[track_caller]
pub fn discreet(reply: &Reply, asked: &str) {
    for word in INNER {
        assert!(!reply.text.contains(word), "{asked}\nshows {word:?}: {}", reply.text);
    }
}

/// Nothing is lost, doubled or half-done.
pub async fn sound(server: &TestServer) {
    let found = model::check::check(server.db(), &Ctx::system(Timestamp::now())).await.unwrap();
    assert!(found.is_empty(), "{found:#?}");
}

/// One statement, past everything.
pub async fn execute(server: &TestServer, sql: &str, values: &[&str]) {
    let values: Vec<Value> = values.iter().map(|value| Value::text(*value)).collect();
    let (sql, values) = (&sql, &values);
    server
        .db()
        .write(&Ctx::system(Timestamp::now()), |tx| async move {
            tx.exec((*sql).to_owned(), values.clone());
            tx.flush().await
        })
        .await
        .unwrap();
}

/// How many rows a table has.
pub async fn count(server: &TestServer, table: &str) -> i64 {
    let sql = &format!("SELECT COUNT(*) FROM {table}");
    let rows = server
        .db()
        .read(&Ctx::system(Timestamp::now()), |tx| async move { tx.rows(sql, &[]).await })
        .await
        .unwrap();
    rows[0][0].as_int().unwrap()
}

/// A network and its subnet, of the owner.
pub async fn subnet(server: &TestServer, cidr: &str) -> (String, String) {
    let who = Who::member(OWNER);
    let network = made(server, &who, "networks", "network", json!({})).await;
    let ask = json!({"network_id": network, "ip_version": 4, "cidr": cidr});
    let subnet = made(server, &who, "subnets", "subnet", ask).await;
    (network, subnet)
}

/// The id of a new one.
pub async fn made(server: &TestServer, who: &Who, many: &str, one: &str, ask: Json) -> String {
    let reply = server.call(who, "POST", &format!("/v2.0/{many}"), Some(json!({one: ask}))).await;
    assert_eq!(reply.status, 201, "{many}: {}", reply.text);
    reply.json[one]["id"].as_str().unwrap().to_owned()
}

/// Runs a suite on a server without limits.
pub async fn serve(engine: Engine, suite: impl AsyncFnOnce(&TestServer)) {
    TestServer::with(engine, settings(), suite).await;
}
