//! What a port is to get, before any address is looked up: pure. Not here: whether it is free
//! (`ipam`).

use wire::fault::{self, Result};
use wire::types::Id;
use wire::types::fixed_ip::{FixedIp, FixedIpAsk};
use wire::types::ip::Ip;

use super::candidate::{Candidate, eui64, is_eui64};
use super::{Seat, owner};

/// The network of an IPv6 subnet whose prefix nobody has delegated yet.
const PROVISIONAL_PREFIX: &str = "::/64";

/// One address that a port is to get.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// This one.
    Exact {
        /// The subnet, by position.
        subnet: usize,
        /// The address.
        ip: Ip,
    },
    /// Any free one of the first of these subnets that has one.
    Any {
        /// The subnets, by position.
        subnets: Vec<usize>,
    },
}

/// How the addresses of a port change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// They stay.
    pub keep: Vec<FixedIp>,
    /// They are to be found.
    pub add: Vec<FixedIpAsk>,
    /// They go.
    pub remove: Vec<FixedIp>,
}

/// What a port gets that asks for nothing: an address of each family, and those that hosts make
/// themselves.
pub fn unasked(subnets: &[Candidate], eligible: &[usize], seat: &Seat) -> Vec<Want> {
    let of = |version: u8| -> Vec<usize> {
        let fits = |subnet: &Candidate| subnet.cidr.version() == version && !subnet.auto_address;
        eligible.iter().copied().filter(|place| subnets.get(*place).is_some_and(fits)).collect()
    };
    let families = [of(4), of(6)].into_iter().filter(|family| !family.is_empty());
    let mut wants: Vec<Want> = families.map(|subnets| Want::Any { subnets }).collect();
    wants.extend(automatic(subnets, eligible, seat, &[]));
    wants
}

/// The addresses that a port's MAC address makes in the subnets where hosts make theirs. Routers
/// make none.
pub fn automatic(
    subnets: &[Candidate],
    eligible: &[usize],
    seat: &Seat,
    except: &[Id],
) -> Vec<Want> {
    if owner::is_router_interface_or_snat(&seat.device_owner) {
        return Vec::new();
    }
    let places = eligible.iter().copied().filter_map(|place| Some((place, subnets.get(place)?)));
    places
        .filter(|(_, subnet)| subnet.auto_address && !except.contains(&subnet.id))
        .map(|(place, subnet)| Want::Exact { subnet: place, ip: eui64(&subnet.cidr, &seat.mac) })
        .collect()
}

/// What a port gets that asks for addresses, each by subnet, by address or by both.
///
/// # Errors
/// `InvalidInput`, `InvalidIpForSubnet`, `InvalidIpForNetwork`, `AllocationOnAutoAddressSubnet`.
pub fn asked(
    subnets: &[Candidate],
    eligible: &[usize],
    seat: &Seat,
    ask: &[FixedIpAsk],
) -> Result<Vec<Want>> {
    let mut wants = Vec::with_capacity(ask.len());
    for asked in ask {
        let place = subnet_of(subnets, eligible, seat, asked)?;
        let Some(subnet) = subnets.get(place) else {
            continue;
        };
        let provisional = subnet.cidr.to_string() == PROVISIONAL_PREFIX;
        match asked.ip_address.filter(|_| !provisional) {
            Some(ip) => {
                let own = owner::is_router_interface(&seat.device_owner)
                    || eui64(&subnet.cidr, &seat.mac) == ip;
                if subnet.auto_address && !own {
                    return Err(fault::allocation_on_auto_address_subnet(ip, subnet.id));
                }
                wants.push(Want::Exact { subnet: place, ip });
            }
            // Addresses of auto-address subnets are added by themselves, asked for or not.
            None if subnet.auto_address
                && !owner::is_router_interface_or_snat(&seat.device_owner) => {}
            None => wants.push(Want::Any { subnets: vec![place] }),
        }
    }
    Ok(wants)
}

fn subnet_of(
    subnets: &[Candidate],
    eligible: &[usize],
    seat: &Seat,
    ask: &FixedIpAsk,
) -> Result<usize> {
    let mut places =
        eligible.iter().copied().filter_map(|place| Some((place, subnets.get(place)?)));
    if eligible.is_empty() {
        return Err(fault::invalid_input(format!(
            "'fixed_ips' asks for addresses and the network {} has no subnet to take them from.",
            seat.network_id
        )));
    }
    match (ask.subnet_id, ask.ip_address) {
        (Some(id), ip) => {
            let Some((place, subnet)) = places.find(|(_, subnet)| subnet.id == id) else {
                return Err(fault::invalid_input(format!(
                    "'fixed_ips' names the subnet {id}, of which a port of device owner '{}' on \
                     the network {} cannot have addresses.",
                    seat.device_owner, seat.network_id
                )));
            };
            match ip.filter(|ip| !subnet.accepts(ip, &seat.device_owner)) {
                Some(ip) => Err(fault::invalid_ip_for_subnet(ip, subnet.cidr)),
                None => Ok(place),
            }
        }
        (None, Some(ip)) => places
            .find(|(_, subnet)| subnet.accepts(&ip, &seat.device_owner))
            .map(|(place, _)| place)
            .ok_or_else(|| fault::invalid_ip_for_network(ip, seat.network_id)),
        (None, None) => Err(fault::invalid_input(
            "Each entry of 'fixed_ips' must have 'subnet_id', 'ip_address' or both.",
        )),
    }
}

