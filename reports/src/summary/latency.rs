//! The latency of a set of requests, in which those without a good answer are infinitely slow.
use crate::{
    distribution::{Distribution, rank},
    number,
    record::Measure,
};
use statrs::distribution::{Binomial, DiscreteCDF};
use std::fmt;

/// A quantile of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantile {
    /// A latency in nanoseconds.
    Finite(u64),
    /// It falls among the requests that got no good answer.
    Infinite,
}

impl Quantile {
    /// The latency in nanoseconds; `None` when infinite.
    #[must_use]
    pub fn finite(self) -> Option<u64> {
        match self {
            Self::Finite(nanos) => Some(nanos),
            Self::Infinite => None,
        }
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite(nanos) => f.pad(&number::latency(*nanos)),
            Self::Infinite => f.pad("∞"),
        }
    }
}

/// Whether a measure is taken once a request, so that a request without a good answer counts as infinitely slow.
///
/// Gaps are many per request, lags and the wait for a pool are the generator's own, and few requests open a connection: all are what
/// they are, whatever became of the request.
#[must_use]
pub fn is_judged_per_request(measure: Measure) -> bool {
    use Measure::{Connect, Gap, PoolWait, ScheduleLag, SendLag};
    !matches!(measure, Gap | ScheduleLag | SendLag | PoolWait | Connect)
}

/// Whether a measure exists for streamed answers only.
#[must_use]
pub fn needs_stream(measure: Measure) -> bool {
    matches!(measure, Measure::FirstEvent | Measure::FirstToken | Measure::Gap)
}

/// One measure of a set of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latency {
    /// Values of good answers, in nanoseconds.
    pub good: Distribution,
    /// Requests that got no good answer; intended limits are left out.
    pub failed: u64,
}

impl Latency {
    /// Requests in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.good.count() + self.failed
    }

    /// Share of the requests that got no good answer; 0 when there are none.
    #[must_use]
    pub fn failed_share(&self) -> f64 {
        if self.failed == 0 { 0.0 } else { self.failed as f64 / self.count() as f64 }
    }

    /// The value that this share of the requests does not exceed; `None` without requests.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        (self.count() > 0).then(|| self.at_rank(rank(quantile, self.count())))
    }

    /// Whether there are enough requests for a quantile to be one of them rather than the slowest: at least one lies beyond it.
    #[must_use]
    pub fn resolves(&self, quantile: f64) -> bool {
        let count = self.count() as f64;
        count > 0.0 && (quantile >= 1.0 || quantile <= 0.99 || count * (1.0 - quantile) >= 1.0 - 1e-9)
    }

    /// The slowest; infinite as soon as one failed.
    #[must_use]
    pub fn max(&self) -> Option<Quantile> {
        self.quantile(1.0)
    }

    /// The 95 % interval of a quantile by binomial order statistics; a side that the sample is too small for is `None`.
    ///
    /// Takes the requests as independent of each other; verdicts do not rest on it, see [`proportion`](crate::proportion).
    /// Source: Hahn and Meeker, Statistical Intervals, 5.2.
    #[must_use]
    pub fn interval(&self, quantile: f64) -> (Option<Quantile>, Option<Quantile>) {
        let count = self.count();
        let Ok(below) = Binomial::new(quantile, count) else { return (None, None) };
        // Largest rank with P(at least that many below the true quantile) >= 97.5 %, and the smallest with <= 2.5 %.
        let lower = largest_rank(count, |rank| below.cdf(rank - 1) <= 0.025);
        let upper = largest_rank(count, |rank| below.cdf(rank - 1) < 0.975).map_or(1, |rank| rank + 1);
        (lower.map(|rank| self.at_rank(rank)), (upper <= count).then(|| self.at_rank(upper)))
    }

    fn at_rank(&self, rank: u64) -> Quantile {
        self.good.value_at_rank(rank).map_or(Quantile::Infinite, Quantile::Finite)
    }
}

/// The largest rank from 1 to `count` for which a condition holds that holds up to some rank and not beyond.
fn largest_rank(count: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) { low = middle } else { high = middle - 1 }
    }
    (low > 0).then_some(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::histogram;

    fn latency(values_ms: impl IntoIterator<Item = u64>, failed: u64) -> Latency {
        let mut all = histogram();
        values_ms.into_iter().for_each(|value| all.record(value * 1_000_000).unwrap());
        Latency { good: Distribution::from(&all), failed }
    }

    fn ms(quantile: Option<Quantile>) -> Option<u64> {
        quantile?.finite().map(|nanos| nanos / 1_000_000)
    }

    #[test]
    fn a_failed_request_is_slower_than_any_other() {
        let nine_in_ten = latency(1..=90, 10);
        assert_eq!(ms(nine_in_ten.quantile(0.9)), Some(90));
        assert_eq!(nine_in_ten.quantile(0.91), Some(Quantile::Infinite));
        assert_eq!(nine_in_ten.max(), Some(Quantile::Infinite));
        assert_eq!(latency([], 3).quantile(0.01), Some(Quantile::Infinite));
        assert_eq!(latency([], 0).quantile(0.5), None);
    }

    #[test]
    fn the_interval_of_a_quantile_has_the_ranks_of_the_binomial() {
        // Published for n = 100 and the median: order statistics 40 and 61 (96.5 %).
        let (lower, upper) = latency(1..=100, 0).interval(0.5);
        assert_eq!((ms(lower), ms(upper)), (Some(40), Some(61)));
        let (lower, upper) = latency(1..=10, 0).interval(0.99);
        assert!(lower.is_some() && upper.is_none(), "ten values cannot bound a p99 from above: {lower:?} {upper:?}");
        assert_eq!(latency([], 0).interval(0.5), (None, None));
    }
}
