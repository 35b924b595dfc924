//! Choosing among the addresses of allocation pools: pure arithmetic, the same for a /30 and a /64.
//! Not here: which addresses are taken (`ipam` asks the database).

use std::collections::BTreeSet;

use wire::types::cidr::IpRange;
use wire::types::ip::Ip;

/// A source of numbers that look random, seeded with the request's dice (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as this seed says.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, 0 where there is none.
    pub fn below(&mut self, limit: u128) -> u128 {
        let wide = (u128::from(self.roll()) << 64) | u128::from(self.roll());
        wide.checked_rem(limit).unwrap_or(0)
    }
}

/// How many addresses the pools have; `u128::MAX` stands for more.
pub fn size(pools: &[IpRange]) -> u128 {
    pools.iter().fold(0, |sum: u128, pool| sum.saturating_add(pool.size()))
}

/// The address at this rank, the pools counted one after the other.
pub fn nth(pools: &[IpRange], rank: u128) -> Option<Ip> {
    let mut rank = rank;
    for pool in pools {
        if rank < pool.size() {
            return pool.nth(rank);
        }
        rank -= pool.size();
    }
    None
}

/// The first `count` addresses of the pools.
pub fn first(pools: &[IpRange], count: usize) -> Vec<Ip> {
    (0..count as u128).map_while(|rank| nth(pools, rank)).collect()
}

/// At most `count` different addresses of the pools, any of them; all where there are not more.
pub fn candidates(pools: &[IpRange], count: usize, dice: &mut Dice) -> Vec<Ip> {
    let size = size(pools);
    if size <= count as u128 {
        return shuffled(first(pools, count), dice);
    }
    let mut chosen: Vec<Ip> = Vec::with_capacity(count);
    for _ in 0..count {
        if let Some(ip) = nth(pools, dice.below(size))
            && !chosen.contains(&ip)
        {
            chosen.push(ip);
        }
    }
    chosen
}

fn shuffled(mut list: Vec<Ip>, dice: &mut Dice) -> Vec<Ip> {
    for left in (1..list.len()).rev() {
        let place = dice.below(left as u128 + 1) as usize;
        list.swap(left, place);
    }
    list
}

/// How many addresses of the pools are not taken.
pub fn free(pools: &[IpRange], taken: &BTreeSet<Ip>) -> u128 {
    let used: usize = pools.iter().map(|pool| within(pool, taken).count()).sum();
    size(pools).saturating_sub(used as u128)
}

/// The address at this rank among those that are not taken. Looks at each taken one at most once
/// and never lists the free ones.
pub fn nth_free(pools: &[IpRange], taken: &BTreeSet<Ip>, rank: u128) -> Option<Ip> {
    let mut rank = rank;
    for pool in pools {
        let free = pool.size().saturating_sub(within(pool, taken).count() as u128);
        if rank >= free {
            rank -= free;
            continue;
        }
        // Each taken address at or before the candidate moves it on by one.
        let mut bits = pool.start.bits().checked_add(rank)?;
        for ip in within(pool, taken) {
            if ip.bits() > bits {
                break;
            }
            bits = bits.checked_add(1)?;
        }
        return pool.start.with_bits(bits);
    }
    None
}

/// Any address that is not taken; `None`: all are.
pub fn any_free(pools: &[IpRange], taken: &BTreeSet<Ip>, dice: &mut Dice) -> Option<Ip> {
    let free = free(pools, taken);
    if free == 0 { None } else { nth_free(pools, taken, dice.below(free)) }
}

