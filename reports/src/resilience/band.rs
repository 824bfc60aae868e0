//! The steady-state band of a journey: how far it strays from second to second while nothing is wrong, and whether that can be trusted.
use super::Served;
use schemars::JsonSchema;
use serde::Serialize;
use statrs::distribution::{Binomial, ContinuousCDF as _, DiscreteCDF as _, StudentsT};

/// Fewest seconds that a band is made from. Source: measurement.md E.
pub const BAND_SECONDS: usize = 60;

/// Fresh seconds that the band is tried on before the fault: an A/A test. Source: measurement.md E.
pub const FRESH_SECONDS: usize = 30;

/// Most of the fresh seconds that may lie outside. Source: measurement.md E.
pub const MOST_STRAYS: usize = 2;

/// Chance of one second to lie beyond one bound of the band.
const ALPHA: f64 = 0.01;

/// A second is not slow as long as its p95 is at most so many times the usual one, however steady that is.
const LEAST_SLOWER: f64 = 1.1;

/// What the seconds of a journey are like while nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Band {
    /// Seconds that it was made from.
    pub second_count: usize,
    /// Requests in an ordinary second.
    pub per_second: f64,
    /// Mean share of requests answered well and in time, Q̄; between 0 and 1.
    pub usual_share: f64,
    /// A second with a lower share may lie outside: `Q̄ − t.99·s·√(1+1/n)`.
    pub share_bound: f64,
    /// The chance of a request to get no good answer in time, by the rule of succession: `(bad + 1) / (all + 2)`.
    ///
    /// Counts of rare failures are skewed, so that beyond the bound for normal values there is more than one second in a hundred: of steady
    /// journeys with 12 requests/s of which 5 % fail, one in six was refused. So a second lies outside only if independent requests, too,
    /// would do so badly in fewer than one of a hundred.
    pub failing: f64,
    /// What both together make the lowest share of an ordinary second that lies inside.
    pub lowest_share: f64,
    /// The p95 of good answers, as the geometric mean of the seconds, in nanoseconds; `None` when too few seconds have any.
    pub usual_p95_ns: Option<u64>,
    /// A second with a higher p95 lies outside: the same bound on the logarithm, upwards, and at least a tenth above the usual one.
    pub highest_p95_ns: Option<u64>,
    /// Of the fresh seconds before the fault, those that lay outside.
    pub stray_count: usize,
}

/// Why a journey has no band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoBand {
    /// Fewer seconds with requests, after warm-up and ramp and before the first fault, than it takes.
    TooShort {
        /// So many there are.
        second_count: usize,
    },
    /// So few requests a second that none of them could be answered without a second lying outside.
    TooFew {
        /// Requests in an ordinary second.
        per_second: f64,
    },
    /// It was tried on fresh seconds without a fault, and did not hold.
    Unsteady {
        /// Those that lay outside.
        stray_count: usize,
    },
}

/// Where a second lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing was due, so it says nothing.
    Empty,
    /// As usual.
    Inside,
    /// Worse than usual.
    Outside,
}

impl Band {
    /// Makes a band from seconds without a fault, in order, and tries it on the last of them.
    ///
    /// # Errors
    /// When there are too few seconds or too few requests in them, or the band does not hold on the fresh ones.
    pub fn of(steady: &[Served]) -> Result<Self, NoBand> {
        let steady: Vec<&Served> = steady.iter().filter(|second| second.total > 0).collect();
        if steady.len() < BAND_SECONDS + FRESH_SECONDS {
            return Err(NoBand::TooShort { second_count: steady.len() });
        }
        let (known, fresh) = steady.split_at(steady.len() - FRESH_SECONDS);
        let mut band = Self::estimate(known)?;
        band.stray_count = fresh.iter().filter(|second| band.place(second) == Place::Outside).count();
        match band.stray_count {
            0..=MOST_STRAYS => Ok(band),
            stray_count => Err(NoBand::Unsteady { stray_count }),
        }
    }

    fn estimate(known: &[&Served]) -> Result<Self, NoBand> {
        let per_second = known.iter().map(|second| f64::from(second.total)).sum::<f64>() / known.len() as f64;
        let shares: Vec<f64> = known.iter().filter_map(|second| second.share()).collect();
        let (usual_share, reach) = prediction(&shares);
        let (bad, all) = known.iter().fold((0, 0), |(bad, all), second| {
            (bad + u64::from(second.total - second.in_time), all + u64::from(second.total))
        });
        let logarithms: Vec<f64> =
            known.iter().filter_map(|second| second.p95_ns()).map(|p95_ns| (p95_ns as f64).ln()).collect();
        let p95 = (logarithms.len() >= BAND_SECONDS).then(|| {
            let (usual, reach) = prediction(&logarithms);
            (usual.exp().round() as u64, (usual + reach.max(LEAST_SLOWER.ln())).exp().round() as u64)
        });
        let mut band = Self {
            second_count: known.len(),
            per_second,
            usual_share,
            share_bound: usual_share - reach,
            failing: (bad + 1) as f64 / (all + 2) as f64,
            lowest_share: 0.0,
            usual_p95_ns: p95.map(|(usual_ns, _)| usual_ns),
            highest_p95_ns: p95.map(|(_, highest_ns)| highest_ns),
            stray_count: 0,
        };
        let total = (per_second.round() as u32).max(1);
        let is_inside = |in_time: &u32| !band.is_low(&Served { total, in_time: *in_time, ..Served::default() });
        match (0..=total).find(is_inside) {
            Some(in_time) if in_time > 0 => {
                band.lowest_share = f64::from(in_time) / f64::from(total);
                Ok(band)
            }
            _ => Err(NoBand::TooFew { per_second }),
        }
    }

