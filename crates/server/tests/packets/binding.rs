//! Ports follow their interfaces, and their bindings follow the hypervisors.

use packets::patience::until;

use crate::cloud::{Cloud, WHILE};

#[test]
fn a_port_is_active_while_its_interface_is_there() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let port = cloud.port(&network, 0);
    let bound = cloud.client().show("port", &port.id);
    assert_eq!(bound["binding:vif_type"], "ovs");
    assert_eq!(bound["status"], "DOWN");

    let hypervisor = &cloud.lab.hypervisors[0];
    for _ in 0..2 {
        let _guest = cloud.plug(&port, 0);
        let active = cloud.client().wait_for_status(&port.id, "ACTIVE");
        hypervisor.unplug(&port.id);
        let down = cloud.client().wait_for_status(&port.id, "DOWN");
        println!("ACTIVE {active:?} after plugging, DOWN {down:?} after unplugging");
        assert!(active < WHILE && down < WHILE);
    }
}

#[test]
fn a_status_that_changed_while_the_server_was_away_is_seen_when_it_is_back() {
    let mut cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let (here, gone) = (cloud.port(&network, 0), cloud.port(&network, 0));
    let _gone = cloud.plug(&gone, 0);
    cloud.client().wait_for_status(&gone.id, "ACTIVE");
    cloud.nucleon.stop();
    let _here = cloud.plug(&here, 0);
    cloud.lab.hypervisors[0].unplug(&gone.id);
    cloud.lab.central.settle();
    cloud.nucleon.restart();
    cloud.client().wait_for_status(&here.id, "ACTIVE");
    cloud.client().wait_for_status(&gone.id, "DOWN");
}

#[test]
fn a_port_whose_hypervisor_is_not_there_binds_when_it_comes() {
    let mut cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    cloud.lab.hypervisors[1].stop_controller();
    until("one hypervisor gone", || (cloud.living_agents() == 1).then_some(()));
    let port = cloud.port(&network, 1);
    let vif_type = || cloud.client().show("port", &port.id)["binding:vif_type"].clone();
    assert_eq!(vif_type(), "binding_failed");
    cloud.lab.hypervisors[1].start_controller();
    let client = cloud.client();
    let bound = || (client.show("port", &port.id)["binding:vif_type"] == "ovs").then_some(());
    println!("bound {:?} after its hypervisor came", until("a binding", bound).1);
    cloud.guest(&port, 1);
}
