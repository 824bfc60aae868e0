//! What becomes of a target past its capacity: how much of its goodput it keeps, and how long it takes to come back.
use crate::proportion::Tally;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};
use std::time::Duration;

/// A target that keeps this share of its best goodput under the highest load holds …
const HOLDS: f64 = 0.9;
/// … and one that keeps less than this collapses.
const COLLAPSES: f64 = 0.5;

/// Seconds before the overload that say what is normal, at least. Source: measurement.md E, steady-state band.
const FEWEST_BEFORE: usize = 60;
/// So many seconds in a row must be normal again. Source: measurement.md E, "5 consecutive, report start".
const BACK_SECONDS: usize = 5;

/// A rate that was offered for a while, and what came back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Arrivals due per second.
    pub offered_per_second: f64,
    /// Good answers per second, however late; in arrivals, where one takes several requests.
    pub answered_per_second: f64,
    /// Good answers within the service level, per second, in arrivals.
    pub good_per_second: f64,
    /// Median response time since due, in nanoseconds; `None` when infinite, because so many requests got no good answer.
    pub p50_ns: Option<u64>,
    /// The same for 99 %.
    pub p99_ns: Option<u64>,
    /// Share of the requests that were refused at once, from 0 to 1.
    pub shed_share: f64,
    /// Requests in flight on average.
    pub in_flight: f64,
}

/// What a target does past its best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// It answers about as many as it can, and refuses the others.
    Holds,
    /// It answers fewer the more is asked.
    Falls,
    /// It answers less than half of what it could.
    Collapses,
}

impl Behaviour {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Falls => "falls",
            Self::Collapses => "collapses",
        }
    }
}

/// Goodput past saturation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overload {
    /// The rung with the highest goodput.
    pub best: Rung,
    /// The rung with the highest offered rate.
    pub most: Rung,
    /// Its goodput as a share of the best.
    pub kept_share: f64,
    /// What that is called: at least 0.9 holds, below 0.5 collapses.
    pub behaviour: Behaviour,
}

impl Overload {
    /// From rungs in any order; `None` when none was offered more than the best was, so that nothing is known past it.
    #[must_use]
    pub fn of(rungs: &[Rung]) -> Option<Self> {
        let best = *rungs.iter().max_by(|a, b| a.good_per_second.total_cmp(&b.good_per_second))?;
        let most = *rungs.iter().max_by(|a, b| a.offered_per_second.total_cmp(&b.offered_per_second))?;
        if most.offered_per_second <= best.offered_per_second || best.good_per_second <= 0.0 {
            return None;
        }
        let kept_share = most.good_per_second / best.good_per_second;
        let behaviour = match kept_share {
            share if share >= HOLDS => Behaviour::Holds,
            share if share >= COLLAPSES => Behaviour::Falls,
            _ => Behaviour::Collapses,
        };
        Some(Self { best, most, kept_share, behaviour })
    }
}

/// How long violations went on after an overload was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Until the first of five normal seconds in a row.
    After(#[serde(with = "crate::units::duration")] Duration),
    /// Longer than was watched.
    NotWithin(#[serde(with = "crate::units::duration")] Duration),
}

impl Recovery {
    /// From violations per second before the overload, and after it; `None` with fewer than 60 seconds before, or none after.
    ///
    /// Normal is a share of at most `v̄ + t·s·√(1 + 1/n)` of the seconds before, with t at 99 %. A second without requests is not normal.
    #[must_use]
    pub fn of(before: &[Tally], after: &[Tally]) -> Option<Self> {
        let shares: Vec<f64> = before.iter().filter(|second| second.total > 0).map(|second| second.share()).collect();
        if shares.len() < FEWEST_BEFORE || after.is_empty() {
            return None;
        }
        let count = shares.len() as f64;
        let mean = shares.iter().sum::<f64>() / count;
        let deviation = (shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
        let quantile = StudentsT::new(0.0, 1.0, count - 1.0).expect("59 degrees of freedom or more").inverse_cdf(0.99);
        let most = mean + quantile * deviation * (1.0 + 1.0 / count).sqrt();
        let is_normal = |second: &Tally| second.total > 0 && second.share() <= most;
        let seconds = |count: usize| Duration::from_secs(count as u64);
        Some(match after.windows(BACK_SECONDS).position(|window| window.iter().all(is_normal)) {
            Some(at) => Self::After(seconds(at)),
            None => Self::NotWithin(seconds(after.len())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(offered_per_second: f64, good_per_second: f64) -> Rung {
        let answered_per_second = good_per_second;
        Rung {
            offered_per_second,
            answered_per_second,
            good_per_second,
            p50_ns: None,
            p99_ns: None,
            shed_share: 0.0,
            in_flight: 1.0,
        }
    }

    #[test]
    fn goodput_past_the_best_has_a_name() {
        let check = |most: f64, expected: Behaviour| {
            let rungs = [rung(2_000.0, most), rung(500.0, 500.0), rung(1_000.0, 900.0)];
            let found = Overload::of(&rungs).unwrap();
            assert_eq!((found.behaviour, found.best.offered_per_second), (expected, 1_000.0), "{most}");
            assert!((found.kept_share - most / 900.0).abs() < 1e-12);
        };
        check(899.0, Behaviour::Holds);
        check(810.0, Behaviour::Holds);
        check(700.0, Behaviour::Falls);
        check(440.0, Behaviour::Collapses);
        check(0.0, Behaviour::Collapses);
    }

    #[test]
    fn nothing_is_said_of_what_was_not_tried() {
        assert_eq!(Overload::of(&[]), None);
        assert_eq!(Overload::of(&[rung(10.0, 10.0), rung(20.0, 20.0)]), None);
        assert_eq!(Overload::of(&[rung(10.0, 0.0), rung(20.0, 0.0)]), None);
    }

    #[test]
    fn recovery_is_the_first_of_five_normal_seconds() {
        let tallies = |hits: &[u64]| hits.iter().map(|hits| Tally { hits: *hits, total: 100 }).collect::<Vec<_>>();
        let before = tallies(&[0, 1, 2].repeat(20));
        let of = |after: &[u64]| Recovery::of(&before, &tallies(after)).unwrap();
        let after = |seconds| Recovery::After(Duration::from_secs(seconds));
        assert_eq!(of(&[1, 1, 0, 1, 1, 1]), after(0));
        // 1 + 2.39·0.82·1.01 = 2.98: three in a hundred are not normal.
        assert_eq!(of(&[90, 80, 3, 1, 2, 1, 2, 1]), after(3));
        assert_eq!(of(&[90, 1, 1, 1, 1, 60, 1, 1, 1, 1, 1]), after(6));
        assert_eq!(of(&[90; 30]), Recovery::NotWithin(Duration::from_secs(30)));
        assert_eq!(of(&[1; 4]), Recovery::NotWithin(Duration::from_secs(4)), "too short to be sure");
        let silent = [Tally::default(); 20];
        assert_eq!(Recovery::of(&before, &silent), Some(Recovery::NotWithin(Duration::from_secs(20))));
        assert_eq!(Recovery::of(&before[..59], &tallies(&[1; 9])), None);
        assert_eq!(Recovery::of(&before, &[]), None);
    }
}
