//! Guests get the addresses that the API says, and reach each other, but not the other network.

use std::net::IpAddr;

use serde_json::json;

use crate::cloud::{Cloud, WHILE};

#[test]
fn guests_get_their_ipv4_addresses_and_reach_their_own_network_only() {
    let cloud = Cloud::start();
    let (ours, theirs) = (cloud.network(), cloud.network());
    // The same addresses on both: what reaches the wrong network does not even have to be routed.
    for network in [&ours, &theirs] {
        cloud.subnet_with(network, "10.1.0.0/24", json!({"dns_nameservers": ["10.1.0.53"]}));
    }
    let (first, second) = (cloud.port(&ours, 0), cloud.port(&ours, 1));
    let other = cloud.port_with(
        &theirs,
        1,
        json!({"fixed_ips": [{"ip_address": "10.1.0.200"}], "mac_address": "fa:16:3e:aa:aa:aa"}),
    );
    let (one, _two) = (cloud.guest(&first, 0), cloud.guest(&second, 1));
    let stranger = cloud.guest(&other, 1);

    let mtu = cloud.client().show("network", &ours)["mtu"].as_u64().unwrap();
    let lease = one.try_dhcp4().unwrap();
    assert_eq!(lease.number(26).map(u64::from), Some(mtu));
    assert_eq!(lease.addresses(6), ["10.1.0.53".parse::<std::net::Ipv4Addr>().unwrap()]);

    one.wait_to_reach(second.v4().into(), WHILE);
    assert!(!one.reaches(other.v4().into()));
    assert!(!stranger.reaches(first.v4().into()));
    assert!(!stranger.reaches(second.v4().into()));
    assert_eq!(stranger.pings_received(), 0);
}

#[test]
fn the_longest_packet_of_the_network_crosses_the_tunnel_whole() {
    let cloud = Cloud::start();
    let network = cloud.network();
    cloud.subnet(&network, "10.1.0.0/24");
    let (first, second) = (cloud.port(&network, 0), cloud.port(&network, 1));
    let (one, _two) = (cloud.guest(&first, 0), cloud.guest(&second, 1));
    one.wait_to_reach(second.v4().into(), WHILE);
    let mtu = cloud.client().show("network", &network)["mtu"].as_u64().unwrap();
    let (payload, there) = ((mtu - 28).to_string(), second.v4().to_string());
    one.space.run(&["ping", "-c1", "-W2", "-M", "do", "-s", &payload, &there]);
}

#[test]
fn guests_get_their_ipv6_addresses_by_dhcp() {
    let cloud = Cloud::start();
    let network = cloud.network();
    let modes = json!({
        "ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful",
        "dns_nameservers": ["fd00:1::53"],
    });
    cloud.subnet_with(&network, "fd00:1::/64", modes);
    let (first, second) = (cloud.port(&network, 0), cloud.port(&network, 1));
    let (one, two) = (cloud.plug(&first, 0), cloud.plug(&second, 1));
    let reply = one.dhcp6();
    assert_eq!(reply.address(), Some(first.v6()));
    assert_eq!(reply.dns_servers(), ["fd00:1::53".parse::<std::net::Ipv6Addr>().unwrap()]);
    assert_eq!(two.dhcp6().address(), Some(second.v6()));
    one.wait_to_reach(second.v6().into(), WHILE);
    two.wait_to_reach(first.v6().into(), WHILE);
}

#[test]
fn guests_make_themselves_the_addresses_that_the_server_expects() {
    let cloud = Cloud::start();
    let network = cloud.network();
    // No `ipv6_ra_mode`: the advertisements come from a router that is not ours.
    cloud.subnet_with(&network, "fd00:2::/64", json!({"ipv6_address_mode": "slaac"}));
    let ports = [cloud.port(&network, 0), cloud.port(&network, 1), cloud.port(&network, 1)];
    let [one, two, router] = [0, 1, 2].map(|it| cloud.plug(&ports[it], it.min(1)));
    let prefix = "fd00:2::".parse().unwrap();
    assert_eq!(router.advertise_to(&one, prefix), ports[0].v6());
    assert_eq!(router.advertise_to(&two, prefix), ports[1].v6());
    one.wait_to_reach(ports[1].v6().into(), WHILE);
    two.wait_to_reach(ports[0].v6().into(), WHILE);
}

#[test]
fn a_vlan_of_the_provider_joins_two_hypervisors_without_a_tunnel() {
    let cloud = Cloud::start();
    let provided = |vlan: u32| {
        let network = cloud.client().create(
            "network",
            json!({
                "provider:network_type": "vlan",
                "provider:physical_network": packets::hypervisor::PHYSICAL_NETWORK,
                "provider:segmentation_id": vlan,
            }),
        );
        let network = crate::cloud::id(&network);
        cloud.subnet(&network, "10.3.0.0/24");
        network
    };
    let (ours, theirs) = (provided(101), provided(102));
    let (first, second) = (cloud.port(&ours, 0), cloud.port(&ours, 1));
    let other = cloud.port_with(&theirs, 1, json!({"fixed_ips": [{"ip_address": "10.3.0.200"}]}));
    let (one, _two) = (cloud.guest(&first, 0), cloud.guest(&second, 1));
    let _stranger = cloud.guest(&other, 1);
    one.wait_to_reach(IpAddr::from(second.v4()), WHILE);
    assert!(!one.reaches(other.v4().into()));
}
