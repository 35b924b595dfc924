//! OVN is away, is set back, is edited by hand: the API goes on, and everything comes back in line
//! by itself.

use std::time::Instant;

use packets::guest::Guest;

use crate::cloud::{Cloud, MOMENT, Port, WHILE};

/// A network with two guests that reach each other.
fn two_guests(cloud: &Cloud) -> (String, [(Port, Guest); 2]) {
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let guests = [0, 1].map(|hypervisor| {
        let port = cloud.port(&network, hypervisor);
        let guest = cloud.guest(&port, hypervisor);
        (port, guest)
    });
    guests[0].1.wait_to_reach(guests[1].0.v4().into(), WHILE);
    (network, guests)
}

#[test]
fn while_northbound_is_away_the_api_answers_and_afterwards_everything_is_there() {
    let mut cloud = Cloud::start();
    let (network, [(_, one), (second, _two)]) = two_guests(&cloud);
    cloud.lab.central.northbound.kill(0);
    let began = Instant::now();
    let port = cloud.port(&network, 1);
    println!("without Northbound the answer took {:?}", began.elapsed());
    assert!(began.elapsed() < MOMENT);
    assert!(one.reaches(second.v4().into()), "what is there goes on without it");
    let guest = cloud.plug(&port, 1);
    assert!(guest.try_dhcp4().is_none());

    cloud.lab.central.northbound.restart(0);
    assert_eq!(guest.dhcp4().address, port.v4());
    one.wait_to_reach(port.v4().into(), WHILE);
    println!("{}", cloud.audit());
}

#[test]
fn a_northbound_set_back_to_an_old_backup_is_brought_up_to_date() {
    let mut cloud = Cloud::start();
    let (network, [(_, one), (second, _two)]) = two_guests(&cloud);
    cloud.audit();
    let backup = cloud.lab.central.northbound.back_up();
    let port = cloud.port(&network, 1);
    let _guest = cloud.guest(&port, 1);
    one.wait_to_reach(port.v4().into(), WHILE);
    cloud.client().delete("port", &second.id);
    one.wait_to_lose(second.v4().into(), WHILE);

    cloud.lab.central.northbound.kill(0);
    cloud.lab.central.northbound.restore(backup);
    cloud.lab.central.northbound.restart(0);
    println!("{}", cloud.audit());
    one.wait_to_reach(port.v4().into(), WHILE);
    one.wait_to_lose(second.v4().into(), WHILE);
}

#[test]
fn what_somebody_breaks_in_northbound_is_mended() {
    let cloud = Cloud::start();
    let (network, [(_, one), (second, _two)]) = two_guests(&cloud);
    let there = second.v4().into();
    for line in [
        format!("lsp-del {}", second.id),
        format!("lsp-set-addresses {} unknown", second.id),
        format!("lsp-set-enabled {} disabled", second.id),
        format!("ls-del neutron-{network}"),
        "--all destroy Port_Group".to_owned(),
        "--all destroy DHCP_Options".to_owned(),
    ] {
        cloud.lab.central.nbctl(&line);
        println!("after `{line}`: {}", cloud.audit());
        one.wait_to_reach(there, WHILE);
    }
}
