//! Random histories: ports come up, go down, move, are disabled, hosts come and go, connections
//! break, servers die. When all is quiet each port has the status that Southbound and its binding
//! make of it, and Nova was told each change once. A failure prints its seed; `NUCLEON_SEED` plays
//! one history.

use std::time::{Duration, Instant};

use ovn::bind::Ovn;
use serde_json::{Value as Json, json};
use testkit::database::Engine;
use tokio::task::AbortHandle;

use crate::status::told;
use crate::world::{World, id, server_port};

const HOSTS: [&str; 3] = ["w1", "w22", "w333"];
const PORTS: usize = 4;
const STEPS: usize = 40;
const HISTORIES: u64 = 12;

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 16).unwrap() % end
    }
}

/// A port as it was left.
struct Port {
    id: String,
    host: usize,
    is_enabled: bool,
    /// Where OVN has it.
    up: Option<usize>,
}

struct History {
    world: World,
    dice: Dice,
    ports: Vec<Port>,
    came: [bool; HOSTS.len()],
    /// Another server on the same databases, in every second history.
    _other: Option<(Ovn, AbortOnDrop)>,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_history_ends_with_the_status_that_it_should() {
    let seeds = match std::env::var("NUCLEON_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=HISTORIES).collect(),
    };
    for seed in seeds {
        println!("NUCLEON_SEED={seed}");
        History::begin(seed).await.play().await;
    }
}

impl History {
    async fn begin(seed: u64) -> Self {
        let world = World::new(Engine::Sqlite).await;
        world.host(HOSTS[0], &[], &[]).await;
        let network = world.network(json!({})).await;
        let mut dice = Dice(seed);
        let mut ports = Vec::new();
        for _ in 0..PORTS {
            let host = dice.below(HOSTS.len());
            let port = world.port(server_port(&network, &hostname(host))).await;
            world.binding(&id(&port), "");
            ports.push(Port { id: id(&port), host, is_enabled: true, up: None });
        }
        let mut came = [false; HOSTS.len()];
        came[0] = true;
        let mut other = None;
        if seed.is_multiple_of(2) {
            let (ovn, watch) = world.another().await;
            other = Some((ovn, AbortOnDrop(watch)));
        }
        Self { world, dice, ports, came, _other: other }
    }

    async fn play(mut self) {
        for _ in 0..STEPS {
            self.step().await;
        }
        self.world.ovsdb.open();
        self.world.watch();
        for host in 0..HOSTS.len() {
            self.come(host).await;
        }
        for port in &self.ports {
            self.settles(port).await;
        }
    }

    async fn step(&mut self) {
        let (place, host) = (self.dice.below(PORTS), self.dice.below(HOSTS.len()));
        let path = format!("ports/{}", self.ports[place].id);
        match self.dice.below(12) {
            0..=3 if self.came[host] => {
                self.ports[place].up = Some(host);
                self.world.up(&self.ports[place].id, HOSTS[host]);
            }
            4 | 5 => {
                self.ports[place].up = None;
                self.world.down(&self.ports[place].id);
            }
            6 => {
                self.ports[place].host = host;
                let ask = json!({"binding:host_id": hostname(host)});
                self.world.ask("PUT", &path, "port", ask).await;
            }
            7 => {
                let is_enabled = !self.ports[place].is_enabled;
                self.ports[place].is_enabled = is_enabled;
                let ask = json!({"admin_state_up": is_enabled});
                self.world.ask("PUT", &path, "port", ask).await;
            }
            8 => self.come(host).await,
            9 => self.world.ovsdb.close(),
            10 => self.world.ovsdb.open(),
            _ => {
                if self.dice.below(2) == 0 {
                    self.world.blind()
                } else {
                    self.world.watch()
                }
            }
        }
        if self.dice.below(3) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn come(&mut self, host: usize) {
        if !std::mem::replace(&mut self.came[host], true) {
            self.world.ovsdb.open();
            self.world.host(HOSTS[host], &[], &[]).await;
        }
    }

    async fn settles(&self, port: &Port) {
        let wanted = match port.is_enabled && port.up == Some(port.host) {
            true => "ACTIVE",
            false => "DOWN",
        };
        let begin = Instant::now();
        let (mut shown, mut quiet) = (Json::Null, 0);
        // It has to stay so: a late hint must not undo it.
        while quiet < 3 {
            shown = self.world.shown(&port.id).await;
            let is_so = shown["status"] == wanted && shown["binding:vif_type"] == "ovs";
            quiet = if is_so { quiet + 1 } else { 0 };
            assert!(
                begin.elapsed() < Duration::from_secs(15),
                "{wanted}, up {:?}: {shown}",
                port.up
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let told = told(self.world.api().db(), &port.id).await;
        let turns = |pair: &[String]| pair[0] != pair[1];
        assert!(told.windows(2).all(turns), "each change is told once: {told:?}");
        let last = told.last().map_or("network-vif-unplugged", String::as_str);
        assert_eq!(last == "network-vif-plugged", shown["status"] == "ACTIVE", "{told:?}");
    }
}

fn hostname(host: usize) -> String {
    format!("{}.example", HOSTS[host])
}
