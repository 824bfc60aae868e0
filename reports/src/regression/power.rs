//! What a gate can find with so many cycles, and how many cycles it needs: minimum detectable effects, floors and sampling error.
//!
//! Formulas are those of a t test, which under normal noise needs 5 % fewer cycles than the signed-rank test, and under bursts more.
//! Source: measurement.md B4.
use super::percentile::Percentile;
use statrs::distribution::{Continuous as _, ContinuousCDF as _, Normal, StudentsT};

/// How often an effect of the stated size is found.
pub const POWER: f64 = 0.8;

/// What the signed-rank test needs more than the t test when the noise is normal.
const SIGNED_RANK_COST: f64 = 1.05;

/// More cycles than this are not worth planning for.
const MOST_CYCLES: usize = 100_000;

/// A quantile of Student's t distribution; not a number below one degree of freedom.
pub(crate) fn t_quantile(share: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |law| law.inverse_cdf(share))
}

/// `t_{1−α} + t_{0.8}`: how many standard errors an effect must lie beyond a margin to be found four times in five.
pub(crate) fn reach(alpha: f64, freedom: f64) -> f64 {
    t_quantile(1.0 - alpha, freedom) + t_quantile(POWER, freedom)
}

/// The standard deviation of some values; `None` below two of them.
#[must_use]
pub fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// How far beyond the margin an effect must lie to be found in 80 % of gates, in the unit of `sigma`, the standard deviation of one
/// cycle's difference: `(t_{1−α,n−1} + t_{0.8,n−1})·σ/√n`.
///
/// `None` below two cycles, and where even cycles that all agree are too few to find anything, see [`fewest_cycles`].
#[must_use]
pub fn detectable(sigma: f64, cycles: usize, alpha: f64) -> Option<f64> {
    if cycles < 2 || cycles < fewest_cycles(alpha, 1) {
        return None;
    }
    Some(reach(alpha, cycles as f64 - 1.0) * sigma / (cycles as f64).sqrt())
}

/// The smallest slow-down that is found in 80 % of gates against a margin, both as shares (0.05 for 5 %), from the standard deviation of
/// a cycle's log ratio.
#[must_use]
pub fn detectable_slowdown(sigma: f64, cycles: usize, alpha: f64, margin: f64) -> Option<f64> {
    detectable(sigma, cycles, alpha).map(|beyond| (margin.ln_1p() + beyond).exp_m1())
}

/// How many cycles find a slow-down of `effect` against `margin` (both shares) in 80 % of gates; `None` when the effect does not lie
/// beyond the margin, or needs more than a hundred thousand.
#[must_use]
pub fn cycles_needed(sigma: f64, effect: f64, margin: f64, alpha: f64) -> Option<usize> {
    let distance = effect.ln_1p() - margin.ln_1p();
    if distance.is_nan() || distance <= 0.0 {
        return None;
    }
    let is_enough = |cycles: usize| {
        let needed = (reach(alpha, cycles as f64 - 1.0) * sigma / distance).powi(2) * SIGNED_RANK_COST;
        cycles as f64 >= needed
    };
    let (mut few, mut enough) = (fewest_cycles(alpha, 1).max(2), MOST_CYCLES);
    if !is_enough(enough) {
        return None;
    }
    while few < enough {
        let middle = usize::midpoint(few, enough);
        if is_enough(middle) { enough = middle } else { few = middle + 1 }
    }
    Some(enough)
}

/// Fewest cycles in which one of `tests` tests can be significant at all under Holm's correction: `2^−n ≤ α/m`.
#[must_use]
pub fn fewest_cycles(alpha: f64, tests: usize) -> usize {
    (tests.max(1) as f64 / alpha).log2().ceil() as usize
}

