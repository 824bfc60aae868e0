//! How far the share that was seen may be from the true one: one-sided 95 % bounds of a share of requests.
//!
//! Two views, and the worse of them counts. Clopper–Pearson is exact when requests fail independently of each other; batch means see that they
//! do not (a stall hits neighbours together). Source: measurement.md D2, "violation fraction, batch-means 95 % bound".
use statrs::distribution::{Beta, ContinuousCDF, StudentsT};

/// Chance of either bound to be on the wrong side.
pub const ALPHA: f64 = 0.05;

/// Batches that a window is cut into.
const BATCHES: usize = 10;

/// More requests than this are not worth waiting for.
const MOST_MISSING: f64 = 1e6;

/// Below this number of seconds, batches say nothing.
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
    let exact = clopper_pearson(seconds.iter().copied().sum());
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
    let beta = |a: f64, b: f64, probability: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(probability));
    let lower = if hits <= 0.0 { Ok(0.0) } else { beta(hits, total - hits + 1.0, alpha) };
    let upper = if hits >= total { Ok(1.0) } else { beta(hits + 1.0, total - hits, 1.0 - alpha) };
    Bounds { lower: lower.unwrap_or(0.0), upper: upper.unwrap_or(1.0) }
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
    let all: Tally = batches.iter().copied().sum();
    let mean_total = all.total as f64 / count as f64;
    if mean_total == 0.0 {
        return None;
    }
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
