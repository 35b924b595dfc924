//! `Candidate`: a subnet as the choice of addresses sees it, and which subnets a port may have
//! addresses of. Not here: the choice itself.

use wire::attr::Wire;
use wire::fault::{self, Result};
use wire::types::Id;
use wire::types::cidr::{Cidr, IpRange};
use wire::types::fixed_ip::FixedIpAsk;
use wire::types::ip::Ip;
use wire::types::mac::Mac;
use wire::value::Value;

use super::{Seat, owner};
use crate::kind::Call;

/// What an address is chosen by.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The subnet.
    pub id: Id,
    /// Its addresses.
    pub cidr: Cidr,
    /// Those that are given to ports that ask for none.
    pub pools: Vec<IpRange>,
    /// The device owners that it is for; empty: all.
    pub service_types: Vec<String>,
    /// It answers DHCP.
    pub enable_dhcp: bool,
    /// Its hosts make their addresses themselves (SLAAC or stateless DHCPv6).
    pub auto_address: bool,
    /// The segment that it is of.
    pub segment_id: Option<Id>,
    /// The physical network of that segment.
    pub physical_network: Option<String>,
}

/// What the network offers a port.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// Addresses of these subnets, by position, the preferred ones first.
    From(Vec<usize>),
    /// The network has no subnet.
    Nothing,
    /// It has some, but which one is not known before the port's host is.
    Later,
}

impl Offer {
    /// The positions of the subnets.
    pub fn places(self) -> Vec<usize> {
        match self {
            Self::From(places) => places,
            Self::Nothing | Self::Later => Vec::new(),
        }
    }
}

/// The subnets of a network, oldest first. One whose stored addresses do not convert is passed over
/// and reported.
///
/// # Errors
/// `IpAddressGenerationFailure` where no subnet of several is left; those of the database.
pub async fn of_network(call: &Call<'_>, network_id: Id) -> Result<Vec<Candidate>> {
    let rows = call
        .tx
        .rows(
            "SELECT s.id, s.cidr, s.allocation_pools, s.service_types, s.enable_dhcp, \
             s.ipv6_ra_mode, s.ipv6_address_mode, s.segment_id, g.physical_network \
             FROM subnets s LEFT JOIN segments g ON g.id = s.segment_id \
             WHERE s.network_id = ? ORDER BY s.created_at, s.id",
            &[network_id.store()],
        )
        .await?;
    let candidates: Vec<Candidate> = rows.iter().filter_map(|row| read(row)).collect();
    if candidates.is_empty() && !rows.is_empty() {
        return Err(fault::no_readable_subnet(network_id));
    }
    Ok(candidates)
}

fn read(row: &[Value]) -> Option<Candidate> {
    let [id, cidr, pools, services, dhcp, ra_mode, address_mode, segment, physical] = row else {
        return None;
    };
    let Some(range) = Cidr::load(cidr) else {
        tracing::warn!(
            target: "nucleon::damaged",
            collection = "subnets",
            attribute = "cidr",
            id = id.as_text(),
            "a stored value does not convert and the subnet is passed over; run `nucleon db check`"
        );
        return None;
    };
    Some(Candidate {
        id: Id::load(id)?,
        cidr: range,
        pools: Vec::load(&json(pools)).unwrap_or_default(),
        service_types: texts(&json(services)),
        enable_dhcp: truth(dhcp),
        auto_address: [ra_mode, address_mode].into_iter().any(|mode| is_auto(mode.as_text())),
        segment_id: Id::load(segment),
        physical_network: physical.as_text().map(str::to_owned),
    })
}

/// JSON columns are texts in some engines.
pub(crate) fn json(value: &Value) -> Value {
    match value {
        Value::Text(text) => {
            serde_json::from_str::<serde_json::Value>(text).map_or(Value::Null, Value::json)
        }
        other => other.clone(),
    }
}