/// Compares what a port has with what is asked: an asked address stays, an asked subnet keeps an
/// address of it; the rest goes, but for addresses that hosts make themselves.
pub fn changes(
    subnets: &[Candidate],
    seat: &Seat,
    have: &[FixedIp],
    ask: &[FixedIpAsk],
) -> Changes {
    let mut changes = Changes::default();
    let mut left: Vec<FixedIp> = have.to_vec();
    for asked in ask {
        let Some(ip) = asked.ip_address else {
            continue;
        };
        let same = |one: &FixedIp| {
            one.ip_address == ip && asked.subnet_id.is_none_or(|id| id == one.subnet_id)
        };
        match left.iter().position(same) {
            Some(place) => changes.keep.push(left.remove(place)),
            None => changes.add.push(*asked),
        }
    }
    for asked in ask.iter().filter(|asked| asked.ip_address.is_none()) {
        match left.iter().rposition(|one| Some(one.subnet_id) == asked.subnet_id) {
            Some(place) => changes.keep.push(left.remove(place)),
            None => changes.add.push(*asked),
        }
    }
    for one in left {
        let automatic =
            subnets.iter().any(|subnet| subnet.id == one.subnet_id && subnet.auto_address);
        if automatic && !owner::is_router_interface_or_snat(&seat.device_owner) {
            changes.keep.push(one);
        } else {
            changes.remove.push(one);
        }
    }
    changes
}

