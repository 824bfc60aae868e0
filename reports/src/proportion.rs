//! How far the share that was seen may be from the true one: one-sided 95 % bounds of a share of requests.
//!
//! Two views, and the worse of them counts. Clopper–Pearson is exact when requests fail independently of each other; batch means see that they
//! do not (a stall hits neighbours together). Source: measurement.md D2, "violation fraction, batch-means 95 % bound".
use statrs::{
    distribution::{ContinuousCDF, Normal, StudentsT},
    function::beta::checked_beta_reg,
};

/// Chance of either bound to be on the wrong side.
pub const ALPHA: f64 = 0.05;

/// Batches that a window is cut into.
const BATCHES: usize = 10;

/// More requests than this are not worth waiting for.
const MOST_MISSING: f64 = 1e6;

/// Below this number of seconds or batches, batches say nothing.
const FEWEST_SECONDS: usize = 5;

/// What was counted in one second, or in a whole window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that have the property, such as "slower than the limit".
    pub hits: u64,
    /// All of them.
    pub total: u64,
}

impl Tally {
    /// The share that was seen; 0 when nothing was counted.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.hits as f64 / self.total as f64 }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, one| Self { hits: sum.hits + one.hits, total: sum.total + one.total })
    }
}

/// Where the true share lies; each bound is wrong with a chance of 5 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The true share is not below.
    pub lower: f64,
    /// The true share is not above.
    pub upper: f64,
}

/// The wider of both views on either side, from tallies of consecutive seconds.
#[must_use]
pub fn bounds(seconds: &[Tally]) -> Bounds {
    bounds_at(seconds, ALPHA)
}

/// The same, with another chance `alpha` (between 0 and 1) of either exact bound to be on the wrong side; batches are taken as ever.
#[must_use]
pub fn bounds_at(seconds: &[Tally], alpha: f64) -> Bounds {
    let all: Tally = seconds.iter().copied().sum();
    let exact = clopper_pearson_at(all.hits as f64, all.total as f64, alpha);
    match batch_means(seconds) {
        Some(batches) => Bounds { lower: exact.lower.min(batches.lower), upper: exact.upper.max(batches.upper) },
        None => exact,
    }
}

/// The exact binomial bounds. Source: Clopper and Pearson, Biometrika 26 (1934).
#[must_use]
pub fn clopper_pearson(tally: Tally) -> Bounds {
    clopper_pearson_at(tally.hits as f64, tally.total as f64, ALPHA)
}

fn clopper_pearson_at(hits: f64, total: f64, alpha: f64) -> Bounds {
    let lower = if hits <= 0.0 { 0.0 } else { beta_quantile(hits, total - hits + 1.0, alpha) };
    let upper = if hits >= total { 1.0 } else { beta_quantile(hits + 1.0, total - hits, 1.0 - alpha) };
    Bounds { lower, upper }
}

/// The standard normal quantile of 97.5 %.
const Z: f64 = 1.959_963_984_540_054;

/// The two-sided 95 % interval of a share of independent requests; all of it when there is none.
///
/// Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
#[must_use]
pub fn wilson(tally: Tally) -> Bounds {
    if tally.total == 0 {
        return Bounds { lower: 0.0, upper: 1.0 };
    }
    let (n, share, z2) = (tally.total as f64, tally.share(), Z * Z);
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    Bounds { lower: (middle - half).max(0.0), upper: (middle + half).min(1.0) }
}

/// From here on, for both parameters, the quantiles of a beta distribution are taken from an approximation.
const MANY: f64 = 300.0;

/// The quantile of a beta distribution, within 0.003 of its standard deviation for parameters up to 1e9 and probabilities down to 1e-6.
///
/// The inverse of the library does not end for parameters beyond 7e6; so the distribution function is halved down to it, or, where that
/// one loses its digits, it is that of Paulson. Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions 2, 25.5 and 27.5.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    if a.min(b) >= MANY {
        return paulson(a, b, probability);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while high - low > 1e-12 * high {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        match checked_beta_reg(a, b, middle) {
            Ok(below) if below >= probability => high = middle,
            _ => low = middle,
        }
    }
    f64::midpoint(low, high)
}

/// The cube root of a quotient of two gamma variables is taken for a quotient of two normal ones.
fn paulson(a: f64, b: f64, probability: f64) -> f64 {
    let z = Normal::standard().inverse_cdf(probability);
    let (r, s) = (1.0 / (9.0 * a), 1.0 / (9.0 * b));
    let (of_a, of_b) = (1.0 - r, 1.0 - s);
    let spread = z * (of_b * of_b * r + of_a * of_a * s - z * z * r * s).sqrt();
    let quotient = ((of_a * of_b + spread) / (of_b * of_b - z * z * s)).powi(3);
    a * quotient / (a * quotient + b)
}

