//! What is compared, and by how much it may be worse.
use super::percentile::Percentile;
use crate::summary::Scope;
use serde::{Serialize, Serializer};
use std::{collections::BTreeSet, fmt};

/// A number that each variant has in each cycle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Metric {
    /// Whose requests.
    #[serde(serialize_with = "as_text")]
    pub scope: Scope,
    /// What of them.
    pub quantity: Quantity,
}

fn as_text<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(scope)
}

/// What is compared of some requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// A percentile of the response time, as a ratio.
    Latency(Percentile),
    /// The share that failed, as a difference.
    ErrorShare,
}

impl Quantity {
    /// Fewest requests per variant and cycle with which it may be compared.
    #[must_use]
    pub fn fewest_requests(self) -> u64 {
        match self {
            Self::Latency(percentile) => percentile.fewest_requests(),
            Self::ErrorShare => 1,
        }
    }

    /// The difference that an effect makes: `ln(1 + effect)` of a slow-down, or the effect itself in a share of failures.
    #[must_use]
    pub fn difference(self, effect: f64) -> f64 {
        match self {
            Self::Latency(_) => effect.ln_1p(),
            Self::ErrorShare => effect,
        }
    }

    /// The effect that makes a difference: the inverse of [`difference`](Self::difference).
    #[must_use]
    pub fn effect(self, difference: f64) -> f64 {
        match self {
            Self::Latency(_) => difference.exp_m1(),
            Self::ErrorShare => difference,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(percentile) => percentile.fmt(f),
            Self::ErrorShare => f.pad("errors"),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.scope, self.quantity))
    }
}

/// A metric and the margin by which it may be worse.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Test {
    /// What is compared.
    #[serde(flatten)]
    pub metric: Metric,
    /// A share: of the baseline's latency (0.05 for 5 % slower), or of all requests (0.001 for 0.1 percentage points more failures).
    pub margin: f64,
}

/// Margin of the median and of p95, and of everything up to it. Source: measurement.md, section 0.
const MARGIN: f64 = 0.05;
/// Margin of percentiles beyond p95.
const TAIL_MARGIN: f64 = 0.10;
/// Margin of the share that failed.
const ERROR_MARGIN: f64 = 0.001;

impl Test {
    /// A metric with the margin that it has when nothing else is said: 5 % for latencies up to p95, 10 % beyond, 0.1 percentage points for
    /// errors.
    #[must_use]
    pub fn new(metric: Metric) -> Self {
        let margin = match metric.quantity {
            Quantity::Latency(percentile) if percentile > Percentile::P95 => TAIL_MARGIN,
            Quantity::Latency(_) => MARGIN,
            Quantity::ErrorShare => ERROR_MARGIN,
        };
        Self { metric, margin }
    }

    /// What is compared when nothing else is said: p50, p95 and errors of every scope, p99 of all requests together.
    ///
    /// With p99 of every endpoint, too few requests stand behind each for 24 metrics to pass together. Source: measurement.md B3.
    #[must_use]
    pub fn usual(scopes: &[Scope]) -> Vec<Self> {
        let of_each = [Quantity::Latency(Percentile::P50), Quantity::Latency(Percentile::P95), Quantity::ErrorShare];
        let each = scopes.iter().flat_map(|scope| of_each.map(|quantity| Metric { scope: scope.clone(), quantity }));
        let tail = Metric { scope: Scope::All, quantity: Quantity::Latency(Percentile::P99) };
        each.chain([tail]).map(Self::new).collect()
    }
}

/// Why a list of tests is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("the gate compares nothing; name at least one metric")]
    Nothing,
    /// A metric stands there twice, and would count twice.
    #[error("the gate compares `{0}` twice; name it once")]
    Twice(Metric),
    /// A margin that nothing can be worse by.
    #[error("the margin of `{metric}` is {margin}; write a share from 0 to below 1, such as 0.05 for 5 %")]
    Margin {
        /// Of what.
        metric: Metric,
        /// As given.
        margin: f64,
    },
}

/// Checks a list of tests.
///
/// # Errors
/// When it is empty, a metric stands there twice, or a margin is not a share below 1.
pub fn check(tests: &[Test]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for Test { metric, margin } in tests {
        if !seen.insert(metric) {
            return Err(Error::Twice(metric.clone()));
        }
        if !(0.0..1.0).contains(margin) {
            return Err(Error::Margin { metric: metric.clone(), margin: *margin });
        }
    }
    if tests.is_empty() { Err(Error::Nothing) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_has_the_margins_of_the_page() {
        let tests = Test::usual(&[Scope::Step("flights.search".to_owned()), Scope::Step("chat.message".to_owned())]);
        let text: Vec<String> = tests.iter().map(|test| format!("{} {}", test.metric, test.margin)).collect();
        assert_eq!(
            text,
            [
                "flights.search p50 0.05",
                "flights.search p95 0.05",
                "flights.search errors 0.001",
                "chat.message p50 0.05",
                "chat.message p95 0.05",
                "chat.message errors 0.001",
                "all p99 0.1",
            ]
        );
        assert_eq!(check(&tests), Ok(()));
    }

    #[test]
    fn a_list_that_is_none_is_refused_with_a_way_out() {
        let test = Test::new(Metric { scope: Scope::All, quantity: Quantity::ErrorShare });
        let refused = |tests: &[Test]| check(tests).unwrap_err().to_string();
        assert_eq!(refused(&[]), "the gate compares nothing; name at least one metric");
        assert_eq!(refused(&[test.clone(), test.clone()]), "the gate compares `all errors` twice; name it once");
        for margin in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
            let text = refused(&[Test { margin, ..test.clone() }]);
            assert!(text.starts_with(&format!("the margin of `all errors` is {margin}; write a share")), "{text}");
        }
    }

    #[test]
    fn effects_and_differences_are_inverse() {
        for quantity in [Quantity::Latency(Percentile::P50), Quantity::ErrorShare] {
            for effect in [-0.5, 0.0, 0.05, 0.9] {
                assert!((quantity.effect(quantity.difference(effect)) - effect).abs() < 1e-15);
            }
        }
    }
}
