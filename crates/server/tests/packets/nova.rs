//! Nova is told that a port is plugged when its flows are there, not before, and whoever dies
//! meanwhile. A Nova and a Keystone that speak the real protocol write down what they hear.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use packets::lab::Size;
use packets::patience::until;
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, Port};

const PLUGGED: &str = "network-vif-plugged";

/// As long as we wait for what must not come.
const SILENCE: Duration = Duration::from_millis(1500);

/// Both services.
#[derive(Clone)]
struct Services {
    address: String,
    password: Arc<tempfile::NamedTempFile>,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    events: Vec<(Json, Instant)>,
    /// Nova is not well.
    broken: bool,
}

impl Services {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut password = tempfile::NamedTempFile::new().unwrap();
        writeln!(password, "secret").unwrap();
        let it = Self { address, password: password.into(), heard: Arc::default() };
        let serving = it.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                // The server keeps its connections.
                thread::spawn(move || while serving.answer(stream.as_ref().unwrap()).is_some() {});
            }
        });
        it
    }

    /// Words for the server that is to tell this Nova.
    fn words(&self) -> Vec<String> {
        let password = self.password.path().display().to_string();
        let url = format!("http://{}", self.address);
        let keystone = ["--keystone-password-file", &password, "--keystone-url", &url];
        let nova = ["--notify-nova", "--allow-plaintext", "--nova-url", &url];
        keystone.into_iter().chain(nova).map(str::to_owned).collect()
    }

    /// One request and its answer; `None` at the end of the connection.
    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).ok()?;
        let (status, reply) = match head.split(' ').nth(1).unwrap() {
            path if path.contains("/auth/tokens") => (201, token()),
            path if path.ends_with("/os-server-external-events") => {
                self.take(&serde_json::from_slice(&body).unwrap())
            }
            path => panic!("nobody serves {path}"),
        };
        let reply = reply.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} It\r\nX-Subject-Token: t\r\nContent-Length: {}\r\n\
             Content-Type: application/json\r\n\r\n{reply}",
            reply.len()
        )
        .ok()
    }

    fn take(&self, asked: &Json) -> (u16, Json) {
        let mut heard = self.heard.lock().unwrap();
        if heard.broken {
            return (503, json!({}));
        }
        let mut events = asked["events"].as_array().unwrap().clone();
        heard.events.extend(events.iter().map(|event| (event.clone(), Instant::now())));
        for event in &mut events {
            event["code"] = json!(200);
        }
        (200, json!({ "events": events }))
    }

    fn set_broken(&self, broken: bool) {
        self.heard.lock().unwrap().broken = broken;
    }

    /// How often this was heard of the port, and when first.
    fn heard(&self, name: &str, port: &Port) -> (usize, Option<Instant>) {
        let heard = self.heard.lock().unwrap();
        let is_it = |event: &Json| event["name"] == name && event["tag"] == *port.id;
        let mut all = heard.events.iter().filter(|(event, _)| is_it(event));
        let first = all.next().map(|(_, at)| *at);
        (usize::from(first.is_some()) + all.count(), first)
    }

    fn wait(&self, name: &str, port: &Port) -> Instant {
        until(&format!("{name} of {}", port.id), || self.heard(name, port).1).0
    }
}

fn token() -> Json {
    let user = json!({"id": "u", "name": "neutron", "domain": {"id": "d", "name": "Default"}});
    json!({"token": {"user": user, "roles": [], "expires_at": "2099-01-01T00:00:00.000000Z"}})
}

/// Whether the hypervisor has said that the flows are there.
fn is_up(cloud: &Cloud, port: &Port) -> bool {
    let line = format!("--bare --columns=up find Port_Binding logical_port={}", port.id);
    cloud.lab.central.sbctl(&line).trim() == "true"
}

fn cloud(services: &Services) -> (Cloud, String) {
    let cloud = Cloud::with(Size { hypervisors: 2, servers: 1 }, &services.words());
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    (cloud, network)
}

#[test]
fn nova_is_told_of_a_port_when_its_flows_are_there_and_not_before() {
    let services = Services::start();
    let (mut cloud, network) = cloud(&services);
    let port = cloud.port(&network, 0);
    // The interface is there, but nobody makes flows for it.
    cloud.lab.hypervisors[0].kill_controller();
    let guest = cloud.plug(&port, 0);
    thread::sleep(SILENCE);
    assert!(!is_up(&cloud, &port));
    assert_eq!(services.heard(PLUGGED, &port).0, 0, "told before its flows are there");

    cloud.lab.hypervisors[0].start_controller();
    let ((), _) = until("the flows", || is_up(&cloud, &port).then_some(()));
    let up = Instant::now();
    let told = services.wait(PLUGGED, &port);
    // What Nova starts now gets its address with its first question.
    assert_eq!(guest.dhcp4().address, port.v4());
    println!("told {:?} after we saw the flows", told.saturating_duration_since(up));
    let heard = services.heard.lock().unwrap().events.clone();
    let plugged = heard.iter().find(|(event, _)| event["name"] == PLUGGED).unwrap();
    let device = "9d8b5e5c-6a39-4d5d-bd4e-2e1bcb0c4a01";
    let expected =
        json!({"name": PLUGGED, "tag": port.id, "server_uuid": device, "status": "completed"});
    assert_eq!(plugged.0, expected);

    cloud.lab.hypervisors[0].unplug(&port.id);
    services.wait("network-vif-unplugged", &port);
    cloud.client().delete("port", &port.id);
    services.wait("network-vif-deleted", &port);
    assert_eq!(services.heard(PLUGGED, &port).0, 1);
}

#[test]
fn what_nova_has_to_be_told_outlives_the_server_and_a_nova_that_is_not_well() {
    let services = Services::start();
    let (mut cloud, network) = cloud(&services);
    let [told, unseen] = [cloud.port(&network, 0), cloud.port(&network, 1)];
    services.set_broken(true);
    let _told = cloud.plug(&told, 0);
    // The status and the event are one transaction: from here on it must not be lost.
    cloud.client().wait_for_status(&told.id, "ACTIVE");
    cloud.nucleon.stop();
    // This one is plugged while nobody looks.
    let _unseen = cloud.plug(&unseen, 1);
    until("the flows", || is_up(&cloud, &unseen).then_some(()));
    services.set_broken(false);
    assert_eq!(services.heard(PLUGGED, &told).0, 0);

    cloud.nucleon.restart();
    for port in [&told, &unseen] {
        services.wait(PLUGGED, port);
    }
    thread::sleep(SILENCE);
    for port in [&told, &unseen] {
        assert_eq!(services.heard(PLUGGED, port).0, 1, "told once");
    }
}
