//! Allocation pools and gateways: pure rules about which addresses of a network are whose. Not
//! here: choosing one for a port (`ipam`).

use wire::fault::{self, Result};
use wire::types::cidr::{Cidr, IpRange};
use wire::types::ip::Ip;

/// The gateway of a subnet for which none is asked: the first address, which in IPv6 is the
/// routers' anycast address.
pub fn default_gateway(cidr: &Cidr) -> Ip {
    if cidr.version() == 6 { cidr.first() } else { second(cidr) }
}

/// The gateway of a subnet that a pool has cut for itself.
/// PARITY: in both versions the second address (neutron.ipam.subnet_alloc).
pub fn second(cidr: &Cidr) -> Ip {
    let first = cidr.first();
    first.bits().checked_add(1).and_then(|bits| first.with_bits(bits)).unwrap_or(first)
}

/// True for a gateway that no host can have: IPv4's network and broadcast addresses. One outside of
/// the subnet is taken to be on the link.
pub fn is_bad_gateway(cidr: &Cidr, gateway: &Ip) -> bool {
    cidr.version() == 4 && (*gateway == cidr.first() || *gateway == cidr.last())
}

/// The addresses of a network that ports can have, gateway or not.
pub fn usable(cidr: &Cidr) -> IpRange {
    let whole = IpRange { start: cidr.first(), end: cidr.last() };
    let inside = |from_start: u128, from_end: u128| IpRange {
        start: whole.nth(from_start).unwrap_or(whole.start),
        end: whole.nth((whole.size() - 1).saturating_sub(from_end)).unwrap_or(whole.end),
    };
    match cidr.version() {
        4 if cidr.prefix_length() <= 30 => inside(1, 1),
        4 => whole,
        // The last of an IPv6 network is an address like any other.
        _ => IpRange { end: whole.end, ..inside(1, 0) },
    }
}

/// The pools of a subnet for which none are asked: all usable addresses but the gateway.
pub fn default_pools(cidr: &Cidr, gateway: Option<Ip>) -> Vec<IpRange> {
    if cidr.first() == cidr.last() {
        return vec![IpRange { start: cidr.first(), end: cidr.last() }];
    }
    let all = usable(cidr);
    let Some(gateway) = gateway.filter(|gateway| all.contains(gateway)) else {
        return vec![all];
    };
    let (start, gap, end) = (all.start.bits(), gateway.bits(), all.end.bits());
    let range = |start: Option<u128>, end: Option<u128>| {
        let range = IpRange { start: all.start.with_bits(start?)?, end: all.end.with_bits(end?)? };
        (range.size() > 0).then_some(range)
    };
    let before = range(Some(start), gap.checked_sub(1));
    let after = range(gap.checked_add(1), Some(end));
    before.into_iter().chain(after).collect()
}

/// Checks asked pools: each of the subnet and the right way round, no two with an address in
/// common.
///
/// # Errors
/// `InvalidAllocationPool`, `OutOfBoundsAllocationPool`, `OverlappingAllocationPools`.
pub fn check(pools: &[IpRange], cidr: &Cidr) -> Result<()> {
    let all = usable(cidr);
    for pool in pools {
        if pool.start.version() != cidr.version() || pool.size() == 0 {
            return Err(fault::invalid_allocation_pool(shown(pool)));
        }
        if pool.start < all.start || pool.end > all.end {
            return Err(fault::out_of_bounds_allocation_pool(shown(pool), cidr));
        }
    }
    let mut sorted: Vec<&IpRange> = pools.iter().collect();
    sorted.sort();
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && one.overlaps(other)
        {
            return Err(fault::overlapping_allocation_pools(shown(one), shown(other)));
        }
    }
    Ok(())
}

/// Checks that the gateway's address is not given to ports.
///
/// # Errors
/// `GatewayConflictWithAllocationPools`.
pub fn check_gateway(pools: &[IpRange], gateway: &Ip) -> Result<()> {
    match pools.iter().find(|pool| pool.contains(gateway)) {
        Some(pool) => Err(fault::gateway_conflict_with_allocation_pools(gateway, shown(pool))),
        None => Ok(()),
    }
}