/// The standard error of the logarithm of a percentile of `requests` requests whose latencies are lognormal with this deviation on the
/// log scale: `s·√(p(1−p)/m)/φ(z_p)`. The difference of two variants has √2 times as much.
#[must_use]
pub fn sampling_error(log_deviation: f64, percentile: Percentile, requests: u64) -> f64 {
    let (share, normal) = (percentile.share(), Normal::standard());
    let density = normal.pdf(normal.inverse_cdf(share));
    log_deviation * (share * (1.0 - share) / requests as f64).sqrt() / density
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} is not {expected}");
    }

    #[test]
    fn detectable_slowdowns_are_those_of_the_table() {
        // measurement.md B4, in percent: cycles, at margin 0 for a deviation of 3, 5, 10 and 15 %, and at margin 5 %.
        let table = [
            (6, [3.7, 6.2, 12.7, 19.7], [8.8, 11.5, 18.4, 25.7]),
            (8, [3.0, 5.1, 10.4, 16.0], [8.2, 10.3, 15.9, 21.7]),
            (10, [2.6, 4.4, 9.0, 13.8], [7.7, 9.6, 14.4, 19.4]),
            (20, [1.8, 2.9, 6.0, 9.1], [6.8, 8.1, 11.3, 14.5]),
            (40, [1.2, 2.0, 4.1, 6.2], [6.3, 7.1, 9.3, 11.5]),
        ];
        for (cycles, at_zero, at_five) in table {
            for (index, sigma) in [0.03, 0.05, 0.10, 0.15].into_iter().enumerate() {
                let found = |margin| detectable_slowdown(sigma, cycles, 0.05, margin).unwrap() * 100.0;
                near(found(0.0), at_zero[index], 0.051);
                near(found(0.05), at_five[index], 0.051);
            }
        }
    }

    #[test]
    fn the_floor_is_where_the_smallest_chance_is_small_enough() {
        for (tests, cycles) in [(1, 5), (8, 8), (24, 9), (100, 11)] {
            assert_eq!(fewest_cycles(0.05, tests), cycles, "{tests} tests");
            let smallest = |cycles: usize| 0.5_f64.powi(i32::try_from(cycles).unwrap());
            let level = 0.05 / tests as f64;
            assert!(smallest(cycles) <= level && smallest(cycles - 1) > level);
        }
        assert_eq!(detectable(0.05, 4, 0.05), None, "four cycles that agree have a chance of 6 %");
        assert_eq!(detectable(0.0, 5, 0.05), Some(0.0));
    }

    #[test]
    fn sampling_errors_are_those_of_the_table() {
        // measurement.md B4: sampling part of the deviation of a difference, in percent, for a log deviation of 0.5.
        let table = [
            (200, [6.3, 10.6, 18.7]),
            (500, [4.0, 6.7, 11.8]),
            (1_200, [2.6, 4.3, 7.6]),
            (3_000, [1.6, 2.7, 4.8]),
            (10_000, [0.9, 1.5, 2.6]),
        ];
        for (requests, expected) in table {
            for (percentile, expected) in [Percentile::P50, Percentile::P95, Percentile::P99].into_iter().zip(expected)
            {
                near(sampling_error(0.5, percentile, requests) * 2_f64.sqrt() * 100.0, expected, 0.051);
            }
        }
    }

    #[test]
    fn as_many_cycles_as_are_needed_find_the_effect() {
        for (sigma, effect, margin) in [(0.05, 0.10, 0.05), (0.15, 0.10, 0.0), (0.03, 0.20, 0.05), (0.4, 0.30, 0.10)] {
            let cycles = cycles_needed(sigma, effect, margin, 0.05).unwrap();
            let found = |cycles| detectable_slowdown(sigma * SIGNED_RANK_COST.sqrt(), cycles, 0.05, margin).unwrap();
            assert!(found(cycles) <= effect + 1e-9, "{cycles} cycles find {}", found(cycles));
            assert!(cycles == 5 || found(cycles - 1) > effect, "fewer than {cycles} would do");
        }
        assert_eq!(cycles_needed(0.05, 0.05, 0.05, 0.05), None);
        assert_eq!(cycles_needed(9.0, 0.001, 0.0, 0.05), None);
        assert_eq!(cycles_needed(0.0, 0.10, 0.05, 0.05), Some(5));
    }

    #[test]
    fn a_deviation_needs_two_values() {
        assert_eq!(deviation(&[1.0]), None);
        near(deviation(&[1.0, 2.0, 3.0, 4.0]).unwrap(), 1.290_994_448_735_805_6, 1e-12);
    }
}
