//! Latencies, counted in buckets that are at most 1/64 wide of what they hold: recording costs an
//! addition, and no sample is thrown away.

use std::time::Duration;

/// Buckets for one power of two.
const STEPS: u32 = 64;

/// How often which latency was seen. Microseconds inside.
#[derive(Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    most: u64,
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(micros);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.most = self.most.max(micros);
    }

    /// Adds everything that another one has counted.
    pub fn merge(&mut self, other: &Histogram) {
        self.buckets.resize(self.buckets.len().max(other.buckets.len()), 0);
        for (ours, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *ours += theirs;
        }
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, in milliseconds.
    pub fn most(&self) -> f64 {
        millis(self.most)
    }

    /// The latency, in milliseconds, that this share of all (0 to 1) did not exceed; rounded up to
    /// the end of its bucket. 0 if nothing was counted.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return millis(upper_end(bucket).min(self.most));
            }
        }
        0.0
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Below 128 each number has its bucket; above, the leading seven bits and their place choose it.
fn bucket(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(STEPS.ilog2() + 1);
    (shift * STEPS) as usize + (micros >> shift) as usize
}

/// The greatest number that falls into the bucket.
fn upper_end(bucket: usize) -> u64 {
    let steps = STEPS as usize;
    let shift = (bucket / steps).saturating_sub(1);
    let leading = (bucket - shift * steps) as u64;
    ((leading + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_its_bucket_and_buckets_are_narrow() {
        let mut last = 0;
        for micros in (0..3000).chain([5_000, 99_999, 1_000_000, 60_000_000, 1 << 40]) {
            let bucket = bucket(micros);
            assert!(bucket >= last, "{micros}");
            let end = upper_end(bucket);
            assert!(
                end >= micros && (end - micros) as f64 <= micros as f64 / 64.0,
                "{micros} {end}"
            );
            assert!(bucket == 0 || upper_end(bucket - 1) < micros, "{micros}");
            last = bucket;
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_samples() {
        let (mut all, mut half) = (Histogram::default(), Histogram::default());
        for micros in 1..=1000 {
            let one = if micros % 2 == 0 { &mut all } else { &mut half };
            one.record(Duration::from_micros(micros));
        }
        all.merge(&half);
        assert_eq!(all.count(), 1000);
        assert!((all.quantile(0.5) - 0.5).abs() < 0.01, "{}", all.quantile(0.5));
        assert!((all.quantile(0.99) - 0.99).abs() < 0.017, "{}", all.quantile(0.99));
        assert!((all.most() - 1.0).abs() < 1e-9 && all.quantile(1.0) <= all.most());
        assert!(Histogram::default().quantile(0.5) == 0.0);
    }
}
