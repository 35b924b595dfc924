//! The network answers the names of its ports, whatever server a guest asks.

use std::net::IpAddr;

use packets::dns::Record;
use packets::nucleon::DOMAIN;
use packets::patience::within;
use serde_json::json;

use crate::cloud::{Cloud, MOMENT};

#[test]
fn the_network_answers_the_names_of_its_ports() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let modes = json!({"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"});
    cloud.subnet_with(&network, "fd00:1::/64", modes);
    let asking = cloud.port(&network, 0);
    let named = cloud.port_with(&network, 1, json!({"dns_name": "web"}));
    let (one, _two) = (cloud.guest(&asking, 0), cloud.guest(&named, 1));
    let server = IpAddr::from(named.v4());
    let full = format!("web.{DOMAIN}");
    for name in ["web", &full] {
        let v4 = one.resolve(server, name, Record::A);
        assert_eq!(v4, Some(vec![named.v4().into()]), "{name}");
        let v6 = one.resolve(server, name, Record::Aaaa);
        assert_eq!(v6, Some(vec![named.v6().into()]), "{name}");
    }

    cloud.client().update("port", &named.id, json!({"dns_name": "shop"}));
    let new = format!("shop.{DOMAIN}");
    let answered = || one.resolve(server, &new, Record::A).filter(|it| !it.is_empty());
    let (answer, after) = within(MOMENT, "the new name", answered);
    assert_eq!(answer, [IpAddr::from(named.v4())]);
    println!("a new name was answered after {after:?}");
    let old = one.resolve(server, &full, Record::A);
    assert!(old.is_none_or(|it| it.is_empty()), "the old name is still answered");
}
