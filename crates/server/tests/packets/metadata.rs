//! The real `neutron-ovn-metadata-agent` finds the rows that it needs: guests get their metadata
//! through it. It needs Neutron, in the directory that `NUCLEON_TEST_NEUTRON` names (the `bin` of a
//! Python environment), and haproxy and iptables, which the agent uses.
//! `tests/clients/with_neutron.py` runs this with the environment that it is run in.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use packets::guest::Guest;
use packets::patience::within;
use packets::program::Program;
use serde_json::json;

use crate::cloud::{Cloud, Port};

/// Where guests ask.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// How long the agent may take for what it does: it is a large Python program.
const AGENT: Duration = Duration::from_secs(60);

/// Starts the agent on a hypervisor. What it mounts and starts is gone with it.
fn agent(cloud: &Cloud, hypervisor: usize) -> Program {
    let hypervisor = &cloud.lab.hypervisors[hypervisor];
    let programs = std::env::var_os("NUCLEON_TEST_NEUTRON");
    let programs = PathBuf::from(programs.expect("NUCLEON_TEST_NEUTRON: where Neutron's bin is"));
    let directory = hypervisor.directory.join("metadata");
    fs::create_dir(&directory).unwrap();
    let helper = programs.join("privsep-helper").display().to_string();
    let contexts = ["", "_dhcp_release", "_ovs_vsctl", "_namespace", "_conntrack", "_link"];
    let privileged = contexts.map(|it| format!("[privsep{it}]\nhelper_command = {helper}\n"));
    let configuration = format!(
        "[DEFAULT]\nstate_path = {state}\nnova_metadata_host = 127.0.0.1\n\
         nova_metadata_port = 8775\nmetadata_proxy_shared_secret = secret\nmetadata_workers = 0\n\
         [agent]\nroot_helper =\n[oslo_concurrency]\nlock_path = {state}/lock\n\
         [ovs]\novsdb_connection = {switch}\n[ovn]\novn_sb_connection = {sb}\n{privileged}",
        state = directory.display(),
        switch = hypervisor.database(),
        sb = cloud.lab.central.southbound.sockets(),
        privileged = privileged.concat(),
    );
    let file = directory.join("agent.conf");
    fs::write(&file, configuration).unwrap();
    // Its namespaces are files in /run/netns, which must not be seen by anybody else.
    let line = format!(
        "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && PATH={0}:$PATH \
         exec {0}/neutron-ovn-metadata-agent --config-file {1}",
        programs.display(),
        file.display()
    );
    let apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let words = [&apart[..], &["sh", "-c", &line]].concat();
    Program::start(&directory, "agent", &hypervisor.space.words(&words))
}

/// A Nova that answers who asks for whom, as the agent says it, on a hypervisor.
fn nova(cloud: &Cloud, hypervisor: usize) -> Receiver<String> {
    let space = &cloud.lab.hypervisors[hypervisor].space;
    let listener = space.enter(|| TcpListener::bind("127.0.0.1:8775")).unwrap();
    let (sender, heard) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            // The agent needs to be told the charset.
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n\
                          Content-Length: 8\r\nConnection: close\r\n\r\nmetadata";
            stream.write_all(answer.as_bytes()).unwrap();
            if sender.send(String::from_utf8_lossy(&head).to_lowercase()).is_err() {
                return;
            }
        }
    });
    heard
}

/// Gets a lease and goes the way to the metadata that the lease shows.
fn boot(guest: &Guest, port: &Port) {
    let lease = guest.dhcp4();
    assert_eq!(lease.address, port.v4());
    let routes = lease.options.get(&121).expect("classless routes");
    let start = [32, 169, 254, 169, 254];
    let at = routes.windows(5).position(|it| it == start).expect("a route to the metadata");
    let via = <[u8; 4]>::try_from(&routes[at + 5..at + 9]).unwrap();
    guest.space.ip(&format!("route add {METADATA}/32 via {}", Ipv4Addr::from(via)));
}

/// One question for metadata; `None` while there is no answer.
fn ask(guest: &Guest) -> Option<String> {
    guest.space.enter(|| {
        let there = SocketAddr::from((METADATA, 80));
        let mut stream = TcpStream::connect_timeout(&there, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let request = "GET /openstack HTTP/1.1\r\nHost: metadata\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        Some(reply)
    })
}

#[test]
#[ignore = "needs Neutron; tests/clients/with_neutron.py runs it"]
fn guests_get_their_metadata_through_neutrons_own_agent() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let heard = nova(&cloud, 0);
    let mut agent = agent(&cloud, 0);
    let client = cloud.client();
    let is_agent = |it: &&serde_json::Value| it["binary"] == "neutron-ovn-metadata-agent";
    within(AGENT, "the agent in the list of agents", || {
        agent.assert_running();
        let agents = client.list("agents");
        agents
            .iter()
            .find(is_agent)
            .filter(|it| it["alive"] == true && it["host"] == "hv1")
            .map(drop)
    });
    // One is there before the agent looks, the other one comes later.
    for number in ["1", "2"] {
        let device = format!("9d8b5e5c-6a39-4d5d-bd4e-2e1bcb0c4a0{number}");
        let port = cloud.port_with(&network, 0, json!({"device_id": device}));
        let guest = cloud.plug(&port, 0);
        boot(&guest, &port);
        let (reply, after) = within(AGENT, "metadata", || {
            agent.assert_running();
            ask(&guest).filter(|it| it.contains(" 200 "))
        });
        assert!(reply.ends_with("metadata"), "{reply}");
        let head = heard.recv_timeout(AGENT).unwrap();
        assert!(head.contains(&format!("x-instance-id: {device}")), "{head}");
        assert!(head.contains("x-tenant-id: packets"), "{head}");
        assert!(head.contains(&format!("x-forwarded-for: {}", port.v4())), "{head}");
        println!("guest {number} had its metadata {after:?} after it had its address");
    }
    let owned = client.list("ports?device_owner=network:distributed");
    assert_eq!(owned.len(), 1);
    let id = owned[0]["id"].as_str().unwrap();
    let line = format!("--bare --columns=type find Port_Binding logical_port={id}");
    assert_eq!(cloud.lab.central.sbctl(&line).trim(), "localport");
    println!("{}", cloud.audit());
}