/// `v̄ ± t·sd/√10` over ten batches of consecutive seconds; fewer batches when there are fewer seconds, `None` below five.
///
/// Batches hold different numbers of requests, so the ratio estimator is used: hits over total, with the deviations of `hits − v̄·total`.
/// For equal batches this is the plain mean. Source: Cochran, Sampling Techniques, 6.3.
#[must_use]
pub fn batch_means(seconds: &[Tally]) -> Option<Bounds> {
    if seconds.len() < FEWEST_SECONDS {
        return None;
    }
    let count = BATCHES.min(seconds.len());
    let batch = |index: usize| seconds[seconds.len() * index / count..seconds.len() * (index + 1) / count].iter();
    let batches: Vec<Tally> = (0..count).map(|index| batch(index).copied().sum()).collect();
    bounds_of_batches(&batches)
}

/// The same for batches that are cut already, in whatever number; `None` for fewer than five, or without requests.
#[must_use]
pub fn bounds_of_batches(batches: &[Tally]) -> Option<Bounds> {
    let (count, all) = (batches.len(), batches.iter().copied().sum::<Tally>());
    if count < FEWEST_SECONDS || all.total == 0 {
        return None;
    }
    let mean_total = all.total as f64 / count as f64;
    let deviation = |batch: &Tally| (batch.hits as f64 - all.share() * batch.total as f64) / mean_total;
    let variance = batches.iter().map(|batch| deviation(batch).powi(2)).sum::<f64>() / (count - 1) as f64;
    let freedom = StudentsT::new(0.0, 1.0, (count - 1) as f64).expect("at least four degrees of freedom");
    let half = freedom.inverse_cdf(1.0 - ALPHA) * (variance / count as f64).sqrt();
    Some(Bounds { lower: (all.share() - half).max(0.0), upper: (all.share() + half).min(1.0) })
}

/// About how many more requests would settle on which side of the limit the share lies, if it stays what it is.
///
/// `None` when the share is so close to the limit that a million would not do.
#[must_use]
pub fn requests_missing(seconds: &[Tally], limit: f64) -> Option<u64> {
    let tally: Tally = seconds.iter().copied().sum();
    let (share, total) = (tally.share(), tally.total as f64);
    if total == 0.0 || share == limit {
        return None;
    }
    let settled = |factor: f64| {
        let found = clopper_pearson_at(share * total * factor, total * factor, ALPHA);
        found.upper <= limit || found.lower > limit
    };
    let exact = (0..=160).map(|step| 10_f64.powf(f64::from(step) / 40.0)).find(|factor| settled(*factor))?;
    let batches = batch_means(seconds).map_or(1.0, |found| {
        let half = if share < limit { found.upper - share } else { share - found.lower };
        (half / (limit - share)).powi(2)
    });
    let missing = (exact.max(batches) - 1.0) * total;
    (missing <= MOST_MISSING).then(|| two_digits(missing.max(1.0)))
}

