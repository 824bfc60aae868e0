//! Whether a rate keeps a service level: the share of requests that violate it, per window of a trial, against the share that may.
//!
//! The quantile of a window is biased low, and a share is not: its mean over windows is right however short they are.
//! Source: measurement.md D2, "violation fraction, batch-means 95 % bound".
use crate::{
    proportion::{Bounds, Tally, bounds_of_batches, clopper_pearson},
    summary::Latency,
};
use serde::{Deserialize, Serialize};

/// A promise: this share of the requests is answered within this time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Share of the requests, between 0 and 1, such as 0.99.
    pub quantile: f64,
    /// Longest response time since the request was due, in nanoseconds.
    pub limit_ns: u64,
}

impl Level {
    /// The share of the requests that may be slower or fail.
    #[must_use]
    pub fn allowed_share(&self) -> f64 {
        1.0 - self.quantile
    }

    /// How many of these requests violate it: those that were slower, and those that got no good answer.
    #[must_use]
    pub fn tally(&self, latency: &Latency) -> Tally {
        let total = latency.count();
        Tally { hits: total - latency.good.count_within(self.limit_ns), total }
    }
}

/// What the windows of a trial prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// No more requests violate the level than may: 95 % sure.
    Kept,
    /// More requests violate it than may: 95 % sure.
    Violated,
    /// Requests pile up: whatever the level says now, the rate cannot be held.
    Growing,
    /// The trial is too short to say.
    Unknown,
}

impl Finding {
    /// Whether the rate is proven to be too high.
    #[must_use]
    pub fn is_proof_against(self) -> bool {
        matches!(self, Self::Violated | Self::Growing)
    }
}

/// The share of violations in a trial, and what it proves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The share that was seen, between 0 and 1.
    pub share: f64,
    /// The true share is not below; wrong with a chance of 5 %.
    pub lower: f64,
    /// The true share is not above; wrong with a chance of 5 %.
    pub upper: f64,
    /// What that proves.
    pub finding: Finding,
}

/// Judges the windows of a trial against the share that may violate.
///
/// The bounds are `v̄ ± t·sd(v)/√n` over the n windows, with t of n − 1 degrees at 95 %. Where requests are so few that windows without a
/// violation prove nothing, the exact bounds of the binomial are wider, and count.
#[must_use]
pub fn judge(windows: &[Tally], allowed_share: f64) -> Judgement {
    let all: Tally = windows.iter().copied().sum();
    let exact = clopper_pearson(all);
    let Bounds { lower, upper } = match bounds_of_batches(windows) {
        Some(batches) => Bounds { lower: exact.lower.min(batches.lower), upper: exact.upper.max(batches.upper) },
        None => Bounds { lower: 0.0, upper: 1.0 },
    };
    let finding = if upper <= allowed_share {
        Finding::Kept
    } else if lower > allowed_share {
        Finding::Violated
    } else {
        Finding::Unknown
    };
    Judgement { share: all.share(), lower, upper, finding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{distribution::Distribution, record::histogram};

    fn windows(hits: &[u64], total: u64) -> Vec<Tally> {
        hits.iter().map(|hits| Tally { hits: *hits, total }).collect()
    }

    fn check(hits: &[u64], total: u64, expected: Finding) {
        let found = judge(&windows(hits, total), 0.01);
        assert_eq!(found.finding, expected, "{hits:?} of {total}: {found:?}");
    }

    #[test]
    fn the_bounds_are_those_of_t_with_nine_and_nineteen_degrees() {
        // Mean .005, sd .001·√(10/9) = .00105409; 1.833113·.00105409/√10 = .00061104.
        let ten = judge(&windows(&[40, 60, 40, 60, 40, 60, 40, 60, 40, 60], 10_000), 0.01);
        assert!((ten.upper - 0.005_611_04).abs() < 1e-7 && (ten.lower - 0.004_388_96).abs() < 1e-7, "{ten:?}");
        // sd .001·√(20/19) = .00102598; 1.729133·.00102598/√20 = .00039669.
        let twenty = judge(&windows(&[40, 60].repeat(10), 10_000), 0.01);
        assert!((twenty.upper - 0.005_396_69).abs() < 1e-7 && (twenty.lower - 0.004_603_31).abs() < 1e-7, "{twenty:?}");
    }

    #[test]
    fn a_trial_is_kept_violated_or_unknown() {
        check(&[5, 4, 6, 5, 5, 4, 6, 5, 5, 5], 1_000, Finding::Kept);
        check(&[15, 14, 16, 15, 15, 14, 16, 15, 15, 15], 1_000, Finding::Violated);
        check(&[10, 9, 11, 10, 10, 9, 11, 10, 10, 10], 1_000, Finding::Unknown);
        // The same share as the first, but all at once: one bad window in ten may come again.
        check(&[50, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1_000, Finding::Unknown);
        // Nothing in 290 requests is not yet p99; nothing in 300 is (MLPerf: 299 at 95 %).
        check(&[0; 10], 29, Finding::Unknown);
        check(&[0; 10], 30, Finding::Kept);
        check(&[30; 10], 30, Finding::Violated);
        check(&[0; 10], 0, Finding::Unknown);
        check(&[0; 4], 1_000_000, Finding::Unknown);
        check(&[], 0, Finding::Unknown);
    }

    #[test]
    fn slow_and_failed_requests_violate_a_level_alike() {
        let mut values = histogram();
        (1..=100_u64).for_each(|ms| values.record(ms * 1_000_000).unwrap());
        let latency = Latency { good: Distribution::from(&values), failed: 7 };
        let level = Level { quantile: 0.99, limit_ns: 90_000_000 };
        assert_eq!(level.tally(&latency), Tally { hits: 17, total: 107 });
        assert!((level.allowed_share() - 0.01).abs() < 1e-12);
    }
}
