//! Poisson arrivals: independent users, the gaps between them exponential.
//!
//! Gap k is a function of the seed and k alone; a due time is the sum of the gaps up to it (a prefix sum), so a shard adds up all
//! gaps, which costs nanoseconds each, and draws the journey and the payload only of its own arrivals. The sum is taken in the order
//! of k, so it is the same to the last bit everywhere.
use super::ramp::Ramp;
use crate::draw::{Draw, Purpose};
use reports::units;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Arrivals of independent users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poisson {
    /// Mean arrivals per second, such as "25/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub rate: f64,
    /// Time in which the rate grows from nothing to its full value, such as "5s". Default: none.
    #[serde(default, with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub ramp: Duration,
}

impl Poisson {
    /// When arrivals 0, 1, 2 … are due, in nanoseconds since clock zero, without end.
    pub fn due_times(&self, seed: u64) -> impl Iterator<Item = u64> + Send + use<> {
        let ramp = self.ramped();
        let add = move |sum: &mut f64, k: u64| {
            *sum += Draw::new(seed, Purpose::Gap, k).exponential();
            Some(ramp.instant_of(*sum))
        };
        (0..).scan(0.0, add)
    }

    pub(super) fn ramped(&self) -> Ramp {
        Ramp { per_second: self.rate, length: self.ramp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF as _, Exp};

    const STEADY: Poisson = Poisson { rate: 100.0, ramp: Duration::ZERO };

    #[test]
    fn gaps_are_exponential() {
        let dues: Vec<u64> = STEADY.due_times(3).take(20_000).collect();
        let mut gaps: Vec<f64> = dues.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect();
        gaps.sort_by(f64::total_cmp);
        let (n, law) = (gaps.len() as f64, Exp::new(100.0).unwrap());
        let distance = |(i, gap): (usize, &f64)| (law.cdf(*gap) - (i as f64 + 0.5) / n).abs();
        let worst = gaps.iter().enumerate().map(distance).fold(0.0, f64::max);
        // Kolmogorov-Smirnov at p = 0.001: 1.95 / sqrt(n).
        assert!(worst < 1.95 / n.sqrt(), "distance {worst}");
    }

    #[test]
    fn counts_per_second_scatter_as_poisson_counts_do() {
        let mut counts = [0.0; 200];
        for due in STEADY.due_times(5).take_while(|due| *due < 200_000_000_000) {
            counts[(due / 1_000_000_000) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 200.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 199.0;
        assert!((mean - 100.0).abs() < 3.0 && (60.0..150.0).contains(&variance), "mean {mean}, variance {variance}");
    }

    #[test]
    fn the_ramp_thins_the_start() {
        let ramped = Poisson { rate: 1_000.0, ramp: Duration::from_secs(10) };
        let dues: Vec<u64> = ramped.due_times(1).take_while(|due| *due < 10_000_000_000).collect();
        let first_half = dues.iter().filter(|due| **due < 5_000_000_000).count();
        // 5 000 expected in the ramp, a quarter of them in its first half; five standard deviations.
        assert!(
            (4_650..5_350).contains(&dues.len()) && (1_070..1_430).contains(&first_half),
            "{} {first_half}",
            dues.len()
        );
    }
}
