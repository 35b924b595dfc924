//! Servers for the client: the real `ovsdb-server` on a socket in a directory of its own, and the
//! one in the process. A behaviour that is written in `both!` is asked of each. (The servers are
//! held against each other without a client in `tests/server`.)

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ovsdb::client::{Client, Monitored, Options};
use ovsdb::remote::Remote;
use tempfile::TempDir;

/// Northbound's schema as Debian installs it.
pub const NORTHBOUND: &str = "/usr/share/ovn/ovn-nb.ovsschema";

/// Tables and columns to follow.
pub type Tables = &'static [(&'static str, &'static [&'static str])];

/// A running server with an empty Northbound.
pub enum House {
    /// `ovsdb-server` of Open vSwitch, without a cluster.
    Real { directory: TempDir, process: Option<Process> },
    /// Ours.
    #[cfg(feature = "server")]
    InProcess(ovsdb::server::Server),
}

/// A process that does not outlive the test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a server had at some time.
pub enum Backup {
    Real(Vec<u8>),
    #[cfg(feature = "server")]
    InProcess(ovsdb::server::Backup),
}

impl House {
    pub fn real() -> Self {
        let directory = tempfile::tempdir().unwrap();
        run("ovsdb-tool", &["create", &text(&directory.path().join("db")), NORTHBOUND]);
        let mut house = Self::Real { directory, process: None };
        house.up();
        house
    }

    #[cfg(feature = "server")]
    pub fn in_process() -> Self {
        let schema = serde_json::from_slice(&std::fs::read(NORTHBOUND).unwrap()).unwrap();
        Self::InProcess(ovsdb::server::Server::start([schema]).unwrap())
    }

    pub fn remote(&self) -> Remote {
        match self {
            Self::Real { directory, .. } => Remote::Unix(directory.path().join("socket")),
            #[cfg(feature = "server")]
            Self::InProcess(server) => Remote::parse(server.remote()).unwrap(),
        }
    }

    /// Options for this server, quicker than usual.
    pub fn options(&self, tables: Tables) -> Options {
        options(vec![self.remote()], tables)
    }

    /// A client in step.
    pub async fn client(&self, tables: Tables) -> Client {
        let client = Client::start(self.options(tables));
        soon("the client connects", client.connected()).await;
        client
    }

    /// The server goes away.
    pub fn down(&mut self) {
        match self {
            Self::Real { process, .. } => *process = None,
            #[cfg(feature = "server")]
            Self::InProcess(server) => server.close(),
        }
    }

    /// The server comes back with what it had.
    pub fn up(&mut self) {
        match self {
            Self::Real { directory, process } => {
                let socket = directory.path().join("socket");
                let _ = std::fs::remove_file(&socket);
                let at = |name: &str| text(&directory.path().join(name));
                let remote = format!("--remote=punix:{}", text(&socket));
                let control = format!("--unixctl={}", at("control"));
                *process = Some(server(&[&remote, &control, &at("db")]));
                wait_for(&socket);
            }
            #[cfg(feature = "server")]
            Self::InProcess(server) => server.open(),
        }
    }

    /// What the server has now.
    pub fn backup(&self) -> Backup {
        match self {
            Self::Real { directory, .. } => {
                Backup::Real(std::fs::read(directory.path().join("db")).unwrap())
            }
            #[cfg(feature = "server")]
            Self::InProcess(server) => Backup::InProcess(server.backup("OVN_Northbound").unwrap()),
        }
    }

    /// The server restarts with what it had then.
    pub fn restore(&mut self, backup: Backup) {
        self.down();
        match (&self, backup) {
            (Self::Real { directory, .. }, Backup::Real(bytes)) => {
                std::fs::write(directory.path().join("db"), bytes).unwrap();
            }
            #[cfg(feature = "server")]
            (Self::InProcess(server), Backup::InProcess(backup)) => server.restore(&backup),
            #[cfg(feature = "server")]
            _ => panic!("a backup of another server"),
        }
        self.up();
    }

    /// All connections break; the server stays.
    pub fn drop_connections(&self) {
        match self {
            Self::Real { directory, .. } => {
                let control = text(&directory.path().join("control"));
                run("ovs-appctl", &["-t", &control, "ovsdb-server/reconnect"]);
            }
            #[cfg(feature = "server")]
            Self::InProcess(server) => server.drop_connections(),
        }
    }
}

/// Options for a Northbound, quicker than usual.
pub fn options(remotes: Vec<Remote>, tables: Tables) -> Options {
    let tables = tables
        .iter()
        .map(|(table, columns)| Monitored { table, columns, condition: Vec::new() })
        .collect();
    Options {
        tables,
        backoff: (Duration::from_millis(20), Duration::from_millis(200)),
        ..Options::new(remotes, "OVN_Northbound")
    }
}

/// Starts `ovsdb-server` quietly.
pub fn server(arguments: &[&str]) -> Process {
    let quiet = ["-vconsole:off", "-vsyslog:off", "-vfile:off", "--no-chdir"];
    let child = Command::new("ovsdb-server")
        .args(quiet)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ovsdb-server is installed (Debian: openvswitch-switch, ovn-common)");
    Process(child)
}

/// Runs a command that must succeed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Waits until there is such a file.
pub fn wait_for(path: &Path) {
    let until = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < until, "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What must happen within a while.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap_or_else(|_| panic!("not within 20 s: {what}"))
}

/// Asks again and again until it is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    soon(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Behaviours, each asked of every server: `both! { async fn a_sentence(house: House) { … } }`.
macro_rules! both {
    ($(async fn $name:ident($house:ident: House) $body:block)*) => {
        $(async fn $name(#[allow(unused_mut)] mut $house: crate::house::House) $body)*

        mod real {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::house::House::real()).await;
                }
            )*
        }

        #[cfg(feature = "server")]
        mod in_process {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::house::House::in_process()).await;
                }
            )*
        }
    };
}
