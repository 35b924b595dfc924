//! A guest may send from its own addresses and from those that its port permits; from no others.

use std::net::IpAddr;

use packets::guest::Guest;
use packets::patience::within;
use serde_json::json;

use crate::cloud::{Cloud, MOMENT, Port, WHILE};

const FOREIGN: &str = "10.1.0.77";
/// Of those that VRRP shares: no others may be in a pair with a port's own address.
const FOREIGN_MAC: &str = "00:00:5e:00:01:07";

/// Two guests of which the second answers everybody, and their ports.
fn pair(cloud: &Cloud) -> ((Port, Guest), (Port, Guest)) {
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let groups = json!({"security_groups": [cloud.pingable_group()]});
    let [one, two] = [0, 1].map(|hypervisor| {
        let port = cloud.port_with(&network, hypervisor, groups.clone());
        let guest = cloud.guest(&port, hypervisor);
        (port, guest)
    });
    one.1.wait_to_reach(two.0.v4().into(), WHILE);
    (one, two)
}

#[test]
fn a_foreign_address_is_dropped_unless_a_pair_permits_it() {
    let cloud = Cloud::start();
    let ((port, one), (other, two)) = pair(&cloud);
    let (foreign, there) = (FOREIGN.parse().unwrap(), IpAddr::from(other.v4()));
    one.add_address(&format!("{FOREIGN}/24"));
    let before = two.pings_received();
    for _ in 0..3 {
        assert!(!one.reaches_from(foreign, there));
    }
    assert_eq!(two.pings_received(), before, "a spoofed packet came through");
    assert!(one.reaches(there), "its own address must go on working");

    let pairs = json!({"allowed_address_pairs": [{"ip_address": FOREIGN}]});
    cloud.client().update("port", &port.id, pairs);
    let permitted = || one.reaches_from(foreign, there).then_some(());
    println!("a pair permitted after {:?}", within(MOMENT, "the pair", permitted).1);

    cloud.client().update("port", &port.id, json!({"allowed_address_pairs": []}));
    let dropped = || (!one.reaches_from(foreign, there)).then_some(());
    println!("without it dropped after {:?}", within(MOMENT, "the pair's end", dropped).1);
}

#[test]
fn a_foreign_hardware_address_is_dropped_unless_a_pair_permits_it() {
    let cloud = Cloud::start();
    let ((port, one), (other, two)) = pair(&cloud);
    let there = IpAddr::from(other.v4());
    let before = two.pings_received();
    one.pretend(FOREIGN_MAC);
    one.learn(there, &other.mac);
    for _ in 0..3 {
        assert!(!one.reaches(there));
    }
    assert_eq!(two.pings_received(), before, "a spoofed packet came through");
    let own = port.v4().to_string();
    let pair = json!([{"ip_address": own, "mac_address": FOREIGN_MAC}]);
    cloud.client().update("port", &port.id, json!({"allowed_address_pairs": pair}));
    let received = || {
        one.reaches(there);
        (two.pings_received() > before).then_some(())
    };
    println!("a pair permitted after {:?}", within(MOMENT, "the pair", received).1);
}
