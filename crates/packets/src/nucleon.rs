//! The server under test, attached to the laboratory's OVN, and those who call it. It has no
//! callers to tell apart: everybody is an administrator of one project.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;

use crate::hypervisor::PHYSICAL_NETWORK;
use crate::lab::Lab;
use crate::patience::{PATIENCE, until};
use crate::program::{Program, attempt};

/// The domain of the names of ports.
pub const DOMAIN: &str = "cloud.test";

/// The project of every caller.
const PROJECT: &str = "packets";

/// What every caller may: what an administrator may, whose roles Keystone completes so, and what
/// Nova may.
const ROLES: &str = "admin,manager,member,reader,service";

/// The server, running. Killed when it is dropped.
#[derive(Debug)]
pub struct Nucleon {
    /// Who calls it.
    pub client: Client,
    binary: PathBuf,
    directory: PathBuf,
    attached: Vec<String>,
    more: Vec<String>,
    program: Option<Program>,
}

impl Nucleon {
    /// Starts `BINARY serve` on a fresh database.
    ///
    /// # Panics
    /// If it does not listen before long.
    pub fn start(lab: &Lab, binary: &str) -> Self {
        Self::with(lab, binary, &[])
    }

    /// Starts `BINARY serve` on a fresh database, with these words more.
    ///
    /// # Panics
    /// If it does not listen before long.
    pub fn with(lab: &Lab, binary: &str, more: &[String]) -> Self {
        let (nb, sb) = (lab.central.northbound.remotes(), lab.central.southbound.remotes());
        let directory = lab.directory.join("nucleon");
        std::fs::create_dir(&directory).unwrap();
        let database = format!("sqlite:{}", directory.join("nucleon.db").display());
        let attached = ["--database", &database, "--ovn-nb", &nb, "--ovn-sb", &sb];
        let network = ["--dns-domain", DOMAIN, "--vlan-ranges", PHYSICAL_NETWORK];
        let attached = attached.into_iter().chain(network).map(str::to_owned).collect();
        let client = Client { address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let more = more.to_vec();
        let mut nucleon =
            Self { client, binary: binary.into(), directory, attached, more, program: None };
        nucleon.restart();
        nucleon
    }

    /// Kills it.
    ///
    /// # Panics
    /// If it is not running.
    pub fn stop(&mut self) {
        self.program.take().unwrap().kill();
    }

    /// Kills it if it is running, and starts it again on its database.
    ///
    /// # Panics
    /// If it does not listen before long.
    pub fn restart(&mut self) {
        drop(self.program.take());
        let binary = self.binary.display().to_string();
        let mut words = vec![binary.as_str(), "serve", "--listen", "127.0.0.1:0"];
        words.extend(["--auth", "none", "--quota", "port=-1"]);
        words.extend(self.attached.iter().chain(&self.more).map(String::as_str));
        // A log for each start: the address is looked for in it.
        let _ = std::fs::remove_file(self.directory.join("nucleon.log"));
        let mut program = Program::start(&self.directory, "nucleon", &words);
        let (address, _) = until("a listening server", || {
            program.assert_running();
            let log = program.log();
            let url = log.lines().find_map(|line| line.strip_prefix("listening on "))?;
            url.split_once("://")?.1.trim().parse().ok()
        });
        self.client.address = address;
        self.program = Some(program);
    }

    /// Runs another command of the program, `ovn audit` for instance, on the same configuration:
    /// what it printed.
    ///
    /// # Errors
    /// If it failed: what it said.
    pub fn command(&self, words: &[&str]) -> Result<String, String> {
        let binary = self.binary.display().to_string();
        let mut all = vec![binary.as_str()];
        all.extend(words);
        all.extend(self.attached.iter().map(String::as_str));
        attempt(&all)
    }

    /// What it has said.
    ///
    /// # Panics
    /// If it is not running.
    pub fn log(&self) -> String {
        self.program.as_ref().unwrap().log()
    }
}

impl Drop for Nucleon {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(program) = &self.program
        {
            eprintln!("the server said:\n{}", program.log());
        }
    }
}

