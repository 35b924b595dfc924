//! The addresses of ports.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use testkit::database::Engine;
use wire::types::Id;
use wire::types::ip::Ip;
use wire::types::mac::Mac;

use crate::cloud::{Cloud, by_address, by_subnet, ip, kind, seat};

testkit::on_each_engine!(
    a_port_gets_an_address_of_each_family_and_makes_its_own,
    a_subnet_gives_each_address_once_and_then_the_next_one_does,
    ports_made_at_once_get_all_addresses_each_once_and_then_a_clean_refusal,
    an_asked_address_is_given_to_one_port,
    dhcp_ports_take_the_first_free_address,
    an_update_keeps_what_stays_and_adds_and_removes_the_rest,
    made_addresses_follow_the_mac_address,
    ports_that_are_there_get_addresses_of_a_new_subnet_in_which_hosts_make_theirs,
    addresses_are_held_as_in_a_map_whatever_happens,
    a_network_without_subnets_gives_none_and_refuses_to_be_asked,
);

async fn a_port_gets_an_address_of_each_family_and_makes_its_own(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let v4 = cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let v6 = cloud.subnet(network, json!({"cidr": "2001:db8:1::/64"})).await.unwrap().id();
    let slaac = json!({
        "cidr": "2001:db8:2::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"
    });
    let slaac = cloud.subnet(network, slaac).await.unwrap().id();
    let (seat, taken) = cloud.port(network, "compute:nova", None).await.unwrap();
    let subnets: Vec<Id> = taken.fixed_ips.iter().map(|one| one.subnet_id).collect();
    assert_eq!(subnets, [v4, v6, slaac]);
    assert_eq!(taken.ip_allocation, "immediate");
    let made = taken.fixed_ips[2].ip_address.bits() as u64;
    assert_eq!(made, seat.mac.interface_id());
    assert_eq!(cloud.addresses(seat.port_id).await, taken.fixed_ips);
    let (_, none) = cloud.port(network, "network:router_interface", Some(&[])).await.unwrap();
    assert!(none.fixed_ips.is_empty());
    assert_eq!(none.ip_allocation, "none");
}

async fn a_subnet_gives_each_address_once_and_then_the_next_one_does(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let first = cloud.subnet(network, json!({"cidr": "10.0.0.0/26"})).await.unwrap().id();
    let mut given = BTreeSet::new();
    for _ in 0..61 {
        let (_, taken) = cloud.port(network, "", None).await.unwrap();
        assert_eq!(taken.fixed_ips[0].subnet_id, first);
        assert!(given.insert(taken.fixed_ips[0].ip_address));
    }
    assert!(given.contains(&ip("10.0.0.2")) && given.contains(&ip("10.0.0.62")));
    assert!(!given.contains(&ip("10.0.0.1")));
    assert_eq!(kind(cloud.port(network, "", None).await), "IpAddressGenerationFailure");
    let second = cloud.subnet(network, json!({"cidr": "10.0.1.0/26"})).await.unwrap().id();
    let (_, taken) = cloud.port(network, "", None).await.unwrap();
    assert_eq!(taken.fixed_ips[0].subnet_id, second);
    let full = cloud.port(network, "", Some(&[by_subnet(first)])).await;
    assert_eq!(kind(full), "IpAddressGenerationFailure");
}

