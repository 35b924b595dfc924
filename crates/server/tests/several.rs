//! Three servers on one database and one real OVN. They are killed in turn, in the middle of what
//! they do; at the end nothing is lost, doubled or older than it should be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[allow(dead_code, reason = "other tests use the rest")]
mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use process::ovsdb::{Database, Northd, until};
use process::{Program, ask, get, nucleon};
use serde_json::{Value as Json, json};
use testkit::database::{Database as Stored, Engine};

testkit::on_each_engine!(servers_killed_in_mid_batch_leave_nothing_out_of_line);

/// Servers on one database.
const SERVERS: usize = 3;
/// Times that one of them is killed.
const DEATHS: usize = 6;
/// Callers at a time.
const CALLERS: usize = 4;
/// Ports that are made in one request, so that what is written to Northbound is a batch.
const BULK: usize = 25;

/// What all callers know: whom to ask, and what there is to change.
struct Common {
    network: String,
    group: String,
    servers: Mutex<Vec<SocketAddr>>,
    ports: Mutex<Vec<String>>,
    done: AtomicBool,
}

impl Common {
    /// Asks one of the servers; nobody answers when it is being killed.
    fn ask(&self, turn: usize, method: &'static str, path: &str, body: &Json) -> Option<Json> {
        let address = {
            let servers = self.servers.lock().unwrap();
            servers[turn % servers.len()]
        };
        let body = Some(body).filter(|body| !body.is_null());
        let (status, reply) = ask(address, method, &format!("/v2.0/{path}"), body)?;
        assert!(status < 500, "{method} {path}: {status} {reply}");
        (status < 300).then_some(reply)
    }

    /// A port that somebody made; two callers may have the same.
    fn port(&self, turn: usize) -> Option<String> {
        let ports = self.ports.lock().unwrap();
        ports.get(turn * 7919 % ports.len().max(1)).cloned()
    }

    /// Makes, changes and deletes until it is over.
    fn work(&self, caller: usize) {
        for round in 0.. {
            if self.done.load(Ordering::Relaxed) {
                return;
            }
            let turn = round * CALLERS + caller;
            if round % 5 == 0 {
                let port = json!({"network_id": self.network, "name": format!("new {turn}")});
                let body = json!({"ports": vec![port; BULK]});
                if let Some(made) = self.ask(turn, "POST", "ports", &body) {
                    let ids =
                        made["ports"].as_array().unwrap().iter().map(|port| text(&port["id"]));
                    self.ports.lock().unwrap().extend(ids);
                }
            } else if round % 5 == 4 {
                self.change_group(turn);
            } else if let Some(id) = self.port(turn) {
                let path = format!("ports/{id}");
                if turn.is_multiple_of(11) {
                    self.ask(turn, "DELETE", &path, &Json::Null);
                } else {
                    let body = json!({"port": {"name": format!("changed {turn}")}});
                    self.ask(turn, "PUT", &path, &body);
                    // The same thing at once through another server: the later one counts.
                    let body = json!({"port": {"name": format!("changed again {turn}")}});
                    self.ask(turn + 1, "PUT", &path, &body);
                }
            }
        }
    }

    /// A rule more, or the group under another name.
    fn change_group(&self, turn: usize) {
        let port = 1 + turn % 60_000;
        let rule = json!({"security_group_id": self.group, "direction": "ingress",
            "protocol": "tcp", "port_range_min": port, "port_range_max": port});
        self.ask(turn, "POST", "security-group-rules", &json!({ "security_group_rule": rule }));
        let body = json!({"security_group": {"name": format!("group {turn}")}});
        self.ask(turn, "PUT", &format!("security-groups/{}", self.group), &body);
    }
}

/// Ends the callers' work, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn text(value: &Json) -> String {
    value.as_str().unwrap().to_owned()
}

/// The servers' words, and where each has its log.
struct Site {
    homes: Vec<PathBuf>,
    arguments: Vec<String>,
}

impl Site {
    fn new(home: &Path, url: &str, nb: &Database, sb: &Database) -> Self {
        let homes = (0..SERVERS).map(|number| home.join(format!("server{number}"))).collect();
        let ovn = ["--ovn-nb".to_owned(), nb.remote(), "--ovn-sb".to_owned(), sb.remote()];
        let database = ["--database".to_owned(), url.to_owned()];
        let site = Self { homes, arguments: database.into_iter().chain(ovn).collect() };
        for home in &site.homes {
            std::fs::create_dir(home).unwrap();
        }
        site
    }

