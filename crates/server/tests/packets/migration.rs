//! A guest moves to another hypervisor as Nova moves it: its port is never unbound, and few of the
//! pings that it gets meanwhile are lost.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use packets::nucleon::Client;
use packets::patience::until;
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, MOMENT, Stop, WHILE};

/// Looks at the bindings until it is told to stop: how often there was not exactly one in use.
fn watch(client: Client, port: &str, done: &AtomicBool) -> (usize, usize) {
    let (mut looks, mut wrong) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        let bindings = client.list(&format!("ports/{port}/bindings"));
        let active = bindings.iter().filter(|it| it["status"] == "ACTIVE").count();
        looks += 1;
        wrong += usize::from(active != 1);
        thread::sleep(Duration::from_millis(2));
    }
    (looks, wrong)
}

#[test]
fn a_port_moves_between_hypervisors_and_few_pings_are_lost() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let moving = cloud.port_with(&network, 0, json!({"security_groups": [cloud.pingable_group()]}));
    let (near, far) = (cloud.port(&network, 0), cloud.port(&network, 1));
    let guest = cloud.guest(&moving, 0);
    let (near, far) = (cloud.guest(&near, 0), cloud.guest(&far, 1));
    let there = IpAddr::from(moving.v4());
    near.wait_to_reach(there, WHILE);
    far.wait_to_reach(there, WHILE);

    let (client, id, done) = (cloud.client(), &moving.id, AtomicBool::new(false));
    let (accounts, (looks, wrong)) = thread::scope(|scope| {
        let stop = Stop(&done);
        let watched = scope.spawn(|| watch(client, id, &done));
        let pings = [near.ping(there), far.ping(there)];
        pings.iter().for_each(|it| _ = it.wait_for_echoes(10));

        let binding =
            client.create_in(&format!("ports/{id}/bindings"), "binding", json!({"host": "hv2"}));
        assert_eq!(binding["status"], "INACTIVE");
        assert_eq!(binding["vif_type"], "ovs");
        // Where the guest is going is said by Nova, in the profile of the binding in use.
        let profile = json!({"binding:profile": {"migrating_to": "hv2"}});
        client.update("port", id, profile);
        let both = || {
            let options = cloud.lab.central.nbctl(&format!("lsp-get-options {id}"));
            (options.contains("hv1,hv2")).then_some(())
        };
        until("both hypervisors in requested-chassis", both);
        cloud.lab.hypervisors[1].plug(&guest, id);
        cloud.lab.central.settle();
        // The memory has been copied; from here on the guest runs on the other side.
        guest.change_interface();
        cloud.lab.hypervisors[1].announce(id, &guest.mac);
        let (status, reply) =
            client.call("PUT", &format!("ports/{id}/bindings/hv2/activate"), None);
        assert_eq!(status, 200, "{reply}");
        cloud.lab.hypervisors[0].unplug(id);
        let (status, reply) = client.call("DELETE", &format!("ports/{id}/bindings/hv1"), None);
        assert_eq!(status, 204, "{reply}");

        pings.iter().for_each(|it| _ = it.wait_for_echoes(10));
        cloud.lab.central.settle();
        pings.iter().for_each(|it| _ = it.wait_for_echoes(10));
        let accounts = pings.map(packets::pings::Pings::stop);
        drop(stop);
        (accounts, watched.join().unwrap())
    });
    for (account, from) in accounts.into_iter().zip(["the old", "the new"]) {
        println!(
            "moved: of {} pings from {from} side {} were lost, {:?}",
            account.sent,
            account.lost,
            account.silence()
        );
        assert!(account.silence() < MOMENT, "{account:?}");
    }
    println!("looked {looks} times at the bindings: exactly one in use every time");
    assert_eq!(wrong, 0, "of {looks} looks found none or two in use");
    let port: Json = client.show("port", id);
    assert_eq!(port["binding:host_id"], "hv2");
    client.wait_for_status(id, "ACTIVE");
    let options = cloud.lab.central.nbctl(&format!("lsp-get-options {id}"));
    assert!(options.contains("requested-chassis=hv2"), "{options}");
    assert!(!options.contains("activation-strategy"), "{options}");
}