async fn ports_made_at_once_get_all_addresses_each_once_and_then_a_clean_refusal(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    cloud.subnet(network, json!({"cidr": "10.0.0.0/25"})).await.unwrap();
    let clients: Vec<_> = (0..64)
        .map(|_| {
            let cloud = cloud.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                for _ in 0..2 {
                    got.push(cloud.port(network, "", None).await);
                }
                got
            })
        })
        .collect();
    let mut given = BTreeSet::new();
    let mut refused = 0;
    for client in clients {
        for result in client.await.unwrap() {
            match result {
                Ok((_, taken)) => assert!(given.insert(taken.fixed_ips[0].ip_address)),
                Err(error) => {
                    assert_eq!(error.fault().unwrap().kind, "IpAddressGenerationFailure");
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((given.len(), refused), (125, 3));
}

async fn an_asked_address_is_given_to_one_port(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let subnet = cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let ask = [by_address("10.0.0.9")];
    let (_, taken) = cloud.port(network, "", Some(&ask)).await.unwrap();
    assert_eq!(taken.fixed_ips[0].subnet_id, subnet);
    assert_eq!(kind(cloud.port(network, "", Some(&ask)).await), "IpAddressAlreadyAllocated");
    let outside = cloud.port(network, "", Some(&[by_address("10.0.9.9")])).await;
    assert_eq!(kind(outside), "InvalidIpForNetwork");
    let unknown = cloud.port(network, "", Some(&[by_subnet(Id::random())])).await;
    assert_eq!(kind(unknown), "SubnetNotFound");
    let other = cloud.network().await;
    let elsewhere = cloud.subnet(other, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let refused = cloud.port(network, "", Some(&[by_subnet(elsewhere)])).await;
    assert_eq!(kind(refused), "InvalidInput");
    let (_, many) = cloud.port(network, "", Some(&[by_subnet(subnet); 6])).await.unwrap();
    let different: BTreeSet<Ip> = many.fixed_ips.iter().map(|one| one.ip_address).collect();
    assert_eq!(different.len(), 6);
}

async fn dhcp_ports_take_the_first_free_address(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap();
    for expected in 2..24 {
        let (_, taken) = cloud.port(network, "network:distributed", None).await.unwrap();
        assert_eq!(taken.fixed_ips[0].ip_address, ip(&format!("10.0.0.{expected}")));
    }
}

async fn an_update_keeps_what_stays_and_adds_and_removes_the_rest(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let one = cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap().id();
    let two = cloud.subnet(network, json!({"cidr": "10.0.1.0/24"})).await.unwrap().id();
    let asks = [by_address("10.0.0.5"), by_address("10.0.0.6")];
    let (seat, _) = cloud.port(network, "", Some(&asks)).await.unwrap();
    let taken = cloud.readdress(&seat, Some(&[by_subnet(two), by_address("10.0.0.6")])).await;
    let taken = taken.unwrap().fixed_ips;
    assert_eq!(taken[0].ip_address, ip("10.0.0.6"));
    assert_eq!((taken[0].subnet_id, taken[1].subnet_id, taken.len()), (one, two, 2));
    assert_eq!(cloud.addresses(seat.port_id).await, taken);
    let (_, other) = cloud.port(network, "", Some(&asks[..1])).await.unwrap();
    assert_eq!(other.fixed_ips[0].ip_address, ip("10.0.0.5"));
    assert_eq!(kind(cloud.readdress(&seat, Some(&asks)).await), "IpAddressAlreadyAllocated");
    assert_eq!(cloud.addresses(seat.port_id).await, taken);
    assert!(cloud.readdress(&seat, Some(&[])).await.unwrap().fixed_ips.is_empty());
    assert!(cloud.addresses(seat.port_id).await.is_empty());
}

async fn made_addresses_follow_the_mac_address(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap();
    let slaac = json!({
        "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"
    });
    cloud.subnet(network, slaac).await.unwrap();
    let (mut seat, before) = cloud.port(network, "", None).await.unwrap();
    seat.mac = Mac::read("fa:16:3e:00:00:01").unwrap();
    let after = cloud.readdress(&seat, None).await.unwrap().fixed_ips;
    assert_eq!(after[0], before.fixed_ips[0]);
    assert_eq!(after[1].ip_address, ip("2001:db8::f816:3eff:fe00:1"));
    assert_eq!(cloud.addresses(seat.port_id).await, after);
}

async fn ports_that_are_there_get_addresses_of_a_new_subnet_in_which_hosts_make_theirs(
    engine: Engine,
) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    cloud.subnet(network, json!({"cidr": "10.0.0.0/24"})).await.unwrap();
    let (host, _) = cloud.port(network, "compute:nova", None).await.unwrap();
    let (router, _) = cloud.port(network, "network:router_interface", None).await.unwrap();
    let slaac = json!({
        "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"
    });
    let subnet = cloud.subnet(network, slaac).await.unwrap().id();
    let addresses = cloud.addresses(host.port_id).await;
    assert_eq!(addresses[1].subnet_id, subnet);
    assert_eq!(addresses[1].ip_address.bits() as u64, host.mac.interface_id());
    assert_eq!(cloud.addresses(router.port_id).await.len(), 1);
    cloud.delete("subnets", subnet).await.unwrap();
    assert_eq!(cloud.addresses(host.port_id).await, addresses[..1]);
}

/// What happens to the ports of a network with the subnets 10.0.0.0/29 and 10.0.1.0/29.
#[derive(Clone, Debug)]
enum Act {
    Make(Option<(u8, Option<u8>)>),
    Remove(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let asked = (0u8..2, prop::option::of(0u8..9));
    let act = prop_oneof![
        3 => prop::option::of(asked).prop_map(Act::Make),
        1 => any::<usize>().prop_map(Act::Remove),
    ];
    prop::collection::vec(act, 1..40)
}

/// The naive model: a map from address to port, and the free addresses looked up one by one.
#[derive(Default)]
struct Naive {
    held: BTreeMap<Ip, Id>,
}

impl Naive {
    fn has_free(&self, subnet: u8) -> bool {
        (2..=6).any(|last| !self.held.contains_key(&ip(&format!("10.0.{subnet}.{last}"))))
    }

    fn expected(&self, ask: Option<(u8, Option<u8>)>) -> Option<&'static str> {
        match ask {
            None if self.has_free(0) || self.has_free(1) => None,
            Some((subnet, None)) if self.has_free(subnet) => None,
            None | Some((_, None)) => Some("IpAddressGenerationFailure"),
            Some((_, Some(0 | 7 | 8))) => Some("InvalidIpForNetwork"),
            Some((subnet, Some(last))) => {
                let taken = self.held.contains_key(&ip(&format!("10.0.{subnet}.{last}")));
                taken.then_some("IpAddressAlreadyAllocated")
            }
        }
    }
}

async fn agree(engine: Engine, acts: Vec<Act>) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let mut subnets = Vec::new();
    for subnet in 0..2 {
        let body = json!({"cidr": format!("10.0.{subnet}.0/29")});
        subnets.push(cloud.subnet(network, body).await.unwrap().id());
    }
    let mut naive = Naive::default();
    let mut ports: Vec<Id> = Vec::new();
    for act in acts {
        match act {
            Act::Remove(_) if ports.is_empty() => {}
            Act::Remove(which) => {
                let port = ports.swap_remove(which % ports.len());
                cloud.unplug(port).await;
                naive.held.retain(|_, holder| *holder != port);
            }
            Act::Make(ask) => {
                let asked = ask.map(|(subnet, last)| match last {
                    None => vec![by_subnet(subnets[usize::from(subnet)])],
                    Some(last) => vec![by_address(&format!("10.0.{subnet}.{last}"))],
                });
                let expected = naive.expected(ask);
                match cloud.port(network, "", asked.as_deref()).await {
                    Err(error) => assert_eq!(error.fault().map(|fault| fault.kind), expected),
                    Ok((seat, taken)) => {
                        assert_eq!(None, expected);
                        let given = taken.fixed_ips[0].ip_address;
                        assert_eq!(naive.held.insert(given, seat.port_id), None);
                        ports.push(seat.port_id);
                    }
                }
            }
        }
    }
    for port in ports {
        for one in cloud.addresses(port).await {
            assert_eq!(naive.held.remove(&one.ip_address), Some(port));
        }
    }
    assert!(naive.held.is_empty());
}

async fn addresses_are_held_as_in_a_map_whatever_happens(engine: Engine) {
    // A new database costs a server some time.
    let cases = if engine == Engine::Sqlite { 24 } else { 4 };
    let run = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
        runner.run(&acts(), |acts| {
            tokio::runtime::Handle::current().block_on(agree(engine, acts));
            Ok(())
        })
    });
    run.await.unwrap().unwrap();
}

async fn a_network_without_subnets_gives_none_and_refuses_to_be_asked(engine: Engine) {
    let cloud = Cloud::new(engine).await;
    let network = cloud.network().await;
    let (_, taken) = cloud.port(network, "", None).await.unwrap();
    assert!(taken.fixed_ips.is_empty());
    let asked = cloud.port(network, "", Some(&[by_address("10.0.0.1")])).await;
    assert_eq!(kind(asked), "InvalidInput");
    assert_ne!(seat(network, "").port_id, seat(network, "").port_id);
}