/// The addresses that follow a port's new MAC address: which go, and what comes in their place.
pub fn follow_mac(subnets: &[Candidate], seat: &Seat, have: &[FixedIp]) -> (Changes, Vec<Want>) {
    let mut changes = Changes::default();
    let mut wants = Vec::new();
    for one in have {
        let subnet = subnets.iter().position(|subnet| subnet.id == one.subnet_id);
        let made =
            subnet.and_then(|place| Some((place, subnets.get(place)?))).filter(|(_, subnet)| {
                subnet.auto_address
                    && is_eui64(&one.ip_address)
                    && eui64(&subnet.cidr, &seat.mac) != one.ip_address
            });
        match made {
            Some((place, subnet)) => {
                changes.remove.push(*one);
                wants.push(Want::Exact { subnet: place, ip: eui64(&subnet.cidr, &seat.mac) });
            }
            None => changes.keep.push(*one),
        }
    }
    (changes, wants)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;
    use proptest::prelude::*;
    use wire::types::cidr::Cidr;
    use wire::types::mac::Mac;

    fn subnet(number: u8, cidr: &str, auto_address: bool) -> Candidate {
        Candidate {
            id: Id::read(&format!("{number:032x}")).unwrap(),
            cidr: Cidr::read(cidr).unwrap(),
            pools: Vec::new(),
            service_types: Vec::new(),
            enable_dhcp: true,
            auto_address,
            segment_id: None,
            physical_network: None,
        }
    }

    /// Two of IPv4, one of DHCPv6, one in which hosts make their addresses.
    fn network() -> Vec<Candidate> {
        vec![
            subnet(1, "10.0.0.0/24", false),
            subnet(2, "10.0.1.0/24", false),
            subnet(3, "2001:db8:1::/64", false),
            subnet(4, "2001:db8:2::/64", true),
        ]
    }

    fn seat(device_owner: &str) -> Seat {
        Seat {
            port_id: Id::random(),
            network_id: Id::random(),
            mac: Mac::read("fa:16:3e:00:00:01").unwrap(),
            device_owner: device_owner.to_owned(),
            host: String::new(),
        }
    }

    fn ip(text: &str) -> Ip {
        Ip::read(text).unwrap()
    }

    fn ask(subnet_id: Option<Id>, text: Option<&str>) -> FixedIpAsk {
        FixedIpAsk { subnet_id, ip_address: text.map(ip) }
    }

    const MADE: &str = "2001:db8:2::f816:3eff:fe00:1";
    const ALL: [usize; 4] = [0, 1, 2, 3];

    #[test]
    fn a_port_that_asks_for_nothing_gets_an_address_of_each_family_and_makes_its_own() {
        let network = network();
        let made = Want::Exact { subnet: 3, ip: ip(MADE) };
        let wants = unasked(&network, &ALL, &seat("compute:nova"));
        let families = [vec![0, 1], vec![2]].map(|subnets| Want::Any { subnets });
        assert_eq!(wants, [families.to_vec(), vec![made]].concat());
        assert_eq!(unasked(&network, &ALL, &seat("network:router_interface")), families);
    }

    #[test]
    fn asked_addresses_must_be_ones_that_the_port_can_have() {
        let network = network();
        let id = |place: usize| Some(network[place].id);
        let port = seat("compute:nova");
        let one = |ask: FixedIpAsk| asked(&network, &ALL, &port, &[ask]);
        assert_eq!(one(ask(id(1), None)).unwrap(), [Want::Any { subnets: vec![1] }]);
        let exact = Want::Exact { subnet: 1, ip: ip("10.0.1.7") };
        assert_eq!(one(ask(None, Some("10.0.1.7"))).unwrap(), [exact]);
        assert_eq!(one(ask(id(3), None)).unwrap(), []);
        assert!(one(ask(id(3), Some(MADE))).is_ok());
        for (ask, kind) in [
            (ask(id(0), Some("10.0.1.7")), "InvalidIpForSubnet"),
            (ask(id(0), Some("10.0.0.255")), "InvalidIpForSubnet"),
            (ask(None, Some("10.0.2.7")), "InvalidIpForNetwork"),
            (ask(id(3), Some("2001:db8:2::7")), "AllocationOnAutoAddressSubnet"),
            (ask(Some(Id::random()), None), "InvalidInput"),
            (ask(None, None), "InvalidInput"),
        ] {
            assert_eq!(one(ask).unwrap_err().fault().unwrap().kind, kind, "{ask:?}");
        }
        let router = seat("network:router_interface");
        let gateway = [ask(id(3), Some("2001:db8:2::"))];
        assert!(asked(&network, &ALL, &router, &gateway).is_ok());
        assert!(asked(&network, &[], &port, &[ask(id(0), None)]).is_err());
    }

    #[test]
    fn a_new_mac_address_makes_new_addresses_and_leaves_the_chosen_ones() {
        let network = network();
        let chosen = FixedIp { subnet_id: network[0].id, ip_address: ip("10.0.0.9") };
        let old = ip("2001:db8:2::f816:3eff:fe99:9");
        let made = FixedIp { subnet_id: network[3].id, ip_address: old };
        let (changes, wants) = follow_mac(&network, &seat(""), &[chosen, made]);
        assert_eq!(changes, Changes { keep: vec![chosen], add: vec![], remove: vec![made] });
        assert_eq!(wants, [Want::Exact { subnet: 3, ip: ip(MADE) }]);
    }

    /// Addresses in the two subnets of IPv4, by subnet and last octet.
    fn held() -> impl Strategy<Value = Vec<FixedIp>> {
        prop::collection::btree_set((0u8..2, 1u8..6), 0..6).prop_map(|set| {
            let one = |(place, last): (u8, u8)| FixedIp {
                subnet_id: Id::read(&format!("{:032x}", place + 1)).unwrap(),
                ip_address: ip(&format!("10.0.{place}.{last}")),
            };
            set.into_iter().map(one).collect()
        })
    }

    proptest! {
        #[test]
        fn every_address_stays_or_goes_and_every_wish_is_kept_or_added(
            have in held(), wished in held(), named in prop::collection::vec(any::<bool>(), 6)
        ) {
            let network = network();
            let asks: Vec<FixedIpAsk> = wished
                .iter()
                .zip(&named)
                .map(|(one, named)| FixedIpAsk {
                    subnet_id: Some(one.subnet_id),
                    ip_address: named.then_some(one.ip_address),
                })
                .collect();
            let changes = changes(&network, &seat(""), &have, &asks);
            let mut parts = [changes.keep.clone(), changes.remove.clone()].concat();
            parts.sort();
            prop_assert_eq!(&parts, &have);
            prop_assert_eq!(changes.keep.len() + changes.add.len(), asks.len());
            for ask in &asks {
                if let Some(ip) = ask.ip_address {
                    let kept = changes.keep.iter().any(|one| one.ip_address == ip);
                    prop_assert_eq!(kept, have.iter().any(|one| one.ip_address == ip));
                }
            }
            // Nothing goes from a subnet of which another address is added without being named.
            for added in changes.add.iter().filter(|ask| ask.ip_address.is_none()) {
                let elsewhere = |gone: &FixedIp| Some(gone.subnet_id) != added.subnet_id;
                prop_assert!(changes.remove.iter().all(elsewhere));
            }
        }
    }
}
