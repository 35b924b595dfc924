//! OVN central: the Northbound and the Southbound database, each one server or a RAFT cluster, and
//! `ovn-northd` between them.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::patience::{until, within};
use crate::program::{Program, attempt, run, words};

/// How many times the databases may elect before we give up; an election takes a second or two.
const ELECTION: std::time::Duration = std::time::Duration::from_secs(20);

/// Where Debian's packages have the schemas.
const SCHEMAS: &str = "/usr/share/ovn";

/// OVN central, running.
#[derive(Debug)]
pub struct Central {
    /// What the operator wants.
    pub northbound: Database,
    /// What the hypervisors do.
    pub southbound: Database,
    _northd: Program,
}

impl Central {
    /// Starts each database on that many servers, on addresses from this one, and `ovn-northd`.
    pub(crate) fn start(directory: &Path, address: Ipv4Addr, servers: usize) -> Self {
        let database = |schema, file, port| Database::start(directory, address, schema, file, port);
        let mut northbound = database("OVN_Northbound", "nb", 6641);
        let mut southbound = database("OVN_Southbound", "sb", 6642);
        northbound.grow(servers);
        southbound.grow(servers);
        northbound.control("ovn-nbctl", "init");
        southbound.control("ovn-sbctl", "init");
        let nb = format!("--ovnnb-db={}", northbound.sockets());
        let sb = format!("--ovnsb-db={}", southbound.sockets());
        let control = format!("--unixctl={}", directory.join("northd.ctl").display());
        let northd = Program::start(directory, "northd", &["ovn-northd", &nb, &sb, &control]);
        Self { northbound, southbound, _northd: northd }
    }

    /// `ovn-nbctl LINE`, words as a shell splits them.
    ///
    /// # Panics
    /// If it fails.
    pub fn nbctl(&self, line: &str) -> String {
        self.northbound.control("ovn-nbctl", line)
    }

    /// `ovn-sbctl LINE`, words as a shell splits them.
    ///
    /// # Panics
    /// If it fails.
    pub fn sbctl(&self, line: &str) -> String {
        self.southbound.control("ovn-sbctl", line)
    }

    /// Waits until every hypervisor has installed what Northbound says now.
    ///
    /// # Panics
    /// If one does not.
    pub fn settle(&self) {
        self.nbctl("--timeout=20 --wait=hv sync");
    }
}

/// One of the two databases.
#[derive(Debug)]
pub struct Database {
    schema: &'static str,
    file: &'static str,
    directory: PathBuf,
    address: Ipv4Addr,
    port: u16,
    clustered: bool,
    servers: Vec<Option<Program>>,
}

impl Database {
    fn start(
        directory: &Path,
        address: Ipv4Addr,
        schema: &'static str,
        file: &'static str,
        port: u16,
    ) -> Self {
        Self {
            schema,
            file,
            directory: directory.to_owned(),
            address,
            port,
            clustered: false,
            servers: Vec::new(),
        }
    }

    /// Starts the servers, one by one if there are several, as a cluster is made.
    fn grow(&mut self, servers: usize) {
        self.clustered = servers > 1;
        let schema = format!("{SCHEMAS}/ovn-{}.ovsschema", self.file);
        for index in 0..servers {
            let file = self.path(index, "db");
            let own = self.member(index);
            let first = self.member(0);
            match (servers, index) {
                (1, _) => run(&["ovsdb-tool", "create", &file, &schema]),
                (_, 0) => run(&["ovsdb-tool", "create-cluster", &file, &schema, &own]),
                _ => run(&["ovsdb-tool", "join-cluster", &file, self.schema, &own, &first]),
            };
            self.servers.push(None);
            self.restart(index);
        }
    }

    /// Starts a server that is not there.
    ///
    /// # Panics
    /// If it does not come up, or does not find its cluster again.
    pub fn restart(&mut self, index: usize) {
        assert!(self.servers[index].is_none(), "server {index} is running");
        let _ = fs::remove_file(self.path(index, "sock"));
        let socket = format!("--remote=punix:{}", self.path(index, "sock"));
        let listen = format!("--remote=ptcp:{}:{}", self.port, self.host(index));
        let control = format!("--unixctl={}", self.path(index, "ctl"));
        let file = self.path(index, "db");
        let words = ["ovsdb-server", &socket, &listen, &control, &file];
        let name = format!("{}{index}", self.file);
        self.servers[index] = Some(Program::start(&self.directory, &name, &words));
        let socket = format!("unix:{}", self.path(index, "sock"));
        let ready = ["ovsdb-client", "-t", "10", "wait", &socket, self.schema, "connected"];
        until(&format!("{name} in service"), || attempt(&ready).ok());
    }

    /// A copy of the database as it is now.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn back_up(&self) -> Vec<u8> {
        fs::read(self.path(0, "db")).unwrap()
    }

    /// Puts a copy in the place of a database whose server is not running.
    ///
    /// # Panics
    /// If it is, or is one of several, which would know better.
    pub fn restore(&self, copy: Vec<u8>) {
        assert!(self.servers[0].is_none() && !self.clustered);
        fs::write(self.path(0, "db"), copy).unwrap();
    }

    /// Kills a server, without warning.
    ///
    /// # Panics
    /// If it is not running.
    pub fn kill(&mut self, index: usize) {
        self.servers[index].take().unwrap().kill();
    }

    /// The server that leads its cluster.
    ///
    /// # Panics
    /// If none does so for long.
    pub fn leader(&self) -> usize {
        let leads = |index: &usize| {
            let control = self.path(*index, "ctl");
            let ask = ["ovs-appctl", "-T", "2", "-t", &control, "cluster/status", self.schema];
            attempt(&ask).is_ok_and(|status| status.contains("Role: leader"))
        };
        let running = || (0..self.servers.len()).filter(|it| self.servers[*it].is_some());
        let what = format!("a leader of {}", self.schema);
        within(ELECTION, &what, || running().find(leads)).0
    }

    /// Where the host reaches the servers, with commas: `tcp:127.1.2.3:6641,…`.
    pub fn remotes(&self) -> String {
        let remote = |index| format!("tcp:{}:{}", self.host(index), self.port);
        (0..self.servers.len()).map(remote).collect::<Vec<_>>().join(",")
    }

    /// Where anybody reaches them, since files have no namespace: `unix:PATH,…`.
    pub fn sockets(&self) -> String {
        let remote = |index| format!("unix:{}", self.path(index, "sock"));
        (0..self.servers.len()).map(remote).collect::<Vec<_>>().join(",")
    }

    fn control(&self, program: &str, line: &str) -> String {
        // These programs try the first remote only, and only the leader can be written to.
        let server = if self.clustered { self.leader() } else { 0 };
        let database = format!("--db=unix:{}", self.path(server, "sock"));
        let line = words(line);
        let mut all = vec![program, &database];
        all.extend(line.iter().map(String::as_str));
        run(&all)
    }

    fn host(&self, index: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() + u32::try_from(index).unwrap())
    }

    /// Where the server talks to the other members.
    fn member(&self, index: usize) -> String {
        format!("tcp:{}:{}", self.host(index), self.port + 2)
    }

    fn path(&self, index: usize, ending: &str) -> String {
        self.directory.join(format!("{}{index}.{ending}", self.file)).display().to_string()
    }
}