fn within<'a>(pool: &IpRange, taken: &'a BTreeSet<Ip>) -> impl Iterator<Item = &'a Ip> {
    let bounds = if pool.size() == 0 { None } else { Some(pool.start..=pool.end) };
    bounds.into_iter().flat_map(|bounds| taken.range(bounds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> Ip {
        Ip::read(text).unwrap()
    }

    fn pool(start: &str, end: &str) -> IpRange {
        IpRange { start: ip(start), end: ip(end) }
    }

    /// Pools in 10.0.0.0/24 that do not overlap, and which of the 256 addresses are taken.
    fn world() -> impl Strategy<Value = (Vec<IpRange>, BTreeSet<Ip>)> {
        let cuts = prop::collection::btree_set(0u8..=255, 0..8);
        let taken = prop::collection::btree_set(0u8..=255, 0..256);
        (cuts, taken).prop_map(|(cuts, taken)| {
            let cuts: Vec<u8> = cuts.into_iter().collect();
            let address = |last: u8| ip(&format!("10.0.0.{last}"));
            let pools = cuts
                .chunks_exact(2)
                .map(|pair| IpRange { start: address(pair[0]), end: address(pair[1]) })
                .collect();
            (pools, taken.into_iter().map(address).collect())
        })
    }

    /// The naive model: a list of every address.
    fn listed(pools: &[IpRange]) -> Vec<Ip> {
        (0..=255u8)
            .map(|last| ip(&format!("10.0.0.{last}")))
            .filter(|ip| pools.iter().any(|pool| pool.contains(ip)))
            .collect()
    }

    proptest! {
        #[test]
        fn ranks_number_the_addresses_as_a_list_does((pools, _) in world()) {
            let naive = listed(&pools);
            prop_assert_eq!(size(&pools), naive.len() as u128);
            let ranked: Vec<Ip> = (0..300).map_while(|rank| nth(&pools, rank)).collect();
            prop_assert_eq!(ranked, naive);
        }

        #[test]
        fn free_ranks_number_what_is_not_taken((pools, taken) in world()) {
            let naive: Vec<Ip> =
                listed(&pools).into_iter().filter(|ip| !taken.contains(ip)).collect();
            prop_assert_eq!(free(&pools, &taken), naive.len() as u128);
            let ranked: Vec<Ip> =
                (0..300).map_while(|rank| nth_free(&pools, &taken, rank)).collect();
            prop_assert_eq!(ranked, naive);
        }

        #[test]
        fn taking_one_after_another_gives_each_address_once((pools, taken) in world(), seed: u64) {
            let mut dice = Dice::new(seed);
            let mut held = taken.clone();
            let mut given = BTreeSet::new();
            while let Some(ip) = any_free(&pools, &held, &mut dice) {
                prop_assert!(held.insert(ip), "{} was taken", ip);
                given.insert(ip);
            }
            let naive: BTreeSet<Ip> =
                listed(&pools).into_iter().filter(|ip| !taken.contains(ip)).collect();
            prop_assert_eq!(given, naive);
        }

        #[test]
        fn candidates_are_different_addresses_of_the_pools((pools, _) in world(), seed: u64) {
            let offered = candidates(&pools, 16, &mut Dice::new(seed));
            let different: BTreeSet<Ip> = offered.iter().copied().collect();
            prop_assert_eq!(different.len(), offered.len());
            prop_assert!(offered.iter().all(|ip| pools.iter().any(|pool| pool.contains(ip))));
            prop_assert_eq!(offered.is_empty(), pools.is_empty());
        }
    }

    #[test]
    fn a_pool_of_a_whole_ipv6_network_is_not_listed() {
        let pools = [pool("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff")];
        assert_eq!(candidates(&pools, 16, &mut Dice::new(7)).len(), 16);
        let taken = BTreeSet::from([ip("2001:db8::1"), ip("2001:db8::2")]);
        assert_eq!(nth_free(&pools, &taken, 0), Some(ip("2001:db8::3")));
    }

    #[test]
    fn the_last_address_of_all_can_be_chosen() {
        let pools = [pool("ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")];
        assert_eq!(nth_free(&pools, &BTreeSet::new(), pools[0].size() - 1), Some(pools[0].end));
        let pools = [pool("255.255.255.254", "255.255.255.255")];
        let taken = BTreeSet::from([ip("255.255.255.254")]);
        assert_eq!(nth_free(&pools, &taken, 0), Some(ip("255.255.255.255")));
    }
}
