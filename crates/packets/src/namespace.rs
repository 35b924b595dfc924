//! A network namespace: a machine of its own, as far as packets are concerned.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::patience::until;
use crate::program::{Program, attempt, run};

/// It has no name and is gone with this value: a sleeping process holds it.
#[derive(Debug)]
pub struct Namespace {
    holder: Program,
    flag: String,
    handle: File,
}

impl Namespace {
    /// An empty one, its loopback up.
    ///
    /// # Panics
    /// Without root.
    pub fn new(directory: &Path, name: &str) -> Self {
        let hold = ["unshare", "--net", "sleep", "infinity"];
        let holder = Program::start(directory, &format!("{name}-namespace"), &hold);
        let path = format!("/proc/{}/ns/net", holder.id());
        let host = fs::read_link("/proc/self/ns/net").unwrap();
        until("a network namespace, for which root is needed", || {
            fs::read_link(&path).is_ok_and(|own| own != host).then_some(())
        });
        let handle = File::open(&path).unwrap();
        let space = Self { holder, flag: format!("--net={path}"), handle };
        space.ip("link set lo up");
        space
    }

    /// A process that is in it; `ip link … netns ID` takes it as the namespace's name.
    pub fn id(&self) -> u32 {
        self.holder.id()
    }

    /// The command, with what makes it run in here.
    pub fn words<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        [&["nsenter", &self.flag][..], command].concat()
    }

    /// Runs a command in here and returns what it printed.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&self, command: &[&str]) -> String {
        run(&self.words(command))
    }

    /// Runs a command in here: what it printed, or what it said when it failed.
    ///
    /// # Errors
    /// If it fails.
    pub fn attempt(&self, command: &[&str]) -> Result<String, String> {
        attempt(&self.words(command))
    }

    /// `ip LINE` in here.
    ///
    /// # Panics
    /// If it fails.
    pub fn ip(&self, line: &str) -> String {
        let words: Vec<&str> = ["ip"].into_iter().chain(line.split_whitespace()).collect();
        self.run(&words)
    }

    /// Does work on a thread that is in here: its sockets are this machine's.
    ///
    /// # Panics
    /// If the work does.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.handle.as_fd(), kind).unwrap();
            work()
        };
        let outcome = thread::scope(|scope| scope.spawn(inside).join());
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Sets `net.PATH`, its dots as slashes.
    ///
    /// # Panics
    /// If there is no such setting.
    pub fn set(&self, path: &str, value: &str) {
        self.enter(|| fs::write(format!("/proc/sys/net/{path}"), value)).unwrap();
    }
}
