//! OVN's databases, served by the real `ovsdb-server`, and the real `ovn-northd` between them.
#![allow(dead_code)] // Not every test program needs all of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// One of OVN's databases, served by a real `ovsdb-server`.
pub struct Database {
    name: &'static str,
    directory: PathBuf,
    child: Option<Child>,
}

impl Database {
    pub fn new(directory: &Path, name: &'static str) -> Self {
        let made = Command::new("ovsdb-tool")
            .arg("create")
            .arg(directory.join(name))
            .arg(format!("/usr/share/ovn/ovn-{name}.ovsschema"))
            .status();
        assert!(made.expect("the package ovn-central").success());
        Self { name, directory: directory.to_owned(), child: None }
    }

    pub fn remote(&self) -> String {
        format!("unix:{}", self.directory.join(self.name).with_extension("sock").display())
    }

    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// With these words more for `ovsdb-server`.
    pub fn start_with(&mut self, more: &[String]) {
        let child = Command::new("ovsdb-server")
            .arg(format!("--remote=p{}", self.remote()))
            .args(more)
            .args(["--no-chdir", "--unixctl=none"])
            .arg(self.directory.join(self.name))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Does something as an operator does it.
    pub fn control(&self, arguments: &[&str]) -> String {
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

/// `ovn-northd`, running. Killed when it is dropped.
pub struct Northd(Child);

impl Northd {
    pub fn start(nb: &Database, sb: &Database) -> Self {
        let child = Command::new("ovn-northd")
            .arg(format!("--ovnnb-db={}", nb.remote()))
            .arg(format!("--ovnsb-db={}", sb.remote()))
            .arg(format!("--unixctl={}", nb.directory.join("northd.ctl").display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the package ovn-central"))
    }
}

impl Drop for Northd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Until it is so.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
