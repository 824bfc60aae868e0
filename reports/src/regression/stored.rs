//! A candidate against stored figures of past jobs, where the baseline can no longer be started.
//!
//! Past jobs met other hours of other machines, so how much they scatter is what a new job may scatter by: a prediction interval, not a
//! comparison of means. On shared machines it finds little (a true +10 % of p95 in 3 of 10 jobs), and says so.
//! Source: measurement.md B5; Hahn and Meeker, Statistical Intervals, 4.7.
use super::{
    finding::Verdict,
    metric::Quantity,
    power::{deviation, reach, t_quantile},
};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// Fewest past jobs that say how much jobs scatter.
pub const FEWEST_JOBS: usize = 8;
/// Past jobs that are looked at when there are more.
pub const USUAL_JOBS: usize = 20;

/// Why nothing can be said from stored figures.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Too few to know their scatter.
    #[error(
        "the baseline has {0} past jobs; at least {FEWEST_JOBS} are needed to know how much jobs differ from each other"
    )]
    TooFewJobs(usize),
    /// There is no new job.
    #[error("there is no new job to compare with the baseline")]
    NoNewJob,
    /// A figure is no latency or share.
    #[error("job {place} of the {side} has the value {value}, which is no {quantity}")]
    Value {
        /// Which jobs.
        side: &'static str,
        /// Position from 1.
        place: usize,
        /// As stored.
        value: f64,
        /// What it should be.
        quantity: &'static str,
    },
}

/// A new job against past ones, for one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// PASS is never claimed when the detectable effect is larger than the margin.
    pub verdict: Verdict,
    /// Worse than the past jobs by so much, as a share of them (latency) or of all requests (errors).
    pub effect: f64,
    /// Worse by at least so much, but for a chance of alpha.
    pub at_least: f64,
    /// Worse by at most so much, but for a chance of alpha.
    pub at_most: f64,
    /// Chance of so slow a job if it were worse by the margin only.
    pub p_regress: f64,
    /// Chance of so fast a job if it were worse by the margin.
    pub p_pass: f64,
    /// The smallest worsening, from no margin at all, that is found in 80 % of jobs: what these stored figures are worth.
    pub detectable: f64,
    /// Standard deviation of the past jobs, as a share of them (latency) or of all requests (errors).
    pub scatter: f64,
    /// Past jobs that were looked at.
    pub jobs: usize,
}

