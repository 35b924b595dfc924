//! Subnets as callers make, change and delete them.

use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, by_address, kind, shown};
use testkit::database::Engine;

testkit::on_each_engine!(
    a_subnet_has_the_gateway_and_the_pools_that_neutron_gives_it,
    what_a_subnet_cannot_be_is_refused_by_name,
    a_subnet_whose_prefix_is_delegated_waits_for_it,
    an_update_obeys_the_rules_of_gateway_pools_and_modes,
    a_subnet_goes_with_the_addresses_of_the_servers_ports_and_not_with_others,
    of_subnets_that_overlap_and_are_made_at_once_one_comes_into_being,
    subnets_are_seen_by_their_project_and_by_those_that_the_network_is_shared_with,
);

async fn a_subnet_has_the_gateway_and_the_pools_that_neutron_gives_it(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let v4 = cloud.subnet(network, json!({"cidr": "10.0.0.7/24"})).await.unwrap();
    assert_eq!(shown(&v4, "cidr"), "10.0.0.0/24");
    assert_eq!(shown(&v4, "gateway_ip"), "10.0.0.1");
    assert_eq!(shown(&v4, "allocation_pools"), json!([{"start": "10.0.0.2", "end": "10.0.0.254"}]));
    for name in ["dns_nameservers", "host_routes", "service_types", "tags"] {
        assert_eq!(shown(&v4, name), json!([]), "{name}");
    }
    for name in ["ipv6_ra_mode", "ipv6_address_mode", "subnetpool_id", "segment_id"] {
        assert_eq!(shown(&v4, name), Json::Null, "{name}");
    }
    assert_eq!(shown(&v4, "router:external"), false);
    assert_eq!(shown(&v4, "revision_number"), 0);
    let v6 = cloud.subnet(network, json!({"cidr": "fd00:1::/64"})).await.unwrap();
    assert_eq!(shown(&v6, "gateway_ip"), "fd00:1::");
    let none = json!({"cidr": "10.0.1.0/24", "gateway_ip": null});
    let none = cloud.subnet(network, none).await.unwrap();
    assert_eq!(shown(&none, "gateway_ip"), Json::Null);
    let listed = cloud.read("networks", network).await.unwrap();
    assert_eq!(shown(&listed, "subnets").as_array().unwrap().len(), 3);
    assert_eq!(shown(&listed, "revision_number"), 4);
}

async fn what_a_subnet_cannot_be_is_refused_by_name(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    cloud.subnet(network, json!({"cidr": "10.9.0.0/24"})).await.unwrap();
    let pool = |start: &str, end: &str| json!([{"start": start, "end": end}]);
    for (body, expected) in [
        (json!({"cidr": "10.9.0.128/25"}), "InvalidInput"),
        (json!({"cidr": "0.0.0.0/0", "enable_dhcp": false}), "InvalidInput"),
        (json!({"cidr": "10.0.0.0/31"}), "InvalidInput"),
        (json!({"cidr": "224.0.0.0/24"}), "InvalidInput"),
        (json!({"cidr": "10.0.0.0/24", "ip_version": 6}), "InvalidInput"),
        (json!({"cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.255"}), "InvalidInput"),
        (json!({"cidr": "10.0.0.0/24", "gateway_ip": "fd00::1"}), "InvalidInput"),
        (json!({"cidr": "10.0.0.0/24", "dns_nameservers": ["fd00::1"]}), "InvalidInput"),
        (json!({"cidr": "10.0.0.0/24", "ipv6_ra_mode": "slaac"}), "InvalidInput"),
        (json!({"cidr": "fd00::/80", "ipv6_address_mode": "slaac"}), "InvalidInput"),
        (json!({"ip_version": 4}), "BadRequest"),
        (json!({"ip_version": 4, "use_default_subnetpool": true}), "BadRequest"),
        (json!({"cidr": "10.0.0.0/24", "prefixlen": 24}), "BadRequest"),
        (
            json!({"cidr": "10.0.0.0/24", "allocation_pools": pool("10.0.1.2", "10.0.1.9")}),
            "OutOfBoundsAllocationPool",
        ),
        (
            json!({"cidr": "10.0.0.0/24", "allocation_pools": pool("10.0.0.1", "10.0.0.9")}),
            "GatewayConflictWithAllocationPools",
        ),
        (json!({"cidr": "10.0.0.0/31", "enable_dhcp": false}), "IpamValueInvalid"),
        (json!({"cidr": "10.0.0.0/24", "segment_id": network.to_string()}), "SegmentNotFound"),
        (json!({"ip_version": 4, "subnetpool_id": network.to_string()}), "SubnetPoolNotFound"),
        (json!({"ip_version": 4, "subnetpool_id": "prefix_delegation"}), "BadRequest"),
    ] {
        assert_eq!(kind(cloud.subnet(network, body.clone()).await), expected, "{body}");
    }
    let six: Vec<String> = (1..7).map(|last| format!("10.0.0.{last}")).collect();
    let many = json!({"cidr": "10.0.0.0/24", "dns_nameservers": six});
    assert_eq!(kind(cloud.subnet(network, many).await), "DNSNameServersExhausted");
    let nobody = cloud.subnet(wire::types::Id::random(), json!({"cidr": "10.0.0.0/24"})).await;
    assert_eq!(kind(nobody), "NetworkNotFound");
}

