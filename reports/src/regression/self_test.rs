//! What a gate is worth on a machine: gates with a known slow-down, or with none, and how often each was found.
//!
//! Source: measurement.md B6, A/A mode and positive control; firsts.md F10.
use super::judgement::Overall;
use crate::proportion::{Tally, clopper_pearson};
use serde::Serialize;

/// One gate whose answer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What was put in, such as `+10 %` or `equal`.
    pub injected: String,
    /// What came out.
    pub overall: Overall,
}

/// How often gates with the same injection regressed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// What was put in.
    pub injected: String,
    /// Gates that said REGRESS.
    pub regressed: u64,
    /// Gates that said PASS.
    pub passed: u64,
    /// Gates that could not say.
    pub inconclusive: u64,
    /// Gates that were invalid, which count for nothing else.
    pub invalid: u64,
    /// Share of the valid gates that regressed: detections of a slow-down, false alarms of equal variants. `None` without a valid gate.
    pub share: Option<f64>,
    /// The true share is not below, with 95 % (Clopper and Pearson).
    pub at_least: f64,
    /// The true share is not above, with 95 % (Clopper and Pearson).
    pub at_most: f64,
}

/// The rate of each injection, in the order in which they first occur.
#[must_use]
pub fn rates(trials: &[Trial]) -> Vec<Rate> {
    let mut injections: Vec<&str> = Vec::new();
    for trial in trials {
        if !injections.contains(&trial.injected.as_str()) {
            injections.push(&trial.injected);
        }
    }
    injections.into_iter().map(|injected| rate(injected, trials)).collect()
}

fn rate(injected: &str, trials: &[Trial]) -> Rate {
    let count =
        |overall| trials.iter().filter(|trial| trial.injected == injected && trial.overall == overall).count() as u64;
    let (regressed, passed, inconclusive) =
        (count(Overall::Regress), count(Overall::Pass), count(Overall::Inconclusive));
    let tally = Tally { hits: regressed, total: regressed + passed + inconclusive };
    let bounds = clopper_pearson(tally);
    Rate {
        injected: injected.to_owned(),
        regressed,
        passed,
        inconclusive,
        invalid: count(Overall::Invalid),
        share: (tally.total > 0).then(|| tally.share()),
        at_least: bounds.lower,
        at_most: bounds.upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_exact_bounds_and_leave_invalid_gates_out() {
        use Overall::{Inconclusive, Invalid, Pass, Regress};
        let of = |injected: &str, answers: &[(Overall, usize)]| -> Vec<Trial> {
            let each = answers.iter().flat_map(|(overall, count)| std::iter::repeat_n(*overall, *count));
            each.map(|overall| Trial { injected: injected.to_owned(), overall }).collect()
        };
        let trials = [
            of("equal", &[(Pass, 18), (Inconclusive, 2), (Invalid, 1)]),
            of("+10 %", &[(Regress, 9), (Inconclusive, 1)]),
            of("+2 %", &[(Invalid, 3)]),
        ];
        let found = rates(&trials.concat());
        let names: Vec<&str> = found.iter().map(|rate| rate.injected.as_str()).collect();
        assert_eq!(names, ["equal", "+10 %", "+2 %"]);
        // No alarm in 20: at most 1 − .05^(1/20) = 13.9 %. Nine of ten: at least 60.6 %, at most 99.5 % (R: binom.test).
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 5e-5, "{found} is not {expected}");
        assert_eq!((found[0].share, found[0].invalid, found[0].at_least), (Some(0.0), 1, 0.0));
        near(found[0].at_most, 0.139_108);
        assert_eq!(found[1].share, Some(0.9));
        near(found[1].at_least, 0.605_836);
        near(found[1].at_most, 0.994_884);
        assert_eq!((found[2].share, found[2].at_least, found[2].at_most), (None, 0.0, 1.0));
        assert_eq!(rates(&[]), []);
    }
}
