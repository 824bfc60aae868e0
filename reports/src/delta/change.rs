//! How far one figure lies above another, and between which bounds.
use crate::summary::Quantile;
use serde::Serialize;

/// A difference with its 95 % interval; a side that is `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// What was seen: a share of the first run's figure, or a difference of shares.
    pub estimate: f64,
    /// The true difference is not below.
    pub lower: Option<f64>,
    /// The true difference is not above.
    pub upper: Option<f64>,
}

/// A figure with its own 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub(super) value: f64,
    pub(super) lower: Option<f64>,
    pub(super) upper: Option<f64>,
}

impl Change {
    /// The difference of two figures from their own intervals: the method of variance estimates recovery.
    ///
    /// `L = d − √((b − l_b)² + (u_a − a)²)`, `U = d + √((u_b − b)² + (a − l_a)²)`.
    /// Source: G. Zou and A. Donner, Statistics in Medicine 27 (2008), 1693–1702, formula 4; of shares with Wilson's intervals it is
    /// R. Newcombe's method 10 (Statistics in Medicine 17 (1998), 873–890).
    pub(super) fn of_difference(a: Seen, b: Seen) -> Self {
        let estimate = b.value - a.value;
        let reach = |of_b: Option<f64>, of_a: Option<f64>| Some((b.value - of_b?).hypot(of_a? - a.value));
        Self {
            estimate,
            lower: reach(b.lower, a.upper).map(|reach| estimate - reach),
            upper: reach(b.upper, a.lower).map(|reach| estimate + reach),
        }
    }

    /// The change of a latency as a share of the first, from the difference of logarithms; `None` when either is infinite.
    pub(super) fn of_latencies(a: Interval, b: Interval) -> Option<Self> {
        let logarithm = |value: Option<Quantile>| value.and_then(Quantile::finite).map(|ns| (ns.max(1) as f64).ln());
        let seen = |(value, lower, upper): Interval| {
            Some(Seen { value: logarithm(value)?, lower: logarithm(lower), upper: logarithm(upper) })
        };
        let change = Self::of_difference(seen(a)?, seen(b)?);
        let share = f64::exp_m1;
        Some(Self { estimate: share(change.estimate), lower: change.lower.map(share), upper: change.upper.map(share) })
    }

    /// Whether the interval lies on one side of none at all.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.lower.is_some_and(|lower| lower > 0.0) || self.upper.is_some_and(|upper| upper < 0.0)
    }
}

/// A quantile and its bounds.
pub(super) type Interval = (Option<Quantile>, Option<Quantile>, Option<Quantile>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::share::wilson;

    #[test]
    fn the_difference_of_shares_is_that_of_the_published_example() {
        // Newcombe (1998), table II, row (a): 56/70 − 48/80, method 10: 0.2000, 0.0524 to 0.3339.
        let change = Change::of_difference(wilson(48, 80), wilson(56, 70));
        let (lower, upper) = (change.lower.unwrap(), change.upper.unwrap());
        assert!((change.estimate - 0.2).abs() < 1e-12, "{change:?}");
        assert!((lower - 0.0524).abs() < 5e-5 && (upper - 0.3339).abs() < 5e-5, "{change:?}");
        assert!(change.is_clear());
    }

    #[test]
    fn an_infinite_quantile_has_no_change_and_an_open_bound_stays_open() {
        let finite = Some(Quantile::Finite(100));
        assert_eq!(Change::of_latencies((Some(Quantile::Infinite), None, None), (finite, finite, finite)), None);
        let change = Change::of_latencies(
            (finite, finite, finite),
            (Some(Quantile::Finite(200)), finite, Some(Quantile::Infinite)),
        );
        let change = change.unwrap();
        assert!((change.estimate - 1.0).abs() < 1e-12 && change.upper.is_none(), "{change:?}");
        assert!(change.lower.unwrap().abs() < 1e-12 && !change.is_clear(), "{change:?}");
    }
}