fn shown(pool: &IpRange) -> String {
    format!("{}-{}", pool.start, pool.end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> Ip {
        Ip::read(text).unwrap()
    }

    fn cidr(text: &str) -> Cidr {
        Cidr::read(text).unwrap()
    }

    fn pools(list: &[(&str, &str)]) -> Vec<IpRange> {
        list.iter().map(|(start, end)| IpRange { start: ip(start), end: ip(end) }).collect()
    }

    fn kind(result: Result<()>) -> &'static str {
        result.unwrap_err().fault().unwrap().kind
    }

    #[test]
    fn default_pools_are_what_neutron_makes() {
        let whole = |text: &str| {
            let cidr = cidr(text);
            default_pools(&cidr, Some(default_gateway(&cidr)))
        };
        assert_eq!(whole("10.0.0.0/24"), pools(&[("10.0.0.2", "10.0.0.254")]));
        assert_eq!(whole("10.0.0.0/30"), pools(&[("10.0.0.2", "10.0.0.2")]));
        assert_eq!(whole("10.0.0.0/31"), pools(&[("10.0.0.0", "10.0.0.0")]));
        assert_eq!(whole("10.0.0.5/32"), pools(&[("10.0.0.5", "10.0.0.5")]));
        assert_eq!(whole("fd00:1::/64"), pools(&[("fd00:1::1", "fd00:1::ffff:ffff:ffff:ffff")]));
        assert_eq!(
            default_pools(&cidr("10.0.0.0/24"), Some(ip("10.0.0.100"))),
            pools(&[("10.0.0.1", "10.0.0.99"), ("10.0.0.101", "10.0.0.254")])
        );
        assert_eq!(default_pools(&cidr("10.0.0.0/24"), None), pools(&[("10.0.0.1", "10.0.0.254")]));
    }

    #[test]
    fn pools_that_overlap_or_leave_the_subnet_are_refused() {
        let net = cidr("10.0.0.0/24");
        let two = pools(&[("10.0.0.10", "10.0.0.20"), ("10.0.0.20", "10.0.0.30")]);
        assert_eq!(kind(check(&two, &net)), "OverlappingAllocationPools");
        let outside = pools(&[("10.0.0.10", "10.0.1.20")]);
        assert_eq!(kind(check(&outside, &net)), "OutOfBoundsAllocationPool");
        assert_eq!(
            kind(check(&pools(&[("10.0.0.0", "10.0.0.9")]), &net)),
            "OutOfBoundsAllocationPool"
        );
        assert_eq!(kind(check(&pools(&[("10.0.0.9", "10.0.0.1")]), &net)), "InvalidAllocationPool");
        assert_eq!(kind(check(&pools(&[("fd00::1", "fd00::2")]), &net)), "InvalidAllocationPool");
        let good = pools(&[("10.0.0.21", "10.0.0.30"), ("10.0.0.10", "10.0.0.20")]);
        assert!(check(&good, &net).is_ok());
        assert_eq!(
            kind(check_gateway(&good, &ip("10.0.0.25"))),
            "GatewayConflictWithAllocationPools"
        );
        assert!(check_gateway(&good, &ip("10.0.0.31")).is_ok());
    }

    proptest! {
        /// The naive model: every address of the network, one by one.
        #[test]
        fn default_pools_are_all_addresses_but_the_special_ones(
            length in 22u8..=32, base: u32, gateway in prop::option::of(0u32..2048)
        ) {
            let net = cidr(&format!("{}/{length}", std::net::Ipv4Addr::from(base)));
            let gateway = gateway.and_then(|offset| net.nth(u128::from(offset)));
            let made = default_pools(&net, gateway);
            for offset in 0..net.size() {
                let one = net.nth(offset).unwrap();
                let special = length <= 30 && (one == net.first() || one == net.last());
                let free = net.size() == 1 || (!special && Some(one) != gateway);
                prop_assert_eq!(made.iter().any(|pool| pool.contains(&one)), free, "{}", one);
            }
            prop_assert!(check(&made, &net).is_ok());
        }
    }
}
