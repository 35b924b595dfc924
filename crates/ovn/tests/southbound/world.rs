//! A server of the API, with both databases of OVN in the process, and hands that do there what
//! `ovn-northd` and `ovn-controller` would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::settings::Settings;
use ovn::bind::{Binding, Ovn};
use ovn::liveness::Liveness;
use ovn::watch::Watch;
use ovn::{owned, sb};
use ovsdb::client::{Client, Options};
use ovsdb::remote::Remote;
use ovsdb::server::Server;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use testkit::server::{Reply, TestServer, Who};
use tokio::task::AbortHandle;

const SOUTHBOUND: &str = "OVN_Southbound";
const NORTHBOUND: &str = "OVN_Northbound";

/// Where Debian's `ovn-common` has the schemas.
const SCHEMAS: [&str; 2] = ["/usr/share/ovn/ovn-nb.ovsschema", "/usr/share/ovn/ovn-sb.ovsschema"];

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// All of it.
pub struct World {
    pub ovsdb: Server,
    api: Option<TestServer>,
    pub ovn: Ovn,
    watch: Option<AbortHandle>,
    numbers: AtomicU64,
}

impl World {
    /// A cloud without hosts.
    pub async fn new(engine: Engine) -> Self {
        let read = |path: &str| {
            let text = std::fs::read_to_string(path);
            let text = text.unwrap_or_else(|error| panic!("{path} is needed: {error}"));
            serde_json::from_str::<Json>(&text).unwrap()
        };
        let ovsdb = Server::start(SCHEMAS.map(read)).unwrap();
        let global = json!({"op": "insert", "table": "NB_Global", "row": {"nb_cfg": 7}});
        ovsdb.edit(NORTHBOUND, &[global]);
        let global = json!({"op": "insert", "table": "SB_Global", "row": {"nb_cfg": 7}});
        ovsdb.edit(SOUTHBOUND, &[global]);
        let ovn = connect(&ovsdb).await;
        let api = TestServer::on(engine, settings(), || Box::new(ovn.clone())).await;
        let mut world =
            Self { ovsdb, api: Some(api), ovn, watch: None, numbers: AtomicU64::new(1) };
        world.watch();
        world
    }

    /// The server of the API.
    pub fn api(&self) -> &TestServer {
        self.api.as_ref().unwrap()
    }

    /// Another server's connections, with which it follows Southbound too.
    pub async fn another(&self) -> (Ovn, AbortHandle) {
        let ovn = connect(&self.ovsdb).await;
        let watch = Watch::new(self.api().db().clone(), Arc::new(settings()), ovn.clone());
        (ovn, tokio::spawn(watch.run()).abort_handle())
    }

    /// Begins to follow Southbound, in place of who did so before.
    pub fn watch(&mut self) {
        let settings = Arc::new(settings());
        let watch = Watch::new(self.api().db().clone(), settings, self.ovn.clone());
        self.blind();
        self.watch = Some(tokio::spawn(watch.run()).abort_handle());
    }

    /// Ends following Southbound, as with `kill -9`.
    pub fn blind(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Json>) -> Reply {
        let mut who = Who::admin();
        // Bindings are the hypervisor's, whose role is another.
        who.roles = "admin,manager,member,reader,service";
        self.api().call(&who, method, &format!("/v2.0/{path}"), body).await
    }

    /// Another one each time.
    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// What a request makes, or what it shows.
    pub async fn ask(&self, method: &str, path: &str, one: &str, body: Json) -> Json {
        let body = Some(json!({ one: body })).filter(|_| method != "GET");
        let reply = self.call(method, path, body).await;
        assert!(reply.status < 300, "{method} {path}: {}", reply.text);
        reply.json[one].clone()
    }

    /// A network.
    pub async fn network(&self, ask: Json) -> String {
        id(&self.ask("POST", "networks", "network", ask).await)
    }

    /// A port.
    pub async fn port(&self, ask: Json) -> Json {
        self.ask("POST", "ports", "port", ask).await
    }

    /// A port as it is now.
    pub async fn shown(&self, port_id: &str) -> Json {
        self.ask("GET", &format!("ports/{port_id}"), "port", Json::Null).await
    }

