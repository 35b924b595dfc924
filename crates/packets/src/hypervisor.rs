//! A hypervisor: a namespace with Open vSwitch and `ovn-controller`, and the places where guests
//! are plugged in. Which port is bound here is said by the interface, as `nova-compute` says it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::guest::{Guest, INTERFACE};
use crate::namespace::Namespace;
use crate::patience::until;
use crate::program::{Program, run, words};

/// The physical network that every hypervisor is attached to, for provider networks.
pub const PHYSICAL_NETWORK: &str = "physnet1";

/// A hypervisor, running.
#[derive(Debug)]
pub struct Hypervisor {
    /// Its name: its host name, and the name of its chassis.
    pub name: String,
    /// Where it has its files.
    pub directory: PathBuf,
    /// What its programs and its switch are in.
    pub space: Namespace,
    controller: Option<Program>,
    _switch: Program,
    _database: Program,
}

impl Hypervisor {
    /// Starts one and attaches it to the underlay, as the machine of that number.
    pub(crate) fn start(parent: &Path, underlay: &Namespace, number: u8, sb: &str) -> Self {
        let name = format!("hv{number}");
        let directory = parent.join(&name);
        fs::create_dir(&directory).unwrap();
        let space = Namespace::new(&directory, "own");
        // The guests' interfaces carry the guests' packets and none of this machine's.
        space.set("ipv6/conf/default/disable_ipv6", "1");
        attach(underlay, &space, number, "phy", "underlay");
        attach(underlay, &space, number, "ext", "provider");

        let file = path(&directory, "conf.db");
        run(&["ovsdb-tool", "create", &file, "/usr/share/openvswitch/vswitch.ovsschema"]);
        let listen = format!("--remote=punix:{}", path(&directory, "db.sock"));
        let control = format!("--unixctl={}", path(&directory, "database.ctl"));
        let words = ["ovsdb-server", &listen, &control, &file];
        let database = Program::start(&directory, "database", &space.words(&words));
        let socket = format!("unix:{}", path(&directory, "db.sock"));
        let vsctl = |line: &str| vsctl(&socket, line);
        until("the switch's database", || {
            fs::exists(path(&directory, "db.sock")).ok()?.then_some(())
        });
        vsctl("--no-wait init");
        let control = format!("--unixctl={}", path(&directory, "switch.ctl"));
        let words = ["ovs-vswitchd", &control, &socket];
        let switch = Program::start(&directory, "switch", &space.words(&words));

        vsctl("add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy phy0");
        vsctl("add-br br-ext -- set bridge br-ext datapath_type=netdev -- add-port br-ext ext0");
        vsctl("add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure");
        let own = format!("192.0.2.{number}");
        // With the tunnel's address on a bridge, the switch sends the outer packets itself.
        space.ip(&format!("address add {own}/24 dev br-phy"));
        space.ip("link set br-phy up");
        vsctl(&format!(
            "set open_vswitch . external_ids:system-id={name} external_ids:hostname={name} \
             external_ids:ovn-remote=\"{sb}\" external_ids:ovn-encap-type=geneve \
             external_ids:ovn-encap-ip={own} external_ids:ovn-bridge-datapath-type=netdev \
             external_ids:ovn-bridge-mappings={PHYSICAL_NETWORK}:br-ext \
             external_ids:ovn-cms-options=\"availability-zones=nova\" \
             external_ids:ovn-monitor-all=true"
        ));
        let mut it =
            Self { name, directory, space, controller: None, _switch: switch, _database: database };
        it.start_controller();
        it
    }

    /// Starts `ovn-controller` if it is not there.
    pub fn start_controller(&mut self) {
        if self.controller.is_none() {
            let database = self.database();
            let words = ["ovn-controller", &database];
            let words = self.space.words(&words);
            self.controller = Some(Program::start(&self.directory, "controller", &words));
        }
    }

    /// Ends `ovn-controller` as an operator does: it takes its chassis with it.
    ///
    /// # Panics
    /// If it is not running.
    pub fn stop_controller(&mut self) {
        let controller = self.controller.take().unwrap();
        // A signal would end it too, but not make it tidy up.
        let control = format!("ovn-controller.{}.ctl", controller.id());
        run(&["ovn-appctl", "-t", &path(&self.directory, &control), "exit"]);
        controller.wait();
    }

