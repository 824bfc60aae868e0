//! How often each latency was seen: the exact content of HDR histograms, kept sparsely so that hundreds of them fit in memory.
use crate::record::histogram;
use hdrhistogram::Histogram;
use std::{collections::BTreeMap, sync::LazyLock};

/// Counts per HDR bucket. Merging is exact: the sum of two is what one histogram of all values would hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Highest value of the bucket, in nanoseconds, and how many values fell into it.
    counts: BTreeMap<u64, u64>,
    count: u64,
}

/// Where HDR's buckets lie; holds no values.
static BUCKETS: LazyLock<Histogram<u64>> = LazyLock::new(histogram);

impl From<&Histogram<u64>> for Distribution {
    fn from(histogram: &Histogram<u64>) -> Self {
        let mut counts = BTreeMap::new();
        let (mut value_ns, max_ns) = (histogram.min(), histogram.max());
        while value_ns <= max_ns {
            let bucket_count = histogram.count_at(value_ns);
            if bucket_count > 0 {
                counts.insert(histogram.highest_equivalent(value_ns), bucket_count);
            }
            value_ns = histogram.next_non_equivalent(value_ns);
        }
        Self { counts, count: histogram.len() }
    }
}

impl Distribution {
    /// The same from values and how often each was seen, as a recorder holds them; exactly what their histogram would give.
    #[must_use]
    pub fn of_values(values: &BTreeMap<u64, u64>) -> Self {
        let mut counts = BTreeMap::new();
        for (value_ns, count) in values {
            *counts.entry(BUCKETS.highest_equivalent(*value_ns)).or_default() += count;
        }
        Self { counts, count: values.values().sum() }
    }

    /// Adds every value of another distribution.
    pub fn add(&mut self, other: &Self) {
        for (value_ns, bucket_count) in &other.counts {
            *self.counts.entry(*value_ns).or_default() += bucket_count;
        }
        self.count += other.count;
    }

    /// How many values it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Values in the bucket of the limit or below; the limit's own bucket (0.1 % wide) counts as within.
    #[must_use]
    pub fn count_within(&self, limit_ns: u64) -> u64 {
        let top = BUCKETS.highest_equivalent(limit_ns.clamp(1, BUCKETS.high()));
        self.counts.range(..=top).map(|(_, count)| count).sum()
    }

    /// The value at a rank from 1, in nanoseconds: HDR's value, the highest of its bucket. `None` beyond the last rank.
    #[must_use]
    pub fn value_at_rank(&self, rank: u64) -> Option<u64> {
        let mut seen = 0;
        self.counts.iter().find_map(|(value_ns, count)| {
            seen += count;
            (seen >= rank).then_some(*value_ns)
        })
    }

    /// The largest value, in nanoseconds.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.counts.last_key_value().map(|(value_ns, _)| *value_ns)
    }

    /// The sum of the values, in nanoseconds, to the 0.05 % that a bucket is wide on either side of its middle.
    #[must_use]
    pub fn sum_ns(&self) -> f64 {
        self.buckets().map(|(value_ns, count)| BUCKETS.median_equivalent(value_ns) as f64 * count as f64).sum()
    }

    /// The same as a histogram of the record's bounds.
    #[must_use]
    pub fn histogram(&self) -> Histogram<u64> {
        let mut all = histogram();
        for (value_ns, count) in self.buckets() {
            all.saturating_record_n(value_ns, count);
        }
        all
    }

    /// Every bucket that holds values, in order: its highest value in nanoseconds and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.iter().map(|(value_ns, count)| (*value_ns, *count))
    }
}

/// The rank that a quantile stands at among `count` values: `ceil(q·n)`, at least 1.
///
/// The 1e-9 keeps `0.999 * 30000 = 29970.000000000004` from becoming rank 29971.
/// Source: measurement.md F, rank rule.
#[must_use]
pub fn rank(quantile: f64, count: u64) -> u64 {
    ((quantile * count as f64 - 1e-9).ceil() as u64).clamp(1, count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_do_not_suffer_from_float_error() {
        assert_eq!(rank(0.999, 30_000), 29_970);
        assert_eq!(rank(0.5, 1), 1);
        assert_eq!(rank(0.5, 2), 1);
        assert_eq!(rank(0.95, 20), 19);
        assert_eq!((rank(0.0, 10), rank(1.0, 10), rank(0.5, 0)), (1, 10, 1));
    }

    #[test]
    fn a_distribution_answers_as_the_histogram_it_was_made_of() {
        let mut whole = histogram();
        let mut merged = Distribution::default();
        for part in 0..7_u64 {
            let mut one = histogram();
            for step in 1..=1000_u64 {
                let value_ns = (step * step * 7919 + part * 104_729) % 3_000_000_000 + 1;
                whole.record(value_ns).unwrap();
                one.record(value_ns).unwrap();
            }
            merged.add(&Distribution::from(&one));
        }
        assert_eq!(merged.count(), 7000);
        for quantile in [0.0001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            assert_eq!(
                merged.value_at_rank(rank(quantile, 7000)),
                Some(whole.value_at_quantile(quantile)),
                "{quantile}"
            );
        }
        assert_eq!(merged.max(), Some(whole.max()));
        let limit_ns = 1_000_000_000;
        assert_eq!(merged.count_within(limit_ns), whole.count_between(0, limit_ns));
    }

    #[test]
    fn values_that_share_a_bucket_are_all_counted() {
        let values = BTreeMap::from([(10_000_000, 3), (10_000_001, 4), (20_000_000, 1)]);
        let mut all = histogram();
        values.iter().for_each(|(value_ns, count)| all.record_n(*value_ns, *count).unwrap());
        assert_eq!(Distribution::of_values(&values), Distribution::from(&all));
    }

    #[test]
    fn an_empty_distribution_has_no_values() {
        let empty = Distribution::default();
        assert_eq!((empty.count(), empty.max(), empty.value_at_rank(1), empty.count_within(5)), (0, None, None, 0));
        assert_eq!(Distribution::from(&histogram()), empty);
    }
}
