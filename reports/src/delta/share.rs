//! How the shares of the outcome classes differ.
use super::change::{Change, Seen};
use crate::{
    record::Outcome,
    summary::{OutcomeCounts, Scope, Summary, Window},
};
use serde::Serialize;

/// 97.5 % of a normal law lie below.
const Z: f64 = 1.959_963_984_540_054;

/// The share of one class, or of all errors, in some requests of each run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShareDelta {
    /// Whose requests; `all`, a journey or a step.
    #[serde(serialize_with = "super::latency::as_text")]
    pub scope: Scope,
    /// Which part of the run.
    #[serde(serialize_with = "super::latency::as_text")]
    pub window: Window,
    /// The class, or `errors` for all that count as such.
    pub class: &'static str,
    /// Requests of the class, in each run.
    pub counts: Vec<u64>,
    /// Requests they are a share of, in each run.
    pub totals: Vec<u64>,
    /// Of each run but the first: the difference of the shares, between −1 and 1; `None` without requests.
    pub changes: Vec<Option<Change>>,
}

impl ShareDelta {
    fn new(scope: &Scope, window: &Window, class: &'static str, seen: Vec<(u64, u64)>) -> Self {
        let share = |(count, total): (u64, u64)| (total > 0).then(|| wilson(count, total));
        let first = share(seen[0]);
        let change = |other: &(u64, u64)| Some(Change::of_difference(first?, share(*other)?));
        Self {
            scope: scope.clone(),
            window: window.clone(),
            class,
            changes: seen[1..].iter().map(change).collect(),
            counts: seen.iter().map(|(count, _)| *count).collect(),
            totals: seen.iter().map(|(_, total)| *total).collect(),
        }
    }

    /// The share in one run; `None` without requests.
    #[must_use]
    pub fn share(&self, run_index: usize) -> Option<f64> {
        let (count, total) = (self.counts[run_index] as f64, self.totals[run_index]);
        (total > 0).then(|| count / total as f64)
    }
}

/// A share with Wilson's interval. Source: E. Wilson, Journal of the American Statistical Association 22 (1927).
pub(super) fn wilson(count: u64, total: u64) -> Seen {
    let (n, share) = (total as f64, count as f64 / total as f64);
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // At the ends of the scale the formula is exact, but its floats are not.
    let lower = if count == 0 { 0.0 } else { (centre - half) / scale };
    let upper = if count == total { 1.0 } else { (centre + half) / scale };
    Seen { value: share, lower: Some(lower), upper: Some(upper) }
}

/// The classes that any run has seen, and all errors together where there are several kinds of them; of each journey and of everything.
pub(super) fn of_runs(summaries: &[&Summary], scopes: &[Scope], window: &Window) -> Vec<ShareDelta> {
    let mut deltas = Vec::new();
    for scope in scopes {
        let counts: Vec<OutcomeCounts> = summaries.iter().map(|summary| summary.outcomes(scope, window)).collect();
        for class in Outcome::ALL.into_iter().filter(|class| counts.iter().any(|seen| seen.get(*class) > 0)) {
            let seen = counts.iter().map(|seen| (seen.get(class), seen.total())).collect();
            deltas.push(ShareDelta::new(scope, window, class.name(), seen));
        }
        let errors: Vec<(u64, u64)> = counts.iter().map(|seen| (seen.errors(), seen.judged())).collect();
        deltas.push(ShareDelta::new(scope, window, "errors", errors));
    }
    deltas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_the_published_interval() {
        // Newcombe (1998), Statistics in Medicine 17, 857–872, table I, method 3.
        let cases =
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)];
        for (count, total, lower, upper) in cases {
            let seen = wilson(count, total);
            assert!((seen.lower.unwrap() - lower).abs() < 5e-5, "{count}/{total}: {seen:?}");
            assert!((seen.upper.unwrap() - upper).abs() < 5e-5, "{count}/{total}: {seen:?}");
        }
        assert_eq!(wilson(7, 7).upper, Some(1.0));
    }
}