    /// Kills `ovn-controller`; its chassis stays in Southbound and says nothing any more.
    ///
    /// # Panics
    /// If it is not running.
    pub fn kill_controller(&mut self) {
        self.controller.take().unwrap().kill();
    }

    /// Gives the guest an interface here, for this port. A guest that had one elsewhere keeps it
    /// until [`Guest::change_interface`].
    ///
    /// # Panics
    /// If it cannot be done.
    pub fn plug(&self, guest: &Guest, port: &str) {
        let (tap, inner) = (tap(port), guest.next_interface());
        let (mac, mtu, id) = (&guest.mac, guest.mtu, guest.space.id());
        let inner_end = format!("name {inner} address {mac} mtu {mtu} netns {id}");
        self.space.ip(&format!("link add {tap} mtu {mtu} type veth peer {inner_end}"));
        // A virtual wire carries no checksums unless told to, and a tunnel must have them.
        self.space.run(&["ethtool", "-K", &tap, "tx", "off"]);
        guest.space.run(&["ethtool", "-K", inner, "tx", "off"]);
        self.space.ip(&format!("link set {tap} up"));
        if inner == INTERFACE {
            guest.switch_on();
        }
        self.vsctl(&format!(
            "add-port br-int {tap} -- set interface {tap} external_ids:iface-id={port} \
             external_ids:iface-status=active external_ids:vm-uuid={port}"
        ));
    }

    /// Takes the port's interface away, from the switch and from the guest.
    ///
    /// # Panics
    /// If it is not here.
    pub fn unplug(&self, port: &str) {
        let tap = tap(port);
        self.vsctl(&format!("del-port br-int {tap}"));
        self.space.ip(&format!("link delete {tap}"));
    }

    /// Announces a guest that has just arrived, as its hypervisor does at the end of a migration:
    /// a reverse ARP request with the guest's address, from its own interface.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn announce(&self, port: &str, mac: &str) {
        let mac = mac.replace(':', "");
        let addresses = format!("{mac}00000000{mac}00000000");
        let padding = "00".repeat(18);
        let packet = format!("packet=ffffffffffff{mac}80350001080006040003{addresses}{padding}");
        let bridge = path(&self.directory, "br-int.mgmt");
        let from = format!("in_port={},{packet},actions=table", self.openflow(port));
        run(&["ovs-ofctl", "-O", "OpenFlow15", "packet-out", &format!("unix:{bridge}"), &from]);
    }

    /// `ovs-vsctl LINE`, words as a shell splits them; waits until the switch has done it.
    ///
    /// # Panics
    /// If it fails.
    pub fn vsctl(&self, line: &str) -> String {
        vsctl(&self.database(), line)
    }

    fn openflow(&self, port: &str) -> String {
        self.vsctl(&format!("get interface {} ofport", tap(port))).trim().to_owned()
    }

    /// Where its switch is told what to do: `unix:PATH`.
    pub fn database(&self) -> String {
        format!("unix:{}", path(&self.directory, "db.sock"))
    }
}

/// A wire between the machine and one of the bridges of the underlay.
fn attach(underlay: &Namespace, space: &Namespace, number: u8, name: &str, bridge: &str) {
    let id = space.id();
    underlay.ip(&format!("link add {name}{number} type veth peer name {name}0 netns {id}"));
    underlay.ip(&format!("link set {name}{number} master {bridge} up"));
    space.ip(&format!("link set {name}0 up"));
    space.run(&["ethtool", "-K", &format!("{name}0"), "tx", "off"]);
}

/// The name that Nova gives to the interface of a port.
fn tap(port: &str) -> String {
    format!("tap{}", &port[..port.len().min(11)])
}

fn vsctl(socket: &str, line: &str) -> String {
    let database = format!("--db={socket}");
    let line = words(line);
    let mut all = vec!["ovs-vsctl", "--timeout=20", &database];
    all.extend(line.iter().map(String::as_str));
    run(&all)
}

fn path(directory: &Path, file: &str) -> String {
    directory.join(file).display().to_string()
}
