//! A guest: a namespace that is nobody's hypervisor, with one interface in use. How it gets its
//! addresses is in `dhcp4`, `dhcp6` and `advertise`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::namespace::Namespace;
use crate::patience::within;
use crate::pings::Pings;

/// The interface that the guest uses.
pub const INTERFACE: &str = "eth0";

/// The interface that waits on the hypervisor to which the guest will move.
const WAITING: &str = "eth1";

/// How long a guest waits for the echo of one ping. Far more than it takes on one machine.
const ECHO: &str = "0.2";

/// How long a guest waits for a connection; not so long that the kernel tries a second time.
const CONNECT: Duration = Duration::from_millis(200);

/// A machine that is plugged into a hypervisor.
#[derive(Debug)]
pub struct Guest {
    /// What sends and receives.
    pub space: Namespace,
    /// The hardware address of its interface.
    pub mac: String,
    /// The longest packet.
    pub mtu: u32,
    directory: std::path::PathBuf,
}

impl Guest {
    /// One without an interface yet.
    pub(crate) fn new(parent: &Path, name: &str, mac: &str) -> Self {
        let directory = parent.join(name);
        std::fs::create_dir(&directory).unwrap();
        let space = Namespace::new(&directory, "own");
        for scope in ["all", "default"] {
            // No wait for a neighbour with the same address: a test asks at once.
            space.set(&format!("ipv6/conf/{scope}/accept_dad"), "0");
        }
        Self { space, mac: mac.to_owned(), mtu: 1442, directory }
    }

    /// Adds an address with its prefix length to the interface.
    ///
    /// # Panics
    /// If it cannot be added.
    pub fn add_address(&self, address: &str) {
        self.space.ip(&format!("address add {address} dev {INTERFACE}"));
    }

    /// The addresses of this scope that the interface has, with their prefix lengths.
    ///
    /// # Panics
    /// If there is no interface.
    pub fn addresses(&self, scope: &str) -> Vec<String> {
        let shown = self.space.ip(&format!("-o address show dev {INTERFACE} scope {scope}"));
        let address = |line: &str| line.split_whitespace().nth(3).map(str::to_owned);
        shown.lines().filter_map(address).collect()
    }

    /// Has the interface this address?
    ///
    /// # Panics
    /// If there is no interface.
    pub fn has(&self, address: IpAddr) -> bool {
        let own =
            |it: &String| it.split('/').next().and_then(|it| it.parse().ok()) == Some(address);
        self.addresses("global").iter().any(own)
    }

    /// Does one ping get its echo?
    pub fn reaches(&self, address: IpAddr) -> bool {
        let address = address.to_string();
        self.space.attempt(&["ping", "-n", "-q", "-c1", "-W", ECHO, &address]).is_ok()
    }

    /// Does one ping get its echo when it is sent from this address?
    pub fn reaches_from(&self, source: IpAddr, address: IpAddr) -> bool {
        let (source, address) = (source.to_string(), address.to_string());
        self.space
            .attempt(&["ping", "-n", "-q", "-c1", "-W", ECHO, "-I", &source, &address])
            .is_ok()
    }

    /// Pings until there is an echo, and says how long that took.
    ///
    /// # Panics
    /// If there is none within this time.
    pub fn wait_to_reach(&self, address: IpAddr, bound: Duration) -> Duration {
        let what = format!("echo from {address}");
        within(bound, &what, || self.reaches(address).then_some(())).1
    }

    /// Pings until there is no echo any more, and says when the first was sent that got none.
    ///
    /// # Panics
    /// If there still is one after this time.
    pub fn wait_to_lose(&self, address: IpAddr, bound: Duration) -> Duration {
        let began = Instant::now();
        let ask = || {
            let sent = began.elapsed();
            (!self.reaches(address)).then_some(sent)
        };
        within(bound, &format!("silence of {address}"), ask).0
    }

