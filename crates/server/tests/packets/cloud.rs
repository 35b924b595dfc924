//! A cloud for one test: the laboratory, the server attached to it, and what one asks of both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use packets::guest::Guest;
use packets::lab::{Lab, Size};
use packets::nucleon::{Client, Nucleon};
use packets::patience::until;
use serde_json::{Value as Json, json};

/// As long as an effect may take that the API has promised.
pub const MOMENT: Duration = Duration::from_secs(1);

/// As long as something may take that is not what the test is about.
pub const WHILE: Duration = Duration::from_secs(10);

pub struct Cloud {
    pub nucleon: Nucleon,
    pub lab: Lab,
}

/// A port, as the server described it when it was made.
pub struct Port {
    pub id: String,
    pub mac: String,
    pub addresses: Vec<IpAddr>,
}

impl Cloud {
    pub fn start() -> Self {
        Self::of(Size { hypervisors: 2, servers: 1 })
    }

    pub fn of(size: Size) -> Self {
        Self::with(size, &[])
    }

    /// With these words more for the server.
    pub fn with(size: Size, more: &[String]) -> Self {
        let lab = Lab::of(size);
        let nucleon = Nucleon::with(&lab, env!("CARGO_BIN_EXE_nucleon"), more);
        let cloud = Self { nucleon, lab };
        // A server that has just begun may not have seen every hypervisor yet.
        until("agents of the hypervisors", || {
            (cloud.living_agents() >= size.hypervisors.into()).then_some(())
        });
        cloud
    }

    pub fn client(&self) -> Client {
        self.nucleon.client
    }

    /// How many hypervisors the API shows alive.
    pub fn living_agents(&self) -> usize {
        let agents = self.client().list("agents");
        let controller = |it: &&Json| it["binary"] == "ovn-controller" && it["alive"] == true;
        agents.iter().filter(controller).count()
    }

    /// Compares all of OVN with what is stored, until there is no difference: what is said then.
    pub fn audit(&self) -> String {
        let audit = || self.nucleon.command(&["ovn", "audit"]).ok();
        until("an audit without a difference", audit).0.trim().to_owned()
    }

    /// A network of guests.
    pub fn network(&self) -> String {
        id(&self.client().create("network", json!({"name": "guests"})))
    }

    pub fn subnet(&self, network: &str, cidr: &str) -> Json {
        self.subnet_with(network, cidr, json!({}))
    }

    /// A subnet with more attributes than those every subnet needs.
    pub fn subnet_with(&self, network: &str, cidr: &str, more: Json) -> Json {
        let version = if cidr.contains(':') { 6 } else { 4 };
        let body = json!({"network_id": network, "cidr": cidr, "ip_version": version});
        self.client().create("subnet", merged(body, more))
    }

    /// A port on the hypervisor of this number, from 0.
    pub fn port(&self, network: &str, hypervisor: usize) -> Port {
        self.port_with(network, hypervisor, json!({}))
    }

    /// A port with more attributes than those every port here has.
    pub fn port_with(&self, network: &str, hypervisor: usize, more: Json) -> Port {
        let body = json!({
            "network_id": network,
            "binding:host_id": self.lab.hypervisors[hypervisor].name,
            "device_owner": "compute:nova",
            "device_id": "9d8b5e5c-6a39-4d5d-bd4e-2e1bcb0c4a01",
        });
        let port = self.client().create("port", merged(body, more));
        let ips = port["fixed_ips"].as_array().unwrap().iter();
        let addresses = ips.map(|it| it["ip_address"].as_str().unwrap().parse().unwrap()).collect();
        Port { id: id(&port), mac: port["mac_address"].as_str().unwrap().to_owned(), addresses }
    }

    /// A guest on this port, there and with its IPv4 address.
    pub fn guest(&self, port: &Port, hypervisor: usize) -> Guest {
        let guest = self.plug(port, hypervisor);
        assert_eq!(guest.dhcp4().address, port.v4());
        guest
    }

    /// A guest on this port that has done nothing yet.
    pub fn plug(&self, port: &Port, hypervisor: usize) -> Guest {
        let guest = self.lab.guest(&port.mac);
        self.lab.hypervisors[hypervisor].plug(&guest, &port.id);
        guest
    }

    /// A security group that lets nothing in.
    pub fn closed_group(&self) -> String {
        id(&self.client().create("security_group", json!({"name": "closed"})))
    }

    /// Lets something in: the rule's id.
    pub fn let_in(&self, group: &str, what: Json) -> String {
        let body = json!({"security_group_id": group, "direction": "ingress"});
        id(&self.client().create("security_group_rule", merged(body, what)))
    }

    /// A security group that lets pings in, whoever sends them.
    pub fn pingable_group(&self) -> String {
        let group = self.closed_group();
        self.let_in(&group, json!({"protocol": "icmp", "ethertype": "IPv4"}));
        group
    }
}

impl Port {
    pub fn v4(&self) -> Ipv4Addr {
        let v4 = |it: &IpAddr| if let IpAddr::V4(it) = it { Some(*it) } else { None };
        self.addresses.iter().find_map(v4).expect("an IPv4 address")
    }

    pub fn v6(&self) -> Ipv6Addr {
        let v6 = |it: &IpAddr| if let IpAddr::V6(it) = it { Some(*it) } else { None };
        self.addresses.iter().find_map(v6).expect("an IPv6 address")
    }
}

pub fn id(thing: &Json) -> String {
    thing["id"].as_str().unwrap().to_owned()
}

fn merged(mut body: Json, more: Json) -> Json {
    let Json::Object(more) = more else { panic!("{more} is no object") };
    body.as_object_mut().unwrap().extend(more);
    body
}

/// Tells threads to stop when the test goes on without them, or fails.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
