//! How far two groups of values lie apart: the median of all differences between them, with its bounds.
//!
//! Source: H. Mann and D. Whitney, Annals of Mathematical Statistics 18 (1947); Hodges and Lehmann (1963).
use crate::regression::shift::median_of_sorted;
use statrs::distribution::{ContinuousCDF as _, Normal};

/// Up to so many pairs the law of their signs is counted out; beyond, it is taken as normal.
const COUNTED_PAIRS: usize = 2_500;

/// By how much values after lie above values before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSamples {
    /// Hodges–Lehmann estimate: the median of all differences; not a number when a group is empty.
    pub estimate: f64,
    /// The shift is not below, but for a chance of alpha; minus infinity with too few values.
    pub lower: f64,
    /// The shift is not above, but for a chance of alpha; infinity with too few values.
    pub upper: f64,
}

impl TwoSamples {
    /// Of two groups of finite values, each bound with a chance of error of at most `alpha`.
    #[must_use]
    pub fn of(before: &[f64], after: &[f64], alpha: f64) -> Self {
        let mut differences: Vec<f64> = after.iter().flat_map(|after| before.iter().map(move |b| after - b)).collect();
        differences.sort_by(f64::total_cmp);
        let (lower, upper) = match critical_count(before.len(), after.len(), alpha) {
            Some(k) => (differences[k], differences[differences.len() - 1 - k]),
            None => (f64::NEG_INFINITY, f64::INFINITY),
        };
        Self { estimate: median_of_sorted(&differences), lower, upper }
    }
}

/// The largest k for which at most k of all pairs are in the wrong order with a chance of at most `alpha`, for groups that do not differ.
/// `None` when even no pair at all is likelier than that.
#[must_use]
pub fn critical_count(before: usize, after: usize, alpha: f64) -> Option<usize> {
    let pairs = before * after;
    if pairs == 0 {
        return None;
    }
    if pairs > COUNTED_PAIRS {
        let (mean, total) = (pairs as f64 / 2.0, (before + after + 1) as f64);
        let deviation = (pairs as f64 * total / 12.0).sqrt();
        let k = mean - 0.5 + Normal::standard().inverse_cdf(alpha) * deviation;
        return (k >= 0.0).then_some(k as usize);
    }
    let mut chance = 0.0;
    let likely = law(before, after).into_iter().position(|of_count| {
        chance += of_count;
        chance > alpha
    });
    likely.unwrap_or(0).checked_sub(1)
}

/// The chance of each number of pairs in the wrong order: the coefficients of the Gaussian binomial over their sum.
///
/// The largest value is one of the m before with a chance of m/(m + n), and then above all n after.
fn law(before: usize, after: usize) -> Vec<f64> {
    // One row per number of values before; rows of one number of values after at a time.
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; before + 1];
    for n in 1..=after {
        let mut next: Vec<Vec<f64>> = vec![vec![1.0]];
        for m in 1..=before {
            let share = m as f64 / (m + n) as f64;
            let mut chances = vec![0.0; m * n + 1];
            // The largest is one before: it lies above all n after.
            next[m - 1].iter().enumerate().for_each(|(count, chance)| chances[count + n] += share * chance);
            rows[m].iter().enumerate().for_each(|(count, chance)| chances[count] += (1.0 - share) * chance);
            next.push(chances);
        }
        rows = next;
    }
    rows.pop().unwrap_or_default()
}

/// The rank of each value among all, from 1; equal ones share the mean of theirs.
pub(super) fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for group in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let smaller = order.partition_point(|index| values[*index] < values[group[0]]);
        group.iter().for_each(|index| ranks[*index] = smaller as f64 + (group.len() + 1) as f64 / 2.0);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_counts_are_those_of_the_published_tables() {
        // One-sided 5 %. Source: Mann and Whitney's table as extended by Milton (1964).
        let table = [(3, 3, 0), (4, 4, 1), (5, 5, 4), (8, 8, 15), (10, 10, 27), (7, 12, 21), (20, 20, 138)];
        for (before, after, expected) in table {
            assert_eq!(critical_count(before, after, 0.05), Some(expected), "{before} and {after}");
            assert_eq!(critical_count(after, before, 0.05), Some(expected), "{after} and {before}");
        }
        assert_eq!((critical_count(2, 2, 0.05), critical_count(0, 9, 0.05)), (None, None));
    }

    #[test]
    fn counting_and_the_normal_law_meet() {
        let (before, after) = (50, 50);
        let counted = critical_count(before, after, 0.05).unwrap();
        let normal = (1250.0 - 0.5 - 1.644_854 * (2500.0_f64 * 101.0 / 12.0).sqrt()) as usize;
        assert!(counted.abs_diff(normal) <= 1, "{counted} and {normal}");
        assert!(critical_count(51, 50, 0.05).unwrap() > counted);
    }

    #[test]
    fn the_shift_is_the_median_of_all_differences() {
        // R: wilcox.test(after, before, conf.int = TRUE) of the permeability data of Hollander and Wolfe (1973), p. 69.
        let before = [1.15, 0.88, 0.90, 0.74, 1.21];
        let after = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let shift = TwoSamples::of(&before, &after, 0.05);
        assert!((shift.estimate - 0.305).abs() < 1e-9, "{shift:?}");
        assert!(shift.lower < 0.305 && shift.upper > 0.305);
        let few = TwoSamples::of(&[1.0], &[2.0], 0.05);
        assert_eq!((few.estimate, few.lower, few.upper), (1.0, f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(mid_ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(mid_ranks(&[]), [0.0; 0]);
    }
}
