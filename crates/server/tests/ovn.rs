//! The program with OVN's databases: it serves without them, brings them in line when they come,
//! and says what differs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[allow(dead_code)] // Not every test program needs all of it.
mod process;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use process::{Program, get, nucleon};

/// One of OVN's databases, served by a real `ovsdb-server`.
struct Database {
    name: &'static str,
    directory: PathBuf,
    child: Option<Child>,
}

impl Database {
    fn new(directory: &Path, name: &'static str) -> Self {
        let made = Command::new("ovsdb-tool")
            .arg("create")
            .arg(directory.join(name))
            .arg(format!("/usr/share/ovn/ovn-{name}.ovsschema"))
            .status();
        assert!(made.expect("the package ovn-central").success());
        Self { name, directory: directory.to_owned(), child: None }
    }

    fn remote(&self) -> String {
        format!("unix:{}", self.directory.join(self.name).with_extension("sock").display())
    }

    fn start(&mut self) {
        let child = Command::new("ovsdb-server")
            .arg(format!("--remote=p{}", self.remote()))
            .args(["--no-chdir", "--unixctl=none"])
            .arg(self.directory.join(self.name))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Does something as an operator does it.
    fn control(&self, arguments: &[&str]) -> String {
        let program = format!("ovn-{}ctl", self.name);
        let done = Command::new(program)
            .arg(format!("--db={}", self.remote()))
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn post(program: &Program, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(program.address()).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// Until it is so.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn it_serves_while_ovn_is_away_and_says_what_differs_until_nothing_does() {
    let home = tempfile::tempdir().unwrap();
    let (mut nb, mut sb) = (Database::new(home.path(), "nb"), Database::new(home.path(), "sb"));
    let (nb_remote, sb_remote) = (nb.remote(), sb.remote());
    let ovn = ["--ovn-nb", &nb_remote, "--ovn-sb", &sb_remote];
    let look = |what: &str| nucleon(home.path(), &[&["ovn", what], &ovn[..]].concat());

    let program = Program::start(home.path(), &[&["--auth", "none"], &ovn[..]].concat());
    let body = r#"{"network": {"name": "first"}}"#;
    let begun = Instant::now();
    let made = post(&program, "/v2.0/networks", body);
    assert!(made.contains(" 201 "), "{made}");
    assert!(begun.elapsed() < Duration::from_millis(450), "it waited for who is not there");

    nb.start();
    sb.start();
    until("the network comes when OVN does", || {
        text(&look("audit")).contains("no difference is left")
    });
    assert!(nb.control(&["ls-list"]).contains("neutron-"));
    let metrics = get(program.address(), "/metrics").body;
    assert!(metrics.contains("nucleon_ovn_northbound_connected 1"), "{metrics}");
    assert!(metrics.contains("nucleon_ovn_units_total"), "{metrics}");

    // Somebody renames it while nobody looks.
    program.stop();
    let switch = nb.control(&["--bare", "--columns=name", "find", "Logical_Switch"]);
    let renamed = r#"external_ids:"neutron:network_name"=x"#;
    nb.control(&["set", "Logical_Switch", switch.trim(), renamed]);
    nb.control(&["pg-del", "neutron_pg_drop"]);
    let diff = look("diff");
    assert!(!diff.status.success());
    let said = text(&diff);
    assert!(said.contains(r#""neutron:network_name": "x""#) && said.contains("first"), "{said}");
    assert!(said.contains("Port_Group neutron_pg_drop: is missing"), "{said}");
    assert!(!look("audit").status.success());

    let program = Program::start(home.path(), &[&["--auth", "none"], &ovn[..]].concat());
    until("what differs is mended", || look("diff").status.success());
    assert!(program.stop().success());
}

#[test]
fn looking_at_ovn_without_its_address_says_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let output = nucleon(home.path(), &["ovn", "audit"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--ovn-nb"), "{said}");
}
