//! OVN's databases as RAFT clusters of three: their leaders are killed in turn while ports come
//! and go, and in the end nothing is lost, doubled or left over.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packets::lab::Size;
use packets::nucleon::Client;
use packets::patience::{until, within};
use serde_json::json;

use crate::cloud::{Cloud, Stop, WHILE};

/// Callers at once.
const CALLERS: usize = 4;

/// How long the load goes on after each death.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// How long OVN may take to be in step once everybody is back.
const HEALING: Duration = Duration::from_secs(30);

/// What one caller did.
#[derive(Default)]
struct Done {
    kept: BTreeSet<String>,
    deleted: usize,
    slowest: Duration,
}

/// Makes ports and deletes every third one until it is told to stop. No call may fail.
fn load(client: Client, network: &str, stop: &AtomicBool) -> Done {
    let mut done = Done::default();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let body = json!({"network_id": network, "binding:host_id": "hv1"});
        let port = crate::cloud::id(&client.create("port", body));
        done.slowest = done.slowest.max(began.elapsed());
        done.kept.insert(port.clone());
        if done.kept.len() % 3 == 0 {
            client.delete("port", &port);
            done.kept.remove(&port);
            done.deleted += 1;
        }
        thread::sleep(Duration::from_millis(20));
    }
    done
}

#[test]
fn leaders_die_in_turn_under_load_and_nothing_is_lost() {
    let mut cloud = Cloud::of(Size { hypervisors: 2, servers: 3 });
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/16");
    let before = [cloud.port(&network, 0), cloud.port(&network, 1)];
    let [one, _two] = [0, 1].map(|it| cloud.guest(&before[it], it));
    one.wait_to_reach(before[1].v4().into(), WHILE);

    let (client, stop) = (cloud.client(), AtomicBool::new(false));
    let done: Vec<Done> = thread::scope(|scope| {
        let callers: Vec<_> =
            (0..CALLERS).map(|_| scope.spawn(|| load(client, &network, &stop))).collect();
        let stopping = Stop(&stop);
        for _ in 0..2 {
            // The servers are started here: they live as long as the thread that starts them.
            let central = &mut cloud.lab.central;
            for database in [&mut central.northbound, &mut central.southbound] {
                let leader = database.leader();
                database.kill(leader);
                thread::sleep(AFTERWARDS);
                database.restart(leader);
            }
        }
        drop(stopping);
        callers.into_iter().map(|it| it.join().unwrap()).collect()
    });

    let wanted: BTreeSet<String> = done
        .iter()
        .flat_map(|it| &it.kept)
        .chain(before.iter().map(|it| &it.id))
        .cloned()
        .collect();
    let in_northbound = || {
        let names = cloud.lab.central.nbctl("--bare --columns=name list Logical_Switch_Port");
        let ports = names.split_whitespace().filter(|name| name.len() == 36);
        // Other ports of the network have the length too, but not the port's id as their name.
        ports.map(str::to_owned).collect::<Vec<_>>()
    };
    let in_step = || {
        let have = in_northbound();
        let unique: BTreeSet<String> = have.iter().cloned().collect();
        assert_eq!(have.len(), unique.len(), "a port is there twice");
        (wanted.is_subset(&unique)).then_some(unique)
    };
    let (have, after) = within(HEALING, "every port in Northbound", in_step);
    let listed = client.list("ports?fields=id");
    let listed: BTreeSet<String> = listed.iter().map(crate::cloud::id).collect();
    let strange: Vec<_> = have.difference(&listed).collect();
    assert!(strange.is_empty(), "in Northbound, but no ports: {strange:?}");
    let made = wanted.len() - before.len();
    let deleted: usize = done.iter().map(|it| it.deleted).sum();
    let slowest = done.iter().map(|it| it.slowest).max().unwrap_or_default();
    println!(
        "4 leaders killed: {made} ports kept and {deleted} deleted, none lost, none doubled; in \
         step {after:?} after the last; the slowest call took {slowest:?}"
    );

    // What is made now is carried by the hypervisors too, whichever servers they talk to.
    let port = cloud.port(&network, 1);
    cloud.guest(&port, 1);
    one.wait_to_reach(port.v4().into(), WHILE);
    until("an audit without a difference", || {
        cloud.nucleon.command(&["ovn", "audit"]).ok().map(|said| println!("{said}"))
    });
}
