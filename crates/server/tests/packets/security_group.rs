//! Security groups open and close as the API says, within a second, for what is under way too.

use std::net::IpAddr;

use packets::patience::within;
use serde_json::json;

use crate::cloud::{Cloud, MOMENT, WHILE};

#[test]
fn a_rule_opens_within_a_second_and_its_end_closes_within_a_second() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let group = cloud.closed_group();
    let (first, second) = (
        cloud.port(&network, 0),
        cloud.port_with(&network, 1, json!({"security_groups": [group]})),
    );
    let (one, two) = (cloud.guest(&first, 0), cloud.guest(&second, 1));
    let there = IpAddr::from(second.v4());
    assert!(!one.reaches(there));
    assert_eq!(two.pings_received(), 0);
    // What leaves may be answered.
    let back = cloud.let_in(&group, json!({"protocol": "tcp", "ethertype": "IPv4"}));
    cloud.client().delete("security_group_rule", &back);

    let rule = cloud.let_in(&group, json!({"protocol": "icmp", "ethertype": "IPv4"}));
    println!("a rule opened after {:?}", one.wait_to_reach(there, MOMENT));

    let pings = one.ping(there);
    pings.wait_for_echoes(5);
    cloud.client().delete("security_group_rule", &rule);
    let closed = one.wait_to_lose(there, MOMENT);
    std::thread::sleep(MOMENT);
    let echoes = pings.echoes();
    std::thread::sleep(MOMENT / 2);
    assert_eq!(pings.echoes(), echoes, "what was under way goes on");
    println!("its end closed after {closed:?}; what was under way was cut");
}

#[test]
fn a_rule_for_some_ports_opens_no_others() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let group = cloud.closed_group();
    let (first, second) = (
        cloud.port(&network, 0),
        cloud.port_with(&network, 1, json!({"security_groups": [group]})),
    );
    let (one, two) = (cloud.guest(&first, 0), cloud.guest(&second, 1));
    let there = IpAddr::from(second.v4());
    let _listening = [79, 80, 90, 91].map(|port| two.listen(port));
    assert!(!one.connects(there, 80));
    cloud.let_in(
        &group,
        json!({
            "protocol": "tcp", "ethertype": "IPv4", "port_range_min": 80, "port_range_max": 90,
        }),
    );
    let open = || one.connects(there, 80).then_some(());
    println!("a range of ports opened after {:?}", within(MOMENT, "port 80", open).1);
    assert!(one.connects(there, 90));
    assert!(!one.connects(there, 79));
    assert!(!one.connects(there, 91));
}

#[test]
fn a_rule_for_a_group_opens_to_its_members_only_and_as_they_come() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let (friends, group) = (cloud.closed_group(), cloud.closed_group());
    let (first, second) = (
        cloud.port(&network, 0),
        cloud.port_with(&network, 1, json!({"security_groups": [group]})),
    );
    let (one, _two) = (cloud.guest(&first, 0), cloud.guest(&second, 1));
    let there = IpAddr::from(second.v4());
    cloud.let_in(&group, json!({"ethertype": "IPv4", "remote_group_id": friends}));
    cloud.lab.central.settle();
    assert!(!one.reaches(there));
    cloud.client().update("port", &first.id, json!({"security_groups": [friends]}));
    println!("a new member came in after {:?}", one.wait_to_reach(there, MOMENT));
    cloud.client().update("port", &first.id, json!({"security_groups": [group]}));
    println!("a former member was shut out after {:?}", one.wait_to_lose(there, MOMENT));
}

#[test]
fn without_port_security_everything_comes_in() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let group = cloud.closed_group();
    let (first, second) = (
        cloud.port(&network, 0),
        cloud.port_with(&network, 1, json!({"security_groups": [group]})),
    );
    let (one, _two) = (cloud.guest(&first, 0), cloud.guest(&second, 1));
    let there = IpAddr::from(second.v4());
    assert!(!one.reaches(there));
    let open = json!({"security_groups": [], "port_security_enabled": false});
    cloud.client().update("port", &second.id, open);
    one.wait_to_reach(there, MOMENT);
    let closed = json!({"port_security_enabled": true, "security_groups": [group]});
    cloud.client().update("port", &second.id, closed);
    one.wait_to_lose(there, MOMENT);
    // Nor without a group: what is in none lets nothing in.
    cloud.client().update("port", &second.id, json!({"security_groups": []}));
    cloud.lab.central.settle();
    assert!(!one.reaches(there));
    one.wait_to_lose(there, WHILE);
}
