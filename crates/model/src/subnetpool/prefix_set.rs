//! `PrefixSet`: the addresses of a pool as a set, with the arithmetic that pools need: pure. It is
//! kept as ranges that neither touch nor overlap, and shown as the fewest networks.

use wire::types::cidr::{Cidr, IpRange};
use wire::types::ip::Ip;

/// A set of addresses of one IP version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixSet {
    /// Sorted, neither touching nor overlapping.
    ranges: Vec<IpRange>,
}

impl FromIterator<Cidr> for PrefixSet {
    fn from_iter<T: IntoIterator<Item = Cidr>>(cidrs: T) -> Self {
        let range = |cidr: Cidr| IpRange { start: cidr.first(), end: cidr.last() };
        let mut sorted: Vec<IpRange> = cidrs.into_iter().map(range).collect();
        sorted.sort();
        let mut ranges: Vec<IpRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match ranges.last_mut() {
                Some(last) if joins(last, &range) => last.end = last.end.max(range.end),
                _ => ranges.push(range),
            }
        }
        Self { ranges }
    }
}

/// True when the next range begins in the last one or directly after it.
fn joins(last: &IpRange, next: &IpRange) -> bool {
    last.end.version() == next.start.version()
        && next.start.bits() <= last.end.bits().saturating_add(1)
}

impl PrefixSet {
    /// True when all addresses of the network are in the set.
    pub fn covers(&self, cidr: &Cidr) -> bool {
        self.ranges
            .iter()
            .any(|range| range.contains(&cidr.first()) && range.contains(&cidr.last()))
    }

    /// True when all addresses of the other set are in this one.
    pub fn includes(&self, other: &Self) -> bool {
        let within = |one: &IpRange| {
            self.ranges.iter().any(|range| range.contains(&one.start) && range.contains(&one.end))
        };
        other.ranges.iter().all(within)
    }

    /// True when the sets have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.ranges.iter().any(|range| other.ranges.iter().any(|one| range.overlaps(one)))
    }

    /// The addresses that are not in the other set.
    pub fn without(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        for range in &self.ranges {
            let mut rest = Some(*range);
            for hole in other.ranges.iter().filter(|hole| hole.overlaps(range)) {
                let Some(left) = rest else {
                    break;
                };
                if hole.start > left.start
                    && let Some(end) = before(&hole.start)
                {
                    ranges.push(IpRange { start: left.start, end });
                }
                rest = after(&hole.end)
                    .filter(|start| *start <= left.end)
                    .map(|start| IpRange { start, end: left.end });
            }
            ranges.extend(rest);
        }
        Self { ranges }
    }

    /// The set as the fewest networks, in their order.
    pub fn cidrs(&self) -> Vec<Cidr> {
        self.ranges.iter().flat_map(cidrs_of).collect()
    }

    /// The first network of this prefix length in the smallest free block that has room for it.
    pub fn cut(&self, length: u8) -> Option<Cidr> {
        let mut blocks = self.cidrs();
        // Stable: of blocks of one size the first stays the first.
        blocks.sort_by_key(|block| std::cmp::Reverse(block.prefix_length()));
        let block = blocks.into_iter().find(|block| block.prefix_length() <= length)?;
        network(&block.first(), length)
    }
}

fn before(ip: &Ip) -> Option<Ip> {
    ip.with_bits(ip.bits().checked_sub(1)?)
}

fn after(ip: &Ip) -> Option<Ip> {
    ip.with_bits(ip.bits().checked_add(1)?)
}

fn network(first: &Ip, length: u8) -> Option<Cidr> {
    ipnet::IpNet::new(first.0, length).ok().map(Cidr)
}

