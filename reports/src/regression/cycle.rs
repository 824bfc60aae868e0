//! What one cycle of a gate measured: both variants, freshly started, under one schedule whose requests a balanced coin sent to either.
use super::metric::{Metric, Quantity};
use crate::{
    record::Variant,
    summary::{Latency, Quantile, Scope},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One cycle: the unit of replication of a gate. Requests of one cycle share its restart and are no replicates.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// Which variant was started first, by a seeded coin.
    pub first: Variant,
    /// What the baseline answered.
    pub baseline: Arm,
    /// What the candidate answered.
    pub candidate: Arm,
    /// How it was carried out; `None` of one that was made up.
    pub conduct: Option<Conduct>,
}

/// How a cycle was carried out: what decides whether it may be believed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conduct {
    /// Why it is no measurement: a variant did not start or died, samples were lost, the generator was at its end.
    pub broken: Option<String>,
    /// Why it is a poor one: requests went out later than they were to, which both variants share.
    pub late: Option<String>,
    /// Share of the machine's cores that generator, both variants and what they need have used; `None` when they are not ours to watch.
    pub used_share: Option<f64>,
    /// Whether both variants were started for it.
    pub is_restarted: bool,
}

/// One variant in one cycle, warm-up left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arm {
    /// How many labels of each labelled stream of arrivals named this variant.
    pub labels: BTreeMap<String, u64>,
    /// Response times since due, and the failed requests, of every scope.
    pub latencies: BTreeMap<Scope, Latency>,
}

/// Why something is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotTested {
    /// A cycle has too few requests of a variant.
    TooFewRequests {
        /// Requests in the smallest of them.
        fewest: u64,
        /// Requests that each needs.
        needed: u64,
    },
    /// In a cycle the percentile of both variants is a request that failed or was given up, so nothing is known of their ratio.
    BothTimedOut {
        /// Position of the first such cycle.
        cycle_index: usize,
    },
}

impl NotTested {
    /// Whether a gate that was to compare this cannot pass without it. A percentile with too few requests is no part of the gate.
    #[must_use]
    pub fn blocks_pass(self) -> bool {
        matches!(self, Self::BothTimedOut { .. })
    }
}

/// The differences of a metric, cycle by cycle, and what it is in either variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Candidate against baseline: difference of logarithms for a latency, of shares for errors.
    pub differences: Vec<f64>,
    /// Values of the baseline: nanoseconds, or the share that failed.
    pub baseline: Vec<f64>,
    /// Values of the candidate, likewise.
    pub candidate: Vec<f64>,
}

impl Series {
    /// Compares both variants in every cycle. A request that failed is as slow as the timeout, and so is one that took longer.
    ///
    /// # Errors
    /// Why this metric is not compared.
    pub fn of(cycles: &[Cycle], metric: &Metric, timeout_ns: u64) -> Result<Self, NotTested> {
        let needed = metric.quantity.fewest_requests();
        let arms = || cycles.iter().flat_map(|cycle| [&cycle.baseline, &cycle.candidate]);
        let fewest = arms().map(|arm| arm.requests(&metric.scope)).min().unwrap_or(0);
        if fewest < needed {
            return Err(NotTested::TooFewRequests { fewest, needed });
        }
        let values = |variant: fn(&Cycle) -> &Arm| -> Vec<f64> {
            cycles.iter().map(|cycle| variant(cycle).value(metric, timeout_ns)).collect()
        };
        let (baseline, candidate) = (values(|cycle| &cycle.baseline), values(|cycle| &cycle.candidate));
        let pairs = || baseline.iter().zip(&candidate);
        let is_latency = matches!(metric.quantity, Quantity::Latency(_));
        let timed_out = |(a, b): (&f64, &f64)| a.min(*b) >= timeout_ns as f64;
        if let Some(cycle_index) = pairs().position(timed_out).filter(|_| is_latency) {
            return Err(NotTested::BothTimedOut { cycle_index });
        }
        let difference = |(a, b): (&f64, &f64)| if is_latency { b.ln() - a.ln() } else { b - a };
        Ok(Self { differences: pairs().map(difference).collect(), baseline, candidate })
    }
}