/// One who calls the server.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    /// Makes one thing: `create("network", json!({…}))` answers the network.
    ///
    /// # Panics
    /// If it is refused.
    pub fn create(&self, kind: &str, body: Json) -> Json {
        self.create_in(&format!("{kind}s"), kind, body)
    }

    /// As [`Client::create`], in a collection that is part of something: `ports/ID/bindings`.
    ///
    /// # Panics
    /// If it is refused.
    pub fn create_in(&self, path: &str, kind: &str, body: Json) -> Json {
        let path = path.replace('_', "-");
        let body = serde_json::json!({ kind: body });
        let (status, reply) = self.call("POST", &path, Some(&body));
        assert!((200..300).contains(&status), "POST {path} {body}: {status} {reply}");
        reply[kind].clone()
    }

    /// Changes one thing.
    ///
    /// # Panics
    /// If it is refused.
    pub fn update(&self, kind: &str, id: &str, body: Json) -> Json {
        let path = format!("{kind}s/{id}").replace('_', "-");
        let body = serde_json::json!({ kind: body });
        let (status, reply) = self.call("PUT", &path, Some(&body));
        assert_eq!(status, 200, "PUT {path} {body}: {reply}");
        reply[kind].clone()
    }

    /// Shows one thing.
    ///
    /// # Panics
    /// If it is not there.
    pub fn show(&self, kind: &str, id: &str) -> Json {
        let path = format!("{kind}s/{id}").replace('_', "-");
        let (status, reply) = self.call("GET", &path, None);
        assert_eq!(status, 200, "GET {path}: {reply}");
        reply[kind].clone()
    }

    /// Everything that the path with its query finds, for instance `ports?name=a`.
    ///
    /// # Panics
    /// If it is refused.
    pub fn list(&self, path: &str) -> Vec<Json> {
        let (collection, query) = path.split_once('?').unwrap_or((path, ""));
        let path = format!("{}?{query}", collection.replace('_', "-"));
        let (status, reply) = self.call("GET", &path, None);
        assert_eq!(status, 200, "GET {path}: {reply}");
        let body = reply.as_object().unwrap().values().find_map(Json::as_array);
        body.unwrap().clone()
    }

    /// Deletes one thing.
    ///
    /// # Panics
    /// If it is refused.
    pub fn delete(&self, kind: &str, id: &str) {
        let path = format!("{kind}s/{id}").replace('_', "-");
        let (status, reply) = self.call("DELETE", &path, None);
        assert_eq!(status, 204, "DELETE {path}: {reply}");
    }

    /// Waits until the status of a port is this one, and says how long.
    ///
    /// # Panics
    /// If it does not become so.
    pub fn wait_for_status(&self, port: &str, status: &str) -> Duration {
        let what = format!("status {status} of port {port}");
        until(&what, || (self.show("port", port)["status"] == status).then_some(())).1
    }

    /// Calls the server: the status and the body.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn call(&self, method: &str, path: &str, body: Option<&Json>) -> (u16, Json) {
        self.attempt(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Calls the server: the status and the body.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn attempt(
        &self,
        method: &str,
        path: &str,
        body: Option<&Json>,
    ) -> std::io::Result<(u16, Json)> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.map(Json::to_string).unwrap_or_default();
        let length = body.len();
        write!(
            stream,
            "{method} /v2.0/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             X-Project-Id: {PROJECT}\r\nX-User-Id: {PROJECT}\r\nX-Roles: {ROLES}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        parse(&String::from_utf8_lossy(&reply))
            .ok_or_else(|| std::io::Error::other("the reply is no HTTP"))
    }
}

/// The status and the body of a reply.
fn parse(reply: &str) -> Option<(u16, Json)> {
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { join_chunks(body)? } else { body.to_owned() };
    Some((status, serde_json::from_str(&body).unwrap_or_default()))
}

/// A long list comes in chunks, each after a line with its length.
fn join_chunks(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = body.split_once("\r\n")?;
        let length = usize::from_str_radix(length.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        let (chunk, rest) = rest.split_at_checked(length)?;
        whole.push_str(chunk);
        body = rest.strip_prefix("\r\n")?;
    }
}
