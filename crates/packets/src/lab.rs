//! The laboratory: OVN central, hypervisors, and the wires between them; and its end.

use std::cell::Cell;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::central::Central;
use crate::guest::Guest;
use crate::hypervisor::Hypervisor;
use crate::leftover::{PREFIX, claim, reap};
use crate::namespace::Namespace;
use crate::patience::until;

/// One laboratory per process: its addresses come from the process id.
static ONE: Mutex<()> = Mutex::new(());

/// Everything, running. All of it ends with this value; after a failure the logs stay for an hour.
#[derive(Debug)]
pub struct Lab {
    /// OVN's databases.
    pub central: Central,
    /// The hypervisors, `hv1` first.
    pub hypervisors: Vec<Hypervisor>,
    /// Where this laboratory has its files.
    pub directory: PathBuf,
    guests: Cell<usize>,
    _underlay: Namespace,
    _one: MutexGuard<'static, ()>,
}

/// How large a laboratory is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many hypervisors.
    pub hypervisors: u8,
    /// How many servers each database has: 1, or 3 for a RAFT cluster.
    pub servers: usize,
}

impl Lab {
    /// Two hypervisors, each database on one server.
    ///
    /// # Panics
    /// If anything is missing: a program, or the right to make network namespaces.
    pub fn start() -> Self {
        Self::of(Size { hypervisors: 2, servers: 1 })
    }

    /// One of this size; returns when every hypervisor is known to OVN.
    ///
    /// # Panics
    /// If anything is missing: a program, or the right to make network namespaces.
    pub fn of(size: Size) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        reap();
        let directory = fresh_directory();
        let underlay = underlay(&directory);
        let central = Central::start(&directory, loopback(), size.servers);
        let sb = central.southbound.sockets();
        let start = |number| Hypervisor::start(&directory, &underlay, number, &sb);
        let hypervisors: Vec<_> = (1..=size.hypervisors).map(start).collect();
        let lab = Self {
            central,
            hypervisors,
            directory,
            guests: Cell::new(0),
            _underlay: underlay,
            _one: one,
        };
        until("chassis of every hypervisor", || {
            let names = lab.central.sbctl("--bare --columns=name list Chassis");
            (names.split_whitespace().count() == usize::from(size.hypervisors)).then_some(())
        });
        lab
    }

    /// A guest with this hardware address, plugged into nothing yet.
    pub fn guest(&self, mac: &str) -> Guest {
        self.guests.set(self.guests.get() + 1);
        Guest::new(&self.directory, &format!("guest{}", self.guests.get()), mac)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the logs are in {}", self.directory.display());
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

fn fresh_directory() -> PathBuf {
    let name = format!("{PREFIX}{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    // Left by an earlier process with this number, or by an earlier test of this one.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    claim(&directory);
    directory
}

/// The network between the hypervisors: one bridge for tunnels, one for provider networks.
fn underlay(directory: &Path) -> Namespace {
    let underlay = Namespace::new(directory, "underlay");
    for bridge in ["underlay", "provider"] {
        underlay.ip(&format!("link add {bridge} type bridge mcast_snooping 0"));
        underlay.ip(&format!("link set {bridge} up"));
    }
    underlay
}

/// The first of four loopback addresses that are this process's alone: no port is taken there.
fn loopback() -> Ipv4Addr {
    Ipv4Addr::from_bits(0x7f00_0000 | std::process::id() << 2 & 0x00ff_ffff)
}
