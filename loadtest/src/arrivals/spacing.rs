//! How arrivals scatter around a rate: evenly spaced, or as those of independent users.
use super::profile::Profile;
use crate::draw::{Draw, Purpose};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How arrivals scatter around a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// As those of independent users: gaps are exponential.
    #[default]
    Poisson,
    /// Evenly: the next one when another one is expected.
    Constant,
}

impl Spacing {
    /// When arrivals 0, 1, 2 … are due, in nanoseconds since clock zero, ascending, without end.
    ///
    /// Gap k is a function of the seed and k alone, and a due time is the sum of the gaps up to it: a shard adds up all gaps, which
    /// costs nanoseconds each, and draws the journey and the payload only of its own arrivals. The sum is taken in the order of k,
    /// so it is the same to the last bit everywhere.
    pub(super) fn due_times(self, profile: Profile, seed: u64) -> Box<dyn Iterator<Item = u64> + Send> {
        match self {
            Self::Constant => Box::new((0_u64..).map(move |k| profile.instant_of(k as f64))),
            Self::Poisson => {
                let add = move |sum: &mut f64, k: u64| {
                    *sum += Draw::new(seed, Purpose::Gap, k).exponential();
                    Some(profile.instant_of(*sum))
                };
                Box::new((0..).scan(0.0, add))
            }
        }
    }
}

impl fmt::Display for Spacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF as _, Exp};
    use std::time::Duration;

    fn steady() -> Profile {
        Profile::ramped(100.0, Duration::ZERO)
    }

    #[test]
    fn gaps_of_independent_users_are_exponential() {
        let dues: Vec<u64> = Spacing::Poisson.due_times(steady(), 3).take(20_000).collect();
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
        for due in Spacing::Poisson.due_times(steady(), 5).take_while(|due| *due < 200_000_000_000) {
            counts[(due / 1_000_000_000) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / 200.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 199.0;
        assert!((mean - 100.0).abs() < 3.0 && (60.0..150.0).contains(&variance), "mean {mean}, variance {variance}");
    }

    #[test]
    fn even_arrivals_are_due_when_another_one_is_expected() {
        let dues: Vec<u64> = Spacing::Constant.due_times(steady(), 5).take(3).collect();
        assert_eq!(dues, [0, 10_000_000, 20_000_000]);
    }
}
