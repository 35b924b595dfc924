//! OVN's databases as RAFT clusters of three: their leaders are killed in turn while ports come
//! and go, and in the end nothing is lost, doubled or left over.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packets::central::Central;
use packets::lab::Size;
use packets::nucleon::Client;
use packets::patience::within;
use serde_json::json;

use crate::cloud::{Cloud, Stop, WHILE, id};

/// Callers at once.
const CALLERS: usize = 4;

/// How long each waits after one call.
const PAUSE: Duration = Duration::from_millis(20);

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
    for number in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let began = Instant::now();
        let body = json!({"network_id": network, "binding:host_id": "hv1"});
        let port = id(&client.create("port", body));
        if number % 3 == 0 {
            client.delete("port", &port);
            done.deleted += 1;
        } else {
            done.kept.insert(port);
        }
        done.slowest = done.slowest.max(began.elapsed());
        thread::sleep(PAUSE);
    }
    done
}

/// Kills the leader of each database in turn, twice, and lets each come back.
fn kill_leaders(central: &mut Central) -> usize {
    let mut killed = 0;
    for _ in 0..2 {
        // The servers are started here: they live as long as the thread that starts them.
        for database in [&mut central.northbound, &mut central.southbound] {
            let leader = database.leader();
            database.kill(leader);
            thread::sleep(AFTERWARDS);
            database.restart(leader);
            killed += 1;
        }
    }
    killed
}

/// The ports in Northbound by their names, which are the ids that they have in the API.
fn in_northbound(central: &Central) -> BTreeSet<String> {
    let names = central.nbctl("--bare --columns=name list Logical_Switch_Port");
    let names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
    let unique: BTreeSet<_> = names.iter().cloned().collect();
    assert_eq!(names.len(), unique.len(), "a port is there twice");
    unique
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
    let (killed, done) = thread::scope(|scope| {
        let stopping = Stop(&stop);
        let callers = [(); CALLERS].map(|()| scope.spawn(|| load(client, &network, &stop)));
        let killed = kill_leaders(&mut cloud.lab.central);
        drop(stopping);
        (killed, callers.map(|it| it.join().unwrap()))
    });

    let kept: BTreeSet<String> = done.iter().flat_map(|it| &it.kept).cloned().collect();
    let shown = client.list("ports");
    // The network's own port, for metadata, was made by nobody.
    let of_guests = shown.iter().filter(|it| it["device_owner"] != "network:distributed");
    let of_guests: BTreeSet<String> = of_guests.map(id).collect();
    let made = before.iter().map(|it| &it.id).chain(&kept).cloned().collect();
    assert_eq!(of_guests, made, "the ports shown are not those that were made and kept");
    let listed: BTreeSet<String> = shown.iter().map(id).collect();
    let in_step = || (in_northbound(&cloud.lab.central) == listed).then_some(());
    let ((), after) = within(HEALING, "the same ports in Northbound", in_step);
    let deleted: usize = done.iter().map(|it| it.deleted).sum();
    let slowest = done.iter().map(|it| it.slowest).max().unwrap_or_default();
    println!(
        "{killed} leaders killed: {} ports kept and {deleted} deleted, none lost, none doubled; \
         in step {after:?} after the last; the slowest caller waited {slowest:?}",
        kept.len()
    );

    // What is made now is carried by the hypervisors too, whichever servers they talk to.
    let port = cloud.port(&network, 1);
    let _guest = cloud.guest(&port, 1);
    one.wait_to_reach(port.v4().into(), WHILE);
    println!("{}", cloud.audit());
}
