//! How long the prefixes of a pool's subnets may be: pure.

use wire::fault::{self, Result};
use wire::types::whole::Count;

/// The lengths of a pool: shortest, longest, and what is cut when none is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `min_prefixlen`
    pub min: i64,
    /// `max_prefixlen`
    pub max: i64,
    /// `default_prefixlen`
    pub default: i64,
}

impl Bounds {
    /// The bounds that are asked, with the usual ones of the IP version where none is.
    ///
    /// # Errors
    /// `IllegalSubnetPoolPrefixBounds`.
    pub fn of(
        version: u8,
        min: Option<Count>,
        max: Option<Count>,
        default: Option<Count>,
    ) -> Result<Self> {
        let (usual_min, width) = if version == 4 { (8, 32) } else { (64, 128) };
        // PARITY: zero counts as asked.
        let min = min.map_or(usual_min, |count| count.0);
        let max = max.map_or(width, |count| count.0);
        let default = default.map_or(min, |count| count.0);
        let refuse = |name: &str, length: i64, relation: &str, base: i64| {
            Err(fault::illegal_subnetpool_prefix_bounds(name, length, relation, base))
        };
        if min > max {
            return refuse("min_prefixlen", min, "at most 'max_prefixlen',", max);
        }
        if max > width {
            return refuse("max_prefixlen", max, "at most", width);
        }
        if default < min {
            return refuse("default_prefixlen", default, "at least 'min_prefixlen',", min);
        }
        if default > max {
            return refuse("default_prefixlen", default, "at most 'max_prefixlen',", max);
        }
        Ok(Self { min, max, default })
    }

    /// Checks the prefix length of a subnet.
    ///
    /// # Errors
    /// `MinPrefixSubnetAllocationError`, `MaxPrefixSubnetAllocationError`.
    pub fn check(&self, length: i64) -> Result<()> {
        if length > self.max {
            return Err(fault::max_prefix_subnet_allocation_error(length, self.max));
        }
        if length < self.min {
            return Err(fault::min_prefix_subnet_allocation_error(length, self.min));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn bounds_have_the_usual_values_and_an_order() {
        let usual = Bounds::of(4, None, None, None).unwrap();
        assert_eq!(usual, Bounds { min: 8, max: 32, default: 8 });
        let usual = Bounds::of(6, Some(Count(48)), None, None).unwrap();
        assert_eq!(usual, Bounds { min: 48, max: 128, default: 48 });
        for (min, max, default) in [
            (Some(25), Some(24), None),
            (None, Some(33), None),
            (Some(16), None, Some(15)),
            (None, Some(24), Some(25)),
        ] {
            let count = |number: Option<i64>| number.map(Count);
            let refused = Bounds::of(4, count(min), count(max), count(default)).unwrap_err();
            assert_eq!(refused.fault().unwrap().kind, "IllegalSubnetPoolPrefixBounds");
        }
        assert!(usual.check(64).is_ok() && usual.check(47).is_err());
        assert!(usual.check(129).is_err());
    }
}