    fn start(&self, number: usize) -> Program {
        let unlimited = ["--quota", "port=-1,security_group_rule=-1"];
        let own = [&["--auth", "none", "--ovn-wait-ms", "0"], &unlimited[..]].concat();
        let all = own.into_iter().chain(self.arguments.iter().map(String::as_str));
        Program::start(&self.homes[number], &all.collect::<Vec<_>>())
    }

    /// `nucleon ovn audit`: whether it found nothing, and what it said.
    fn audit(&self) -> (bool, String) {
        let words = ["ovn", "audit"].into_iter();
        let all: Vec<_> = words.chain(self.arguments.iter().map(String::as_str)).collect();
        let done = nucleon(&self.homes[0], &all);
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

async fn servers_killed_in_mid_batch_leave_nothing_out_of_line(engine: Engine) {
    let stored = Stored::new(engine).await;
    let url = stored.url.clone();
    let done = tokio::task::spawn_blocking(move || live(&url)).await;
    stored.close().await;
    done.unwrap();
}

fn live(url: &str) {
    let home = tempfile::tempdir().unwrap();
    let (mut nb, mut sb) = (Database::new(home.path(), "nb"), Database::new(home.path(), "sb"));
    nb.start();
    sb.start();
    let _northd = Northd::start(&nb, &sb);
    let site = Site::new(home.path(), url, &nb, &sb);
    let mut programs: Vec<Program> = (0..SERVERS).map(|number| site.start(number)).collect();
    let common = furnish(&programs);
    std::thread::scope(|scope| {
        let over = Over(&common.done);
        for caller in 0..CALLERS {
            let common = &common;
            scope.spawn(move || common.work(caller));
        }
        for death in 0..DEATHS {
            std::thread::sleep(Duration::from_millis(400 + 137 * death as u64));
            let number = death % SERVERS;
            programs[number].kill();
            programs[number] = site.start(number);
            common.servers.lock().unwrap()[number] = programs[number].address();
        }
        drop(over);
    });
    let said = std::cell::RefCell::new(String::new());
    until("the audit finds nothing", || {
        let (is_clean, what) = site.audit();
        said.replace(what);
        is_clean
    });
    assert!(said.borrow().contains("no difference is left"), "{}", said.borrow());
    compare(&programs[1], &nb);
}

/// A network with room for many ports, and a group.
fn furnish(programs: &[Program]) -> Common {
    let make = |path: &str, one: &str, body: Json| {
        let body = json!({ one: body });
        let path = format!("/v2.0/{path}");
        let (status, made) = ask(programs[0].address(), "POST", &path, Some(&body)).unwrap();
        assert_eq!(status, 201, "{made}");
        text(&made[one]["id"])
    };
    let network = make("networks", "network", json!({"name": "n"}));
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16"});
    make("subnets", "subnet", subnet);
    Common {
        network,
        group: make("security-groups", "security_group", json!({"name": "g"})),
        servers: Mutex::new(programs.iter().map(Program::address).collect()),
        ports: Mutex::default(),
        done: AtomicBool::new(false),
    }
}

/// Without our own eyes: what the API shows is what `ovn-nbctl` shows, by id and name.
fn compare(program: &Program, nb: &Database) {
    let list = get(program.address(), "/v2.0/ports?limit=1000000").body;
    let list: Json = serde_json::from_str(&list).unwrap();
    let shown = list["ports"].as_array().unwrap();
    let shown: BTreeMap<String, String> =
        shown.iter().map(|port| (text(&port["id"]), text(&port["name"]))).collect();
    let words = ["--format=json", "--columns=name,external_ids", "list", "Logical_Switch_Port"];
    let rows: Json = serde_json::from_str(&nb.control(&words)).unwrap();
    let rows = rows["data"].as_array().unwrap();
    let there = rows.iter().map(|row| {
        let ids = row[1][1].as_array().unwrap().iter();
        let name = ids.clone().find(|pair| pair[0] == "neutron:port_name");
        (text(&row[0]), name.map(|pair| text(&pair[1])).unwrap_or_default())
    });
    let there: BTreeMap<String, String> = there.collect();
    assert_eq!(there.len(), rows.len(), "a port is there twice");
    assert_eq!(there, shown);
    assert!(shown.len() > 2 * BULK, "there was not much to do: {}", shown.len());
}