impl Arm {
    /// Requests of a scope, with those that failed.
    #[must_use]
    pub fn requests(&self, scope: &Scope) -> u64 {
        self.latencies.get(scope).map_or(0, Latency::count)
    }

    fn value(&self, metric: &Metric, timeout_ns: u64) -> f64 {
        let Some(latency) = self.latencies.get(&metric.scope) else { return f64::NAN };
        match metric.quantity {
            Quantity::ErrorShare => latency.failed_share(),
            Quantity::Latency(percentile) => {
                let value_ns = latency.quantile(percentile.share()).and_then(Quantile::finite);
                value_ns.unwrap_or(timeout_ns).clamp(1, timeout_ns.max(1)) as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{distribution::Distribution, regression::percentile::Percentile};

    const MS: u64 = 1_000_000;

    fn arm(values_ms: impl IntoIterator<Item = u64>, failed: u64) -> Arm {
        let mut values = BTreeMap::new();
        values_ms.into_iter().for_each(|value| *values.entry(value * MS).or_default() += 1);
        let latency = Latency { good: Distribution::of_values(&values), failed };
        Arm { labels: BTreeMap::new(), latencies: BTreeMap::from([(Scope::All, latency)]) }
    }

    fn series(pairs: Vec<(Arm, Arm)>, quantity: Quantity) -> Result<Series, NotTested> {
        let cycle = |(baseline, candidate)| Cycle { first: Variant::Baseline, baseline, candidate, conduct: None };
        let cycles: Vec<Cycle> = pairs.into_iter().map(cycle).collect();
        Series::of(&cycles, &Metric { scope: Scope::All, quantity }, 500 * MS)
    }

    #[test]
    fn differences_are_log_ratios_of_the_percentile_in_each_cycle() {
        let p50 = Quantity::Latency(Percentile::P50);
        let pairs = vec![(arm(1..=40, 0), arm((1..=40).map(|ms| 2 * ms), 0)), (arm(1..=40, 0), arm(1..=40, 0))];
        let found = series(pairs, p50).unwrap();
        // A bucket is 0.1 % wide.
        assert!((found.differences[0] - 2_f64.ln()).abs() < 2e-3, "{found:?}");
        assert_eq!(found.differences[1], 0.0);
        assert!((found.baseline[0] / 20e6 - 1.0).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn a_failed_request_is_as_slow_as_the_timeout_and_one_that_took_longer_too() {
        let p50 = Quantity::Latency(Percentile::P50);
        let found = series(vec![(arm(1..=40, 0), arm(1..=19, 21)), (arm(1..=40, 0), arm([900; 40], 0))], p50).unwrap();
        assert_eq!(found.candidate, [500e6, 500e6]);
        assert!((found.differences[0] - 25_f64.ln()).abs() < 2e-3);
        let both = series(vec![(arm(1..=40, 0), arm(1..=40, 0)), (arm(1..=9, 31), arm([], 40))], p50);
        assert_eq!(both, Err(NotTested::BothTimedOut { cycle_index: 1 }));
        assert!(both.unwrap_err().blocks_pass());
    }

    #[test]
    fn errors_are_compared_as_shares() {
        let found = series(vec![(arm(1..=99, 1), arm(1..=96, 4)), (arm([], 5), arm(1..=5, 0))], Quantity::ErrorShare);
        let found = found.unwrap();
        assert!((found.differences[0] - 0.03).abs() < 1e-12 && found.differences[1] == -1.0, "{found:?}");
    }

    #[test]
    fn the_smallest_cycle_decides_whether_there_are_enough_requests() {
        let pairs = || vec![(arm(1..=500, 0), arm(1..=500, 0)), (arm(1..=500, 0), arm(1..=190, 9))];
        let short = NotTested::TooFewRequests { fewest: 199, needed: 200 };
        assert_eq!(series(pairs(), Quantity::Latency(Percentile::P95)), Err(short));
        assert!(!short.blocks_pass());
        assert!(series(pairs(), Quantity::Latency(Percentile::P50)).is_ok());
        let none = NotTested::TooFewRequests { fewest: 0, needed: 1 };
        assert_eq!(series(vec![(arm([], 0), arm([], 0))], Quantity::ErrorShare), Err(none));
        assert_eq!(series(Vec::new(), Quantity::ErrorShare), Err(none));
    }
}