/// Truth values are numbers in some engines.
pub(crate) fn truth(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_int().is_some_and(|number| number != 0)
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    let items = value.as_json().and_then(serde_json::Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// True for the modes in which hosts make their addresses themselves.
pub fn is_auto(mode: Option<&str>) -> bool {
    matches!(mode, Some("slaac" | "dhcpv6-stateless"))
}

/// The address that a MAC address makes in a network (modified EUI-64).
pub fn eui64(cidr: &Cidr, mac: &Mac) -> Ip {
    let interface = u128::from(mac.interface_id());
    let network = cidr.first();
    // Networks with auto addresses are /64, so the lower half is empty and the sum an address.
    network.with_bits((network.bits() >> 64 << 64) | interface).unwrap_or(network)
}

/// True for an IPv6 address that looks as if a MAC address had made it.
pub fn is_eui64(ip: &Ip) -> bool {
    ip.version() == 6 && (ip.bits() >> 24) & 0xffff == 0xfffe
}

impl Candidate {
    /// True when ports of this device owner may have addresses of it.
    /// PARITY: DHCP ports may in any subnet that answers DHCP.
    pub fn serves(&self, device_owner: &str) -> bool {
        self.service_types.is_empty()
            || self.service_types.iter().any(|service| service == device_owner)
            || (self.enable_dhcp && device_owner == owner::DHCP)
    }

    /// True when an address can be one of a port: not the network's or the broadcasts' own.
    pub fn accepts(&self, ip: &Ip, device_owner: &str) -> bool {
        if !self.cidr.contains(ip) {
            return false;
        }
        if self.cidr.version() == 4 {
            return *ip != self.cidr.first() && *ip != self.cidr.last();
        }
        // Routers may answer at the subnet-router anycast address.
        // PARITY: and so may ports without a device owner (neutron.ipam.utils.check_subnet_ip).
        *ip != self.cidr.first() || device_owner.is_empty() || owner::is_router_port(device_owner)
    }
}

/// Which subnets a port may have addresses of.
///
/// `ask`: what was asked of addresses; `None`: nothing. `reached`: whether the port's host reaches
/// a physical network.
///
/// # Errors
/// `FixedIpsSubnetsNotOnSameSegment`, `HostNotConnectedToAnySegment`,
/// `IpAddressGenerationFailureNoMatchingSubnet`.
pub fn offer(
    subnets: &[Candidate],
    seat: &Seat,
    ask: Option<&[FixedIpAsk]>,
    reached: impl Fn(Option<&str>) -> bool,
) -> Result<Offer> {
    let serving: Vec<usize> = numbered(subnets, |subnet| subnet.serves(&seat.device_owner));
    let at = |place: &usize| subnets.get(*place);
    let mut eligible = serving.clone();
    if !seat.host.is_empty() {
        eligible.retain(|place| {
            at(place).is_some_and(|subnet| {
                subnet.segment_id.is_none() || reached(subnet.physical_network.as_deref())
            })
        });
    } else if let Some(ask) = ask {
        let distributed = seat.device_owner == owner::DISTRIBUTED;
        if let Some(segment) = segment_of(subnets, &serving, ask, distributed)? {
            eligible.retain(|place| at(place).is_some_and(|subnet| subnet.segment_id == segment));
        }
    } else {
        eligible.retain(|place| at(place).is_some_and(|subnet| subnet.segment_id.is_none()));
    }
    if eligible.is_empty() {
        return none_eligible(subnets, &serving, seat);
    }
    // Subnets made for the port's kind of device come first.
    eligible.sort_by_key(|place| at(place).is_some_and(|subnet| subnet.service_types.is_empty()));
    Ok(Offer::From(eligible))
}

fn numbered(subnets: &[Candidate], accept: impl Fn(&Candidate) -> bool) -> Vec<usize> {
    let places = subnets.iter().enumerate().filter(|(_, subnet)| accept(subnet));
    places.map(|(place, _)| place).collect()
}

/// The one segment whose subnets are asked for, where the host is not known; `None`: any.
fn segment_of(
    subnets: &[Candidate],
    serving: &[usize],
    ask: &[FixedIpAsk],
    distributed: bool,
) -> Result<Option<Option<Id>>> {
    let mut segment: Option<Option<Id>> = None;
    for asked in ask {
        let named = serving.iter().filter_map(|place| subnets.get(*place)).find(|subnet| {
            match (asked.subnet_id, asked.ip_address) {
                (Some(id), _) => subnet.id == id,
                (None, Some(ip)) => subnet.cidr.contains(&ip),
                (None, None) => false,
            }
        });
        let Some(subnet) = named else {
            // It is refused later, with a fault that says what is wrong.
            return Ok(None);
        };
        match segment {
            Some(segment) if segment != subnet.segment_id && !distributed => {
                return Err(fault::fixed_ips_subnets_not_on_same_segment());
            }
            _ => segment = Some(subnet.segment_id),
        }
    }
    Ok(if distributed { None } else { Some(segment.flatten()) })
}

fn none_eligible(subnets: &[Candidate], serving: &[usize], seat: &Seat) -> Result<Offer> {
    if !seat.host.is_empty() && subnets.iter().any(|subnet| subnet.segment_id.is_some()) {
        return Err(fault::host_not_connected_to_any_segment(&seat.host, seat.network_id));
    }
    if subnets.is_empty() {
        return Ok(Offer::Nothing);
    }
    if !serving.is_empty() {
        return Ok(Offer::Later);
    }
    Err(fault::ip_address_generation_failure_no_matching_subnet(
        seat.network_id,
        &seat.device_owner,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;
    use proptest::prelude::*;

    fn subnet(cidr: &str, segment: Option<u128>, services: &[&str]) -> Candidate {
        Candidate {
            id: Id::random(),
            cidr: Cidr::read(cidr).unwrap(),
            pools: Vec::new(),
            service_types: services.iter().map(|text| (*text).to_owned()).collect(),
            enable_dhcp: true,
            auto_address: false,
            segment_id: segment.map(|number| Id::read(&format!("{number:032x}")).unwrap()),
            physical_network: segment.map(|number| format!("phys{number}")),
        }
    }

    fn seat(device_owner: &str, host: &str) -> Seat {
        Seat {
            port_id: Id::random(),
            network_id: Id::random(),
            mac: Mac([2; 6]),
            device_owner: device_owner.to_owned(),
            host: host.to_owned(),
        }
    }

    fn kind(result: Result<Offer>) -> &'static str {
        result.unwrap_err().fault().unwrap().kind
    }

    #[test]
    fn subnets_for_the_device_come_before_those_for_all() {
        let subnets = [
            subnet("10.0.0.0/24", None, &[]),
            subnet("10.0.1.0/24", None, &["compute:nova"]),
            subnet("10.0.2.0/24", None, &["network:router_gateway"]),
        ];
        let offered = offer(&subnets, &seat("compute:nova", ""), None, |_| true).unwrap();
        assert_eq!(offered, Offer::From(vec![1, 0]));
        let offered = offer(&subnets, &seat("network:dhcp", ""), None, |_| true).unwrap();
        assert_eq!(offered, Offer::From(vec![1, 2, 0]));
    }

    #[test]
    fn no_subnet_for_the_device_is_a_fault_and_no_subnet_at_all_is_none() {
        let subnets = [subnet("10.0.2.0/24", None, &["network:router_gateway"])];
        let refused = offer(&subnets, &seat("compute:nova", ""), None, |_| true);
        assert_eq!(kind(refused), "IpAddressGenerationFailureNoMatchingSubnet");
        assert_eq!(offer(&[], &seat("", ""), None, |_| true).unwrap(), Offer::Nothing);
    }

    #[test]
    fn a_routed_network_waits_for_the_host_and_then_offers_what_it_reaches() {
        let subnets = [subnet("10.0.0.0/24", Some(1), &[]), subnet("10.0.1.0/24", Some(2), &[])];
        assert_eq!(offer(&subnets, &seat("", ""), None, |_| true).unwrap(), Offer::Later);
        let second = |name: Option<&str>| name == Some("phys2");
        assert_eq!(offer(&subnets, &seat("", "h"), None, second).unwrap(), Offer::From(vec![1]));
        let refused = offer(&subnets, &seat("", "h"), None, |_| false);
        assert_eq!(kind(refused), "HostNotConnectedToAnySegment");
    }

    #[test]
    fn addresses_asked_for_without_a_host_are_of_one_segment() {
        let subnets = [subnet("10.0.0.0/24", Some(1), &[]), subnet("10.0.1.0/24", Some(2), &[])];
        let of = |place: usize| FixedIpAsk { subnet_id: Some(subnets[place].id), ip_address: None };
        let one = offer(&subnets, &seat("", ""), Some(&[of(1)]), |_| true).unwrap();
        assert_eq!(one, Offer::From(vec![1]));
        let both = [of(0), of(1)];
        let refused = offer(&subnets, &seat("", ""), Some(&both), |_| true);
        assert_eq!(kind(refused), "FixedIpsSubnetsNotOnSameSegment");
        let all = offer(&subnets, &seat(owner::DISTRIBUTED, ""), Some(&both), |_| true).unwrap();
        assert_eq!(all, Offer::From(vec![0, 1]));
    }

    #[test]
    fn network_and_broadcast_addresses_are_nobodys() {
        let v4 = subnet("10.0.0.0/24", None, &[]);
        let ip = |text: &str| Ip::read(text).unwrap();
        assert!(!v4.accepts(&ip("10.0.0.0"), "") && !v4.accepts(&ip("10.0.0.255"), ""));
        assert!(v4.accepts(&ip("10.0.0.1"), "") && !v4.accepts(&ip("10.0.1.1"), ""));
        let v6 = subnet("2001:db8::/64", None, &[]);
        assert!(!v6.accepts(&ip("2001:db8::"), "compute:nova"));
        assert!(v6.accepts(&ip("2001:db8::"), "network:router_interface"));
        assert!(v6.accepts(&ip("2001:db8::ffff:ffff:ffff:ffff"), ""));
    }

    #[test]
    fn the_address_of_a_mac_is_the_one_of_rfc_4291() {
        let cidr = Cidr::read("2001:db8::/64").unwrap();
        let ip = eui64(&cidr, &Mac::read("fa:16:3e:00:00:01").unwrap());
        assert_eq!(ip.to_string(), "2001:db8::f816:3eff:fe00:1");
    }

    proptest! {
        #[test]
        fn addresses_of_macs_are_in_the_network_and_known_as_such(bits in 0u64..1 << 48, net: u64) {
            let first = std::net::Ipv6Addr::from(u128::from(net) << 64);
            let cidr = Cidr::read(&format!("{first}/64")).unwrap();
            let ip = eui64(&cidr, &Mac::from_bits(bits));
            prop_assert!(cidr.contains(&ip) && is_eui64(&ip));
            // The naive way: the octets in their places.
            let mac = Mac::from_bits(bits).0;
            let mut octets = first.octets();
            octets[8..].copy_from_slice(&[
                mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5],
            ]);
            prop_assert_eq!(ip, Ip(std::net::Ipv6Addr::from(octets).into()));
        }
    }
}