async fn a_subnet_whose_prefix_is_delegated_waits_for_it(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let body = json!({
        "ip_version": 6, "subnetpool_id": "prefix_delegation",
        "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac",
    });
    let subnet = cloud.subnet(network, body).await.unwrap();
    assert_eq!(shown(&subnet, "cidr"), "::/64");
    assert_eq!(shown(&subnet, "subnetpool_id"), "prefix_delegation");
}

async fn an_update_obeys_the_rules_of_gateway_pools_and_modes(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let v4 = cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let change = |body: Json| cloud.change("subnets", v4, body);
    assert_eq!(
        kind(change(json!({"gateway_ip": "10.0.0.9"})).await),
        "GatewayConflictWithAllocationPools"
    );
    let both = json!({
        "gateway_ip": "10.0.0.9",
        "allocation_pools": [{"start": "10.0.0.20", "end": "10.0.0.30"}],
    });
    let changed = change(both).await.unwrap();
    assert_eq!(shown(&changed, "gateway_ip"), "10.0.0.9");
    assert_eq!(shown(&changed, "revision_number"), 1);
    let gateway = [by_address("10.0.0.9")];
    cloud.port(network, "network:router_interface", Some(&gateway)).await.unwrap();
    assert_eq!(kind(change(json!({"gateway_ip": null})).await), "GatewayIpInUse");
    assert!(change(json!({"gateway_ip": "10.0.0.9", "name": "other"})).await.is_ok());
    let slaac = json!({
        "cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"
    });
    let v6 = cloud.subnet(network, slaac).await.unwrap().id();
    let off = cloud.change("subnets", v6, json!({"enable_dhcp": false})).await;
    assert_eq!(kind(off), "InvalidInput");
}

async fn a_subnet_goes_with_the_addresses_of_the_servers_ports_and_not_with_others(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let subnet = cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let (dhcp, _) = cloud.port(network, "network:dhcp", None).await.unwrap();
    let (host, _) = cloud.port(network, "compute:nova", None).await.unwrap();
    assert_eq!(kind(cloud.delete("subnets", subnet).await), "SubnetInUse");
    assert_eq!(cloud.addresses(dhcp.port_id).await.len(), 1);
    cloud.unplug(host.port_id).await;
    cloud.delete("subnets", subnet).await.unwrap();
    assert!(cloud.read("subnets", subnet).await.is_none());
    assert!(cloud.addresses(dhcp.port_id).await.is_empty());
}

async fn of_subnets_that_overlap_and_are_made_at_once_one_comes_into_being(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let cloud = cloud.clone();
            let cidr = format!("10.0.0.{}/{}", client * 16, 24 + client % 2 * 4);
            tokio::spawn(async move { cloud.subnet(network, json!({"cidr": cidr})).await })
        })
        .collect();
    let mut cidrs: Vec<wire::types::cidr::Cidr> = Vec::new();
    for client in clients {
        if let Ok(row) = client.await.unwrap() {
            let cidr = shown(&row, "cidr");
            cidrs.push(wire::types::cidr::Cidr::read(cidr.as_str().unwrap()).unwrap());
        }
    }
    assert!(!cidrs.is_empty());
    for (place, one) in cidrs.iter().enumerate() {
        assert!(cidrs[place + 1..].iter().all(|other| !one.overlaps(other)), "{cidrs:?}");
    }
}

async fn subnets_are_seen_by_their_project_and_by_those_that_the_network_is_shared_with(
    engine: Engine,
) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let own = cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let stranger = cloud.member("stranger");
    assert!(stranger.read("subnets", own).await.is_none());
    let refused = stranger.subnet(network, json!({"cidr": "10.0.1.0/24"})).await;
    assert_eq!(kind(refused), "NetworkNotFound");
    let body = json!({"name": "all", "shared": true});
    let shared = cloud.make("networks", body).await.unwrap().id();
    let subnet = cloud.subnet(shared, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let seen = stranger.read("subnets", subnet).await.unwrap();
    assert_eq!(shown(&seen, "shared"), true);
    assert_eq!(shown(&seen, "network:project_id"), "owner");
}