    /// Whether fewer requests were answered well and in time than noise explains.
    fn is_low(&self, second: &Served) -> bool {
        let bad = u64::from(second.total - second.in_time);
        if bad == 0 || second.share().is_none_or(|share| share >= self.share_bound) {
            return false;
        }
        let chance = Binomial::new(self.failing, u64::from(second.total)).map(|failures| failures.sf(bad - 1));
        chance.is_ok_and(|chance| chance < ALPHA)
    }

    /// Where a second lies: outside as soon as one of both is.
    #[must_use]
    pub fn place(&self, second: &Served) -> Place {
        if second.total == 0 {
            return Place::Empty;
        }
        let is_slow = self.highest_p95_ns.zip(second.p95_ns()).is_some_and(|(highest_ns, p95_ns)| p95_ns > highest_ns);
        if is_slow || self.is_low(second) { Place::Outside } else { Place::Inside }
    }
}

/// The mean of some values, and how far from it one more lies with 99 % confidence, on one side: `t.99·s·√(1+1/n)`.
fn prediction(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let freedom = StudentsT::new(0.0, 1.0, count - 1.0).expect("a band has dozens of seconds");
    (mean, freedom.inverse_cdf(1.0 - ALPHA) * variance.sqrt() * (1.0 + 1.0 / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn second(total: u32, in_time: u32, p95_ms: u64) -> Served {
        Served { total, in_time, good: in_time, p95_ns: p95_ms * 1_000_000, ..Served::default() }
    }

    #[test]
    fn the_bounds_are_those_of_a_prediction_interval() {
        // 60 seconds, half at .9 and half at 1: mean .95, s = .05·√(60/59) = .050422, t(.99, 59) = 2.391229, √(1+1/60) = 1.008299.
        let steady: Vec<Served> = (0..90).map(|index| second(100, if index % 2 == 0 { 90 } else { 100 }, 50)).collect();
        let band = Band::of(&steady).unwrap();
        assert_eq!((band.second_count, band.stray_count), (60, 0));
        assert!((band.usual_share - 0.95).abs() < 1e-12);
        assert!((band.share_bound - (0.95 - 2.391_229 * 0.050_422 * 1.008_299)).abs() < 1e-5, "{band:?}");
        assert_eq!((band.failing, band.lowest_share), (301.0 / 6002.0, 0.83));
        assert_eq!((band.usual_p95_ns, band.highest_p95_ns), (Some(50_000_000), Some(55_000_000)), "a tenth above");
        assert_eq!(band.place(&second(100, 83, 50)), Place::Inside);
        assert_eq!(band.place(&second(100, 82, 50)), Place::Outside);
        assert_eq!(band.place(&second(100, 100, 56)), Place::Outside);
        assert_eq!(band.place(&Served::default()), Place::Empty);
        assert_eq!(band.place(&second(3, 0, 0)), Place::Outside, "no good answer has no p95");
    }

    #[test]
    fn what_noise_of_independent_requests_explains_is_not_outside() {
        // One of 20 fails, spread evenly: 20 s of 60 with three of 20, so s = .0714 and the bound is .95 − .1713 = .779.
        let steady: Vec<Served> = (0..90).map(|index| second(20, if index % 3 == 0 { 17 } else { 20 }, 20)).collect();
        let band = Band::of(&steady).unwrap();
        assert!((band.share_bound - 0.778_5).abs() < 1e-3, "{band:?}");
        // P(X ≥ 4) = 1.6 %, P(X ≥ 5) = 0.3 % of 20 by .0508; of 200, P(X ≥ 19) = 0.7 %, so only the bound decides: 44 of 200 is .78.
        assert_eq!([16, 15].map(|in_time| band.place(&second(20, in_time, 20))), [Place::Inside, Place::Outside]);
        assert_eq!([156, 155].map(|in_time| band.place(&second(200, in_time, 20))), [Place::Inside, Place::Outside]);
        assert_eq!(band.place(&second(2, 1, 20)), Place::Inside, "one of two is below the bound, and happens");
    }

    #[test]
    fn one_failure_where_there_was_none_is_not_outside() {
        let band = Band::of(&[second(4, 4, 20); 90]).unwrap();
        assert_eq!((band.share_bound, band.lowest_share), (1.0, 0.75));
        assert_eq!(
            [4, 3, 2].map(|in_time| band.place(&second(4, in_time, 20))),
            [Place::Inside, Place::Inside, Place::Outside]
        );
    }

    #[test]
    fn there_is_no_band_without_seconds_requests_or_steadiness() {
        let many = |count| vec![second(10, 10, 20); count];
        assert_eq!(Band::of(&many(89)).unwrap_err(), NoBand::TooShort { second_count: 89 });
        assert_eq!(Band::of(&[]).unwrap_err(), NoBand::TooShort { second_count: 0 });
        let with_gaps: Vec<Served> = many(80).into_iter().chain([Served::default(); 40]).collect();
        assert_eq!(Band::of(&with_gaps).unwrap_err(), NoBand::TooShort { second_count: 80 });
        assert_eq!(Band::of(&[second(1, 1, 20); 90]).unwrap_err(), NoBand::TooFew { per_second: 1.0 });
        let slower = |strays| many(90 - strays).into_iter().chain(vec![second(10, 10, 40); strays]).collect::<Vec<_>>();
        assert_eq!(Band::of(&slower(2)).unwrap().stray_count, 2);
        assert_eq!(Band::of(&slower(3)).unwrap_err(), NoBand::Unsteady { stray_count: 3 });
    }
}