fn two_digits(value: f64) -> u64 {
    let scale = 10_f64.powf((value.log10().floor() - 1.0).max(0.0));
    ((value / scale).ceil() * scale) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(hits: u64, total: u64) -> Tally {
        Tally { hits, total }
    }

    #[test]
    fn bounds_of_a_share_are_those_of_published_tables() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 5e-5, "{found} is not {expected}");
        // R: binom.test(5, 100, alternative = "less" / "greater")$conf.int
        let five = clopper_pearson(tally(5, 100));
        near(five.upper, 0.102_253);
        near(five.lower, 0.019_914);
        // "Rule of three": nothing in n gives 1 - 0.05^(1/n).
        near(clopper_pearson(tally(0, 59)).upper, 1.0 - 0.05_f64.powf(1.0 / 59.0));
        assert_eq!(clopper_pearson(tally(0, 59)).lower, 0.0);
        assert_eq!(clopper_pearson(tally(7, 7)).upper, 1.0);
        assert_eq!(clopper_pearson(tally(0, 0)), Bounds { lower: 0.0, upper: 1.0 });
    }

    #[test]
    fn the_interval_of_wilson_is_the_published_one() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 5e-5, "{found} is not {expected}");
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        for (hits, total, lower, upper) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let found = wilson(tally(hits, total));
            near(found.lower, lower);
            near(found.upper, upper);
        }
        assert_eq!(wilson(tally(0, 0)), Bounds { lower: 0.0, upper: 1.0 });
    }

    #[test]
    fn bounds_of_very_many_requests_are_found_and_right() {
        let near =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-4, "{found} is not {expected}");
        for total in [1_000_000, 7_300_000, 1_000_000_000_u64] {
            let n = total as f64;
            near(clopper_pearson(tally(0, total)).upper, 1.0 - 0.05_f64.powf(1.0 / n));
            near(clopper_pearson(tally(total, total)).lower, 0.05_f64.powf(1.0 / n));
            // Of so rare events the counts follow Poisson's law: half the quantiles of chi-square with 2, 4, 20, 22, 800 and 802 degrees.
            for (hits, lower, upper) in
                [(1, 0.051_293_3, 4.743_865), (10, 5.425_405_7, 16.962_22), (400, 367.681_2, 434.496_8)]
            {
                let found = clopper_pearson(tally(hits, total));
                assert!((found.lower * n / lower - 1.0).abs() < 2e-4, "{hits} of {total}: {found:?}");
                assert!((found.upper * n / upper - 1.0).abs() < 2e-4, "{hits} of {total}: {found:?}");
            }
        }
    }

    #[test]
    fn both_ways_to_a_quantile_agree_where_they_meet() {
        for (a, b) in [(299.0_f64, 300.0_f64), (299.0, 1e5), (299.5, 1e9), (4e4, 299.0)] {
            for probability in [1e-6, 0.05, 0.5, 0.95, 1.0 - 1e-6] {
                let spread = (a * b / (a + b + 1.0)).sqrt() / (a + b);
                let apart = (beta_quantile(a, b, probability) - paulson(a, b, probability)).abs() / spread;
                assert!(apart < 0.005, "{apart} of a standard deviation for {a}, {b}, {probability}");
            }
        }
    }

    #[test]
    fn a_smaller_chance_of_error_makes_wider_exact_bounds() {
        let seconds: Vec<Tally> = (0..30).map(|index| tally(index % 3, 100)).collect();
        let alphas = [1e-3, 1e-5, 1e-7, 1e-9];
        let bounds: Vec<Bounds> = alphas.iter().map(|alpha| bounds_at(&seconds, *alpha)).collect();
        let wider = |pair: &[Bounds]| pair[1].lower < pair[0].lower && pair[1].upper > pair[0].upper;
        assert!(bounds.windows(2).all(wider), "{bounds:?}");
        // The chance of 3 or fewer of 100 at the upper bound is the one that was allowed: Σ C(100, k) p^k (1 - p)^(100 - k).
        for alpha in [0.05, 1e-4, 1e-9] {
            let p = clopper_pearson_at(3.0, 100.0, alpha).upper;
            let below: f64 = [1.0, 100.0, 4_950.0, 161_700.0]
                .iter()
                .zip(0..)
                .map(|(c, k)| c * p.powi(k) * (1.0 - p).powi(100 - k))
                .sum();
            assert!((below / alpha - 1.0).abs() < 1e-6, "{below} is not {alpha}");
        }
    }

    #[test]
    fn the_smallest_counts_that_prove_a_quantile_are_those_of_mlperf() {
        // measurement.md D2: at 99 % confidence and t violations, p90: 0 -> 44, 1 -> 64, 10 -> 197; p95: 10 -> 398; p99: 1 -> 662.
        for (limit, hits, smallest) in
            [(0.1, 0.0, 44.0), (0.1, 1.0, 64.0), (0.1, 10.0, 197.0), (0.05, 10.0, 398.0), (0.01, 1.0, 662.0)]
        {
            assert!(clopper_pearson_at(hits, smallest, 0.01).upper <= limit, "{hits} in {smallest}");
            assert!(clopper_pearson_at(hits, smallest - 1.0, 0.01).upper > limit, "{hits} in one less");
        }
    }

    #[test]
    fn batch_means_use_the_t_quantile_of_nine_degrees() {
        let seconds: Vec<Tally> = (0..10).map(|index| tally(if index % 2 == 0 { 4 } else { 6 }, 100)).collect();
        let found = batch_means(&seconds).unwrap();
        // mean .05, sd = .01·sqrt(10/9) = .010541, half width = 1.833113·.010541/√10 = .0061104
        assert!((found.upper - 0.056_110_4).abs() < 1e-6, "{found:?}");
        assert!((found.lower - 0.043_889_6).abs() < 1e-6, "{found:?}");
        assert_eq!(batch_means(&seconds[..4]), None);
        assert_eq!(batch_means(&[tally(0, 0); 12]), None);
    }

    #[test]
    fn failures_that_come_together_widen_the_bounds() {
        let spread = vec![tally(1, 20); 40];
        let mut bunched = vec![tally(0, 20); 40];
        bunched[20..22].fill(tally(20, 20));
        assert!(bounds(&bunched).upper > 1.5 * bounds(&spread).upper);
        assert!(bounds(&bunched).lower < bounds(&spread).lower);
    }

    #[test]
    fn what_is_missing_shrinks_with_the_distance_from_the_limit() {
        let seconds = vec![tally(1, 25); 8];
        let far = requests_missing(&seconds, 0.08).unwrap();
        let near = requests_missing(&seconds, 0.06).unwrap();
        assert!(far < near, "{far} < {near}");
        assert_eq!(requests_missing(&seconds, 0.04), None);
        assert_eq!(requests_missing(&[], 0.04), None);
        assert_eq!(requests_missing(&[tally(0, 40)], 0.05), Some(20), "59 are needed, rounded up to the search step");
    }
}