/// Compares the mean of new jobs with past ones, oldest first, of which the last twenty count. Values are latencies in nanoseconds, of
/// which the logarithm is taken, or shares that failed; `margin` is a share as in [`Test`](super::metric::Test), and `alpha` the chance of
/// error on either side: for many metrics at once, divided by their number.
///
/// `t = (x̄ − h̄ − δ)/(s·√(1/m + 1/K))` with K − 1 degrees of freedom, for m new and K past jobs.
///
/// # Errors
/// With fewer than eight past jobs or no new one, and when a value is not a positive latency or a share.
pub fn predict(past: &[f64], new: &[f64], quantity: Quantity, margin: f64, alpha: f64) -> Result<Prediction, Error> {
    let past = scaled(&past[past.len().saturating_sub(USUAL_JOBS)..], quantity, "baseline")?;
    let new = scaled(new, quantity, "candidate")?;
    let scatter = deviation(&past).filter(|_| past.len() >= FEWEST_JOBS).ok_or(Error::TooFewJobs(past.len()))?;
    if new.is_empty() {
        return Err(Error::NoNewJob);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (difference, limit) = (mean(&new) - mean(&past), quantity.difference(margin));
    let error = scatter * (1.0 / new.len() as f64 + 1.0 / past.len() as f64).sqrt();
    let freedom = past.len() as f64 - 1.0;
    let law = StudentsT::new(0.0, 1.0, freedom).expect("at least seven degrees of freedom");
    // Past jobs that are all the same leave nothing to chance, and 0/0 when the new one is at the limit.
    let t = (difference - limit) / error;
    let (p_regress, p_pass) = if t.is_nan() { (1.0, 1.0) } else { (law.sf(t), law.cdf(t)) };
    let half = t_quantile(1.0 - alpha, freedom) * error;
    let detectable = quantity.effect(reach(alpha, freedom) * error);
    let verdict = if p_regress < alpha {
        Verdict::Regress
    } else if p_pass < alpha && detectable <= margin {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    Ok(Prediction {
        verdict,
        effect: quantity.effect(difference),
        at_least: quantity.effect(difference - half),
        at_most: quantity.effect(difference + half),
        p_regress,
        p_pass,
        detectable,
        scatter: quantity.effect(scatter),
        jobs: past.len(),
    })
}

/// Values on the scale on which their differences are taken.
fn scaled(values: &[f64], quantity: Quantity, side: &'static str) -> Result<Vec<f64>, Error> {
    let (scale, word): (fn(f64) -> Option<f64>, _) = match quantity {
        Quantity::Latency(_) => (|ns| (ns > 0.0 && ns.is_finite()).then(|| ns.ln()), "latency in nanoseconds"),
        Quantity::ErrorShare => (|share| (0.0..=1.0).contains(&share).then_some(share), "share from 0 to 1"),
    };
    let checked = values
        .iter()
        .zip(1..)
        .map(|(value, place)| scale(*value).ok_or(Error::Value { side, place, value: *value, quantity: word }));
    checked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::percentile::Percentile;

    const P95: Quantity = Quantity::Latency(Percentile::P95);

    /// Twenty jobs around 100 ms whose logarithms have exactly this standard deviation and the mean ln 100 ms.
    fn past(sigma: f64) -> Vec<f64> {
        let steps: Vec<f64> = (0..20).map(|k| f64::from(k) - 9.5).collect();
        let unit = deviation(&steps).unwrap();
        steps.iter().map(|step| 1e8 * (step / unit * sigma).exp()).collect()
    }

    #[test]
    fn the_statistic_is_the_prediction_interval_of_the_page() {
        let found = predict(&past(0.094), &[1.1e8], P95, 0.0, 0.05).unwrap();
        // error = .094·√(1 + 1/20) = .096322; t = ln 1.1/error = .98950; t.95,19 = 1.729133; t.8,19 = .860951.
        let law = StudentsT::new(0.0, 1.0, 19.0).unwrap();
        assert!((found.p_regress - law.sf(0.989_500)).abs() < 1e-5, "{found:?}");
        assert!((found.detectable - (2.590_084 * 0.096_322_f64).exp_m1()).abs() < 1e-5, "{found:?}");
        assert!((found.at_least - (1.1_f64.ln() - 1.729_133 * 0.096_322).exp_m1()).abs() < 1e-5, "{found:?}");
        assert!((found.at_most - (1.1_f64.ln() + 1.729_133 * 0.096_322).exp_m1()).abs() < 1e-5, "{found:?}");
        assert!((found.effect - 0.1).abs() < 1e-12 && found.jobs == 20);
        assert_eq!(found.verdict, Verdict::Inconclusive, "stored figures of a shared machine do not find 10 %");
    }

    #[test]
    fn power_is_that_of_the_page_for_quiet_shared_and_hostile_machines() {
        // measurement.md B5, p95 at margin 0: power in percent at +5, +10, +20 %, simulated there with 200 replicates (±2, so at worst
        // ±7 at two standard errors). Here: the chance that a normal job of this deviation exceeds the bound, by averaging over the
        // scatter that K = 20 jobs may show.
        let table = [(0.019, [77.0, 100.0, 100.0]), (0.094, [15.0, 29.0, 58.0]), (0.32, [7.0, 9.0, 13.0])];
        for (sigma, expected) in table {
            for (effect, expected) in [0.05_f64, 0.10, 0.20].into_iter().zip(expected) {
                let power = 100.0 * noncentral_power(effect.ln_1p() / (sigma * 1.05_f64.sqrt()));
                assert!((power - expected).abs() <= 8.0, "{sigma} at {effect}: {power} is not {expected}");
            }
        }
    }

    /// `P(T > t.95,19)` for a noncentral t with 19 degrees of freedom, by summing over quantiles of the chi-square.
    fn noncentral_power(shift: f64) -> f64 {
        use statrs::distribution::{ChiSquared, Normal};
        let (scatter, normal) = (ChiSquared::new(19.0).unwrap(), Normal::standard());
        let critical = t_quantile(0.95, 19.0);
        let at = |share: f64| normal.sf(critical * (scatter.inverse_cdf(share) / 19.0).sqrt() - shift);
        (0..200).map(|k| at((f64::from(k) + 0.5) / 200.0)).sum::<f64>() / 200.0
    }

    #[test]
    fn it_never_passes_what_it_could_not_have_found() {
        let same = |sigma: f64, margin: f64| predict(&past(sigma), &[1e8], P95, margin, 0.05).unwrap();
        let quiet = same(0.01, 0.05);
        assert!(quiet.verdict == Verdict::Pass && quiet.detectable <= 0.05, "{quiet:?}");
        // Equal on the dot, far inside a margin of 20 %, and yet a slow-down of 20 % would be missed too often.
        let shared = same(0.094, 0.20);
        assert!(shared.p_pass < 0.05 && shared.detectable > 0.20, "{shared:?}");
        assert_eq!(shared.verdict, Verdict::Inconclusive);
        assert_eq!(predict(&past(0.01), &[1.2e8], P95, 0.05, 0.05).unwrap().verdict, Verdict::Regress);
    }

    #[test]
    fn several_new_jobs_find_more_than_one() {
        let found = |new: &[f64]| predict(&past(0.094), new, P95, 0.0, 0.05).unwrap();
        let (one, three) = (found(&[1.2e8]), found(&[1.2e8; 3]));
        assert!(three.detectable < one.detectable && three.p_regress < one.p_regress);
        assert_eq!((one.verdict, three.verdict), (Verdict::Regress, Verdict::Regress));
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        let refused = |past: &[f64], new: &[f64], quantity| {
            predict(past, new, quantity, 0.05, 0.05).map(|found| found.verdict).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&past(0.1)[..7], &[1e8], P95),
            "the baseline has 7 past jobs; at least 8 are needed to know how much jobs differ from each other"
        );
        assert_eq!(refused(&past(0.1), &[], P95), "there is no new job to compare with the baseline");
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let text = refused(&past(0.1), &[1e8, value], P95);
            assert_eq!(
                text,
                format!("job 2 of the candidate has the value {value}, which is no latency in nanoseconds")
            );
        }
        assert!(
            refused(&[0.1, 1.2], &[0.1], Quantity::ErrorShare).starts_with("job 2 of the baseline has the value 1.2")
        );
    }

    #[test]
    fn past_jobs_that_all_agree_leave_nothing_to_chance() {
        let found = |new: f64| predict(&[0.0; 20], &[new], Quantity::ErrorShare, 0.001, 0.05).unwrap();
        assert_eq!(
            [0.0, 0.001, 0.002].map(|new| found(new).verdict),
            [Verdict::Pass, Verdict::Inconclusive, Verdict::Regress]
        );
    }

    #[test]
    fn only_the_last_twenty_jobs_count() {
        let mut jobs = vec![9e8; 30];
        jobs.extend(past(0.01));
        let found = predict(&jobs, &[1e8], P95, 0.05, 0.05).unwrap();
        assert!(found.jobs == 20 && found.verdict == Verdict::Pass, "{found:?}");
    }
}
