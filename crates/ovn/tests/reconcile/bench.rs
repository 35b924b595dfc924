//! An API, a Northbound, and a reconciler between them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::settings::Settings as Choices;
use ovn::audit::Audit;
use ovn::chance::{Chance, Real};
use ovn::counters::Counters;
use ovn::facts::Facts;
use ovn::reconcile::{Reconciler, Settings, Settled};
use ovn::{nb, owned};
use ovsdb::client::{Client, Options};
use ovsdb::remote::Remote;
use ovsdb::row::Row;
use ovsdb::server::Server;
use serde_json::{Value as Json, json};
use sql::{Committed, Db, dirty};
use testkit::database::Engine;
use testkit::server::{TestServer, Who};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;
use wire::ctx::Ctx;
use wire::types::Id;

const NORTHBOUND: &str = "OVN_Northbound";
const SCHEMA: &str = "/usr/share/ovn/ovn-nb.ovsschema";

/// The schema of the installed OVN.
pub fn schema() -> Json {
    let text = std::fs::read_to_string(SCHEMA).expect("the package ovn-central");
    serde_json::from_str(&text).unwrap()
}

/// A Northbound database.
pub enum Northbound {
    InProcess(Server),
    Real { child: Child, directory: tempfile::TempDir },
}

impl Northbound {
    pub fn in_process(schema: Json) -> Self {
        Self::InProcess(Server::start([schema]).unwrap())
    }

    pub fn real() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (file, socket) = (directory.path().join("nb.db"), directory.path().join("nb.sock"));
        let made = Command::new("ovsdb-tool").arg("create").arg(&file).arg(SCHEMA).status();
        assert!(made.expect("the package openvswitch-common").success());
        let child = Command::new("ovsdb-server")
            .arg(format!("--remote=punix:{}", socket.display()))
            .args(["--no-chdir", "--unixctl=none"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&socket);
        Self::Real { child, directory }
    }

    pub fn server(&self) -> &Server {
        match self {
            Self::InProcess(server) => server,
            Self::Real { .. } => panic!("a real server cannot be told to fail"),
        }
    }

    fn remote(&self) -> String {
        match self {
            Self::InProcess(server) => server.remote().to_owned(),
            Self::Real { directory, .. } => {
                format!("unix:{}", directory.path().join("nb.sock").display())
            }
        }
    }
}

impl Drop for Northbound {
    fn drop(&mut self) {
        if let Self::Real { child, .. } = self {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn wait_for(socket: &Path) {
    let begun = Instant::now();
    while !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "ovsdb-server does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub struct Bench {
    pub api: TestServer,
    pub northbound: Northbound,
    pub client: Client,
    pub counters: Counters,
    pub settled: Arc<Settled>,
    facts: watch::Sender<Option<Arc<Facts>>>,
    task: JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bench {
    pub async fn start(northbound: Northbound) -> Self {
        Self::with(northbound, Settings::default(), Arc::new(Real)).await
    }

    pub async fn with(northbound: Northbound, settings: Settings, chance: Arc<dyn Chance>) -> Self {
        let api = TestServer::new(Engine::Sqlite, Choices::default()).await;
        let mut options =
            Options::new(Remote::parse_list(&northbound.remote()).unwrap(), NORTHBOUND);
        options.tables = owned::monitored();
        options.indexes = owned::indexes();
        let client = Client::start(options);
        let (facts, known) = watch::channel(Some(Arc::new(Facts::default())));
        let reconciler = Reconciler::new(api.db().clone(), client.clone(), known, settings, chance);
        let (counters, settled) = (reconciler.counters(), reconciler.settled());
        let task = tokio::spawn(reconciler.run());
        Self { api, northbound, client, counters, settled, facts, task }
    }

    pub fn db(&self) -> &Db {
        self.api.db()
    }

    pub async fn call(&self, method: &str, path: &str, body: Json) -> Json {
        let body = Some(body).filter(|body| !body.is_null());
        self.api.call(&Who::admin(), method, &format!("/v2.0/{path}"), body).await.json
    }

    pub async fn create(&self, one: &str, body: Json) -> String {
        let reply = self.call("POST", &format!("{one}s"), json!({ one: body })).await;
        reply[one]["id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    pub async fn network(&self, name: &str) -> String {
        self.create("network", json!({ "name": name })).await
    }

    /// A network, and what its commit marked.
    pub async fn commit_network(&self) -> (String, Committed) {
        let mut commits = self.db().marks();
        let network = self.network("n").await;
        loop {
            let committed = commits.recv().await.unwrap();
            if committed.marks.iter().any(|mark| mark.id.to_string() == network) {
                return (network, committed);
            }
        }
    }

    /// Until nothing is different and no mark of a change is left.
    pub async fn in_line(&self) {
        self.client.connected().await;
        let facts = self.facts.borrow().clone().unwrap();
        let audit = Audit { db: self.db().clone(), nb: self.client.clone(), facts };
        let begun = Instant::now();
        loop {
            let ctx = Ctx::system(Timestamp::now());
            let backlog = self.db().read(&ctx, async |tx| dirty::backlog(&tx).await).await.unwrap();
            let findings = audit.compare(&audit.units().await.unwrap()).await.unwrap();
            if backlog.0 == 0 && findings.is_empty() && self.counters.audits.get() > 0 {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{backlog:?} {findings:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn count(&self, table: &str) -> usize {
        self.client.read().map_or(0, |replica| replica.count(table))
    }

    pub fn uuid_of_switch(&self, network: &str) -> Uuid {
        let row = nb::switch(Id::read(network).unwrap());
        owned::find(&self.client.read().unwrap(), &row).unwrap()
    }

    pub fn switch(&self, network: &str) -> Arc<Row> {
        let uuid = self.uuid_of_switch(network);
        self.client.read().unwrap().row("Logical_Switch", uuid).unwrap().clone()
    }

    pub fn uuid_of_port(&self, port: &str) -> Option<Uuid> {
        let row = nb::port(Id::read(port).unwrap());
        owned::find(&self.client.read().unwrap(), &row)
    }

    pub fn has_port(&self, port: &str) -> bool {
        self.uuid_of_port(port).is_some()
    }
}