/// The fewest networks that make up a range: again and again the largest that begins where it
/// begins.
fn cidrs_of(range: &IpRange) -> Vec<Cidr> {
    let width = if range.start.version() == 4 { 32u8 } else { 128 };
    let mut cidrs = Vec::new();
    let mut start = Some(range.start);
    while let Some(first) = start.filter(|first| *first <= range.end) {
        let aligned = first.bits().trailing_zeros().min(u32::from(width)) as u8;
        let fits = |bits: &u8| {
            let last = network(&first, width - bits).map(|cidr| cidr.last());
            last.is_some_and(|last| last <= range.end)
        };
        let Some(cidr) =
            (0..=aligned).rev().find(fits).and_then(|bits| network(&first, width - bits))
        else {
            break;
        };
        cidrs.push(cidr);
        start = after(&cidr.last());
    }
    cidrs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn cidr(text: &str) -> Cidr {
        Cidr::read(text).unwrap()
    }

    fn set(list: &[&str]) -> PrefixSet {
        list.iter().map(|text| cidr(text)).collect()
    }

    fn shown(set: &PrefixSet) -> Vec<String> {
        set.cidrs().iter().map(ToString::to_string).collect()
    }

    /// The naive model: a set of the numbers of addresses in 10.0.0.0/24.
    fn listed(cidrs: &[Cidr]) -> BTreeSet<u128> {
        cidrs
            .iter()
            .flat_map(|cidr| (0..cidr.size()).map(|offset| cidr.nth(offset).unwrap().bits()))
            .collect()
    }

    fn cidrs() -> impl Strategy<Value = Vec<Cidr>> {
        let one = (24u8..=32, any::<u8>())
            .prop_map(|(length, last)| cidr(&format!("10.0.0.{last}/{length}")));
        prop::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn a_set_shows_the_same_addresses_in_as_few_networks(given in cidrs()) {
            let set: PrefixSet = given.iter().copied().collect();
            let made = set.cidrs();
            prop_assert_eq!(listed(&made), listed(&given));
            let ordered = made.windows(2).all(|pair| pair[0].last() < pair[1].first());
            prop_assert!(ordered);
            // No two neighbours could be one network.
            for pair in made.windows(2) {
                let joined = Cidr(ipnet::IpNet::new(
                    pair[0].first().0,
                    pair[0].prefix_length() - 1,
                ).unwrap().trunc());
                let both = pair[0].prefix_length() == pair[1].prefix_length()
                    && joined.first() == pair[0].first() && joined.last() == pair[1].last();
                prop_assert!(!both, "{} and {}", pair[0], pair[1]);
            }
        }

        #[test]
        fn subtraction_and_comparison_are_those_of_sets(one in cidrs(), other in cidrs()) {
            let (left, right): (PrefixSet, PrefixSet) =
                (one.iter().copied().collect(), other.iter().copied().collect());
            let (naive_left, naive_right) = (listed(&one), listed(&other));
            let rest: BTreeSet<u128> = naive_left.difference(&naive_right).copied().collect();
            prop_assert_eq!(listed(&left.without(&right).cidrs()), rest);
            prop_assert_eq!(left.includes(&right), naive_right.is_subset(&naive_left));
            prop_assert_eq!(left.overlaps(&right), !naive_left.is_disjoint(&naive_right));
            for cidr in &other {
                prop_assert_eq!(left.covers(cidr), listed(&[*cidr]).is_subset(&naive_left));
            }
        }

        #[test]
        fn cutting_gives_each_network_once_until_nothing_fits(
            given in cidrs(), length in 26u8..=32
        ) {
            let mut left: PrefixSet = given.iter().copied().collect();
            let whole = left.clone();
            let mut cut = Vec::new();
            while let Some(one) = left.cut(length) {
                prop_assert_eq!(one.prefix_length(), length);
                prop_assert!(whole.covers(&one));
                prop_assert!(cut.iter().all(|earlier: &Cidr| !earlier.overlaps(&one)));
                cut.push(one);
                left = left.without(&PrefixSet::from_iter([one]));
            }
            // Naively: how many aligned networks of that length are whole in the set.
            let naive = listed(&given);
            let step = 1u128 << (32 - length);
            let base = cidr("10.0.0.0/24").first().bits();
            let fit = (0..256 / step)
                .filter(|place| (0..step).all(|off| naive.contains(&(base + place * step + off))))
                .count();
            prop_assert_eq!(cut.len(), fit);
        }
    }

    #[test]
    fn the_smallest_block_with_room_is_cut() {
        let free = set(&["10.0.0.0/16", "10.5.0.0/24"]);
        assert_eq!(free.cut(26), Some(cidr("10.5.0.0/26")));
        assert_eq!(free.cut(20), Some(cidr("10.0.0.0/20")));
        assert_eq!(free.cut(15), None);
    }

    #[test]
    fn neighbours_become_one_and_the_whole_of_a_version_has_an_end() {
        assert_eq!(shown(&set(&["10.0.0.0/25", "10.0.0.128/25"])), ["10.0.0.0/24"]);
        assert_eq!(shown(&set(&["10.0.0.0/24", "10.0.0.4/30"])), ["10.0.0.0/24"]);
        assert_eq!(shown(&set(&["::/1", "8000::/1"])), ["::/0"]);
        assert_eq!(shown(&set(&["0.0.0.0/0"])), ["0.0.0.0/0"]);
        let most = set(&["::/0"]).without(&set(&["ffff::/16"]));
        assert_eq!(most.cidrs().len(), 16);
        assert!(set(&["::/0"]).without(&set(&["::/0"])).cidrs().is_empty());
    }
}