    /// Waits until an attribute of a port is so.
    pub async fn becomes(&self, port_id: &str, attribute: &str, value: Json) -> Json {
        let begin = Instant::now();
        loop {
            let port = self.shown(port_id).await;
            if port[attribute] == value {
                return port;
            }
            assert!(begin.elapsed() < PATIENCE, "{attribute} stays {}: {port}", port[attribute]);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the replica shows what was edited.
    pub async fn sees(&self, so: impl Fn(&ovsdb::replica::Replica) -> bool) {
        let (begin, client) = (Instant::now(), self.ovn.southbound());
        while !client.read().is_some_and(|replica| so(&replica)) {
            assert!(begin.elapsed() < PATIENCE, "the replica does not show it");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn southbound(&self, operations: &[Json]) {
        let results = self.ovsdb.edit(SOUTHBOUND, operations);
        let results = results.as_array().unwrap();
        assert!(results.iter().all(|one| one.get("error").is_none()), "{results:?}");
    }

    pub fn northbound_cfg(&self) -> i64 {
        let rows = self.ovsdb.rows(NORTHBOUND, "NB_Global");
        let row = rows.values().next().unwrap();
        row.iter()
            .find(|(name, _)| *name == "nb_cfg")
            .unwrap()
            .1
            .as_one()
            .unwrap()
            .as_integer()
            .unwrap()
    }

    /// What `Chassis_Private` has of a host under a key.
    pub fn external_id(&self, name: &str, key: &str) -> Option<String> {
        let rows = self.ovsdb.rows(SOUTHBOUND, "Chassis_Private");
        let is_it = |columns: &&BTreeMap<String, ovsdb::value::Datum>| {
            columns["name"].as_one().and_then(|atom| atom.as_str()) == Some(name)
        };
        rows.values().find(is_it)?["external_ids"].text_at(key).map(str::to_owned)
    }

    /// A host comes: `name`, with `name.example` as its host.
    pub async fn host(&self, name: &str, config: &[(&str, &str)], ids: &[(&str, &str)]) {
        let common = [("port-up-notif", "true"), ("iface-types", "geneve,internal")];
        let config: BTreeMap<&str, &str> = common.iter().chain(config).copied().collect();
        let config: Vec<Json> = config.iter().map(|(key, value)| json!([key, value])).collect();
        let ids: Vec<Json> = ids.iter().map(|(key, value)| json!([key, value])).collect();
        let now = jiff::Timestamp::now().as_millisecond();
        self.southbound(&[
            json!({"op": "insert", "table": "Encap", "uuid-name": "encap", "row":
                {"type": "geneve", "ip": format!("192.0.2.{}", self.number()),
                 "chassis_name": name}}),
            json!({"op": "insert", "table": "Chassis", "uuid-name": "chassis", "row":
                {"name": name, "hostname": format!("{name}.example"),
                 "encaps": ["named-uuid", "encap"], "other_config": ["map", config]}}),
            json!({"op": "insert", "table": "Chassis_Private", "row":
                {"name": name, "chassis": ["named-uuid", "chassis"], "nb_cfg": 7,
                 "nb_cfg_timestamp": now, "external_ids": ["map", ids]}}),
        ]);
        self.sees(|sb| sb::named(sb, name).is_some()).await;
    }

    /// A host reports that it has come to a configuration.
    pub fn reports(&self, name: &str, nb_cfg: i64, at_ms: i64) {
        self.southbound(&[json!({"op": "update", "table": "Chassis_Private",
            "where": [["name", "==", name]],
            "row": {"nb_cfg": nb_cfg, "nb_cfg_timestamp": at_ms}})]);
    }

    fn chassis(&self, name: &str) -> Json {
        let select = json!({"op": "select", "table": "Chassis", "columns": ["_uuid"],
            "where": [["name", "==", name]]});
        let results = self.ovsdb.edit(SOUTHBOUND, &[select]);
        results[0]["rows"][0]["_uuid"].clone()
    }

    /// `ovn-northd` makes the port known to the hosts.
    pub fn binding(&self, port_id: &str, kind: &str) {
        self.southbound(&[
            json!({"op": "insert", "table": "Datapath_Binding", "uuid-name": "switch",
                "row": {"tunnel_key": self.number()}}),
            json!({"op": "insert", "table": "Port_Binding", "row":
                {"logical_port": port_id, "type": kind, "tunnel_key": 1,
                 "datapath": ["named-uuid", "switch"]}}),
        ]);
    }

    fn set(&self, port_id: &str, row: &Json) {
        self.southbound(&[json!({"op": "update", "table": "Port_Binding",
            "where": [["logical_port", "==", port_id]], "row": row})]);
    }

    /// A host has the port, and its flows.
    pub fn up(&self, port_id: &str, host: &str) {
        self.set(port_id, &json!({"chassis": self.chassis(host), "up": true}));
    }

    /// No host has the port.
    pub fn down(&self, port_id: &str) {
        self.set(port_id, &json!({"chassis": ["set", []], "up": false}));
    }

    /// A host has the device of the port, which is on another still.
    pub fn arrives(&self, port_id: &str, host: Option<&str>) {
        let chassis = host.map_or(json!(["set", []]), |host| self.chassis(host));
        self.set(port_id, &json!({ "additional_chassis": chassis }));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.blind();
        let Some(api) = self.api.take() else { return };
        // A runtime of its own: the test's does not wait for anything any more.
        let closing = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(api.close());
        });
        assert!(closing.join().is_ok() || std::thread::panicking(), "the database stays");
    }
}

async fn connect(ovsdb: &Server) -> Ovn {
    let remotes = || Remote::parse_list(ovsdb.remote()).unwrap();
    let backoff = (Duration::from_millis(10), Duration::from_millis(50));
    let nb = Client::start(Options {
        tables: owned::monitored(),
        indexes: owned::indexes(),
        backoff,
        ..Options::new(remotes(), NORTHBOUND)
    });
    let sb = Client::start(Options { backoff, ..sb::options(remotes(), None) });
    nb.connected().await;
    sb.connected().await;
    Ovn::new(sb, Liveness::new(nb), Binding::default())
}

/// The id of what is shown.
pub fn id(shown: &Json) -> String {
    shown["id"].as_str().unwrap().to_owned()
}

/// A server's port on a host.
pub fn server_port(network: &str, host: &str) -> Json {
    json!({
        "network_id": network, "binding:host_id": host, "device_owner": "compute:nova",
        "device_id": "5d1e6b5e-8d0c-4f0e-9a53-1f5f6c2b7a01",
    })
}

fn settings() -> Settings {
    Settings { notify_nova: true, metadata_ports: true, ..Settings::default() }
}