    /// Listens for connections, which the kernel takes even if nobody accepts them.
    ///
    /// # Panics
    /// If somebody does already.
    pub fn listen(&self, port: u16) -> TcpListener {
        self.space.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))).unwrap()
    }

    /// Is a connection to this port taken?
    pub fn connects(&self, address: IpAddr, port: u16) -> bool {
        let there = SocketAddr::new(address, port);
        self.space.enter(|| TcpStream::connect_timeout(&there, CONNECT).is_ok())
    }

    /// How many pings it has received so far, answered or not.
    ///
    /// # Panics
    /// If the kernel does not count them.
    pub fn pings_received(&self) -> u64 {
        let counters = self.space.run(&["cat", "/proc/net/snmp"]);
        let mut lines = counters.lines().filter(|line| line.starts_with("Icmp: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let column = names.split(' ').position(|name| name == "InEchos").unwrap();
        values.split(' ').nth(column).unwrap().parse().unwrap()
    }

    /// Gives the interface another hardware address than its port has.
    ///
    /// # Panics
    /// If it cannot be changed.
    pub fn pretend(&self, mac: &str) {
        self.space.ip(&format!("link set {INTERFACE} address {mac}"));
    }

    /// Tells the guest a neighbour's hardware address for good: it does not have to ask, which the
    /// kernel does once a second only.
    ///
    /// # Panics
    /// If there is no interface.
    pub fn learn(&self, address: IpAddr, mac: &str) {
        self.space.ip(&format!("neighbour replace {address} lladdr {mac} dev {INTERFACE}"));
    }

    /// Pings all the time, until it is asked how that went.
    pub fn ping(&self, address: IpAddr) -> Pings {
        Pings::start(&self.directory, &self.space, address)
    }

    /// Goes on with the interface that waits, its addresses and all: the guest has moved.
    ///
    /// # Panics
    /// If no interface waits.
    pub fn change_interface(&self) {
        let mut lines = vec![
            format!("link set {INTERFACE} down"),
            format!("link set {INTERFACE} name left0"),
            format!("link set {WAITING} name {INTERFACE}"),
            format!("link set {INTERFACE} up"),
        ];
        let addresses = self.addresses("global");
        // The kernel takes IPv6 addresses away with the link; the IPv4 ones are taken here.
        lines.insert(0, format!("address flush dev {INTERFACE}"));
        lines.extend(addresses.iter().map(|it| format!("address add {it} dev {INTERFACE}")));
        lines.push(broadcast_route());
        let batch = self.directory.join("batch");
        std::fs::write(&batch, lines.join("\n")).unwrap();
        self.space.run(&["ip", "-batch", &batch.display().to_string()]);
    }

    /// The address by which everything on the link finds this guest.
    pub fn link_local(&self) -> Ipv6Addr {
        interface_identifier(&self.mac, "fe80::".parse().unwrap())
    }

    /// Where an interface goes that is plugged in now.
    pub(crate) fn next_interface(&self) -> &'static str {
        match self.space.attempt(&["ip", "link", "show", INTERFACE]) {
            Ok(_) => WAITING,
            Err(_) => INTERFACE,
        }
    }

    pub(crate) fn switch_on(&self) {
        self.space.ip(&format!("link set {INTERFACE} up"));
        self.space.ip(&broadcast_route());
    }
}

/// Without an address nothing has a route, and a DHCP client begins without one.
fn broadcast_route() -> String {
    format!("route replace 255.255.255.255/32 dev {INTERFACE}")
}

/// The address that an interface makes itself in this prefix of 64 bits (RFC 4291, appendix A).
///
/// # Panics
/// If the hardware address is none.
pub fn interface_identifier(mac: &str, prefix: Ipv6Addr) -> Ipv6Addr {
    let mac: Vec<u8> = mac.split(':').map(|it| u8::from_str_radix(it, 16).unwrap()).collect();
    let mut octets = prefix.octets();
    octets[8..].copy_from_slice(&[mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]]);
    octets.into()
}
