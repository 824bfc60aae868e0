//! What a gate is worth on a machine: gates with a known slow-down, or with none, and how often each was found.
//!
//! Source: measurement.md B6, A/A mode and positive control; firsts.md F10.
use super::{judgement::Overall, settings::Settings, shift::median_of_sorted};
use crate::{
    proportion::{Tally, clopper_pearson},
    record::Machine,
};
use serde::Serialize;

/// The kind of trial into which nothing was put.
pub const EQUAL: &str = "equal";

/// Share of the gates with the largest slow-down that a gate must find to be worth its time.
const WORTH: f64 = 0.5;

/// One gate whose answer is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// What was put in, such as `+10%` or `equal`.
    pub injected: String,
    /// The same in words.
    pub meaning: String,
    /// Of the gate.
    pub seed: u64,
    /// What came out.
    pub overall: Overall,
    /// The same in words.
    pub headline: String,
    /// After so many cycles.
    pub cycles: usize,
    /// How long it took.
    pub seconds: f64,
    /// Estimated effect on every metric that was compared.
    pub effects: Vec<(String, f64)>,
    /// Name of the gate's folder.
    pub gate: String,
}

/// Gates whose answer is known, as far as they were made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTest {
    /// The scenario whose load the variants were under.
    pub scenario: String,
    /// Requests per second of both together.
    pub rate_per_second: f64,
    /// Measured seconds of each cycle.
    pub cycle_seconds: f64,
    /// How each gate decides.
    pub settings: Settings,
    /// Where it ran.
    pub machine: Machine,
    /// Every gate that was made.
    pub trials: Vec<Trial>,
}

impl SelfTest {
    /// One without trials, on this machine.
    #[must_use]
    pub fn new(scenario: String, rate_per_second: f64, cycle_seconds: f64, settings: Settings) -> Self {
        Self { scenario, rate_per_second, cycle_seconds, settings, machine: Machine::this(), trials: Vec::new() }
    }

    /// The rate of each kind.
    #[must_use]
    pub fn rates(&self) -> Vec<Rate> {
        rates(&self.trials)
    }

    /// What the gate is worth: invalid when no gate was valid or there are surely more false alarms than `alpha`, inconclusive when it
    /// finds less than half of what is furthest beyond its margins, or nothing of the kind was tried.
    #[must_use]
    pub fn overall(&self) -> Overall {
        let rates = self.rates();
        let alarms = rates.iter().find(|rate| rate.injected == EQUAL);
        let found = rates.iter().filter(|rate| rate.injected != EQUAL).filter_map(|rate| rate.share);
        if rates.iter().all(|rate| rate.share.is_none())
            || alarms.is_some_and(|rate| rate.at_least > self.settings.alpha)
        {
            Overall::Invalid
        } else if found.fold(0.0, f64::max) < WORTH {
            Overall::Inconclusive
        } else {
            Overall::Pass
        }
    }

    /// The result in one sentence, without its word.
    #[must_use]
    pub fn headline(&self) -> String {
        let rates = self.rates();
        let alarms = match rates.iter().find(|rate| rate.injected == EQUAL) {
            Some(rate) => format!("{} false alarms in {} gates of equal variants", rate.regressed, rate.valid()),
            None => "no gate of equal variants".to_owned(),
        };
        let found = rates.iter().filter(|rate| rate.injected != EQUAL);
        let found: Vec<String> =
            found.map(|rate| format!("{} {} of {}", rate.injected, rate.regressed, rate.valid())).collect();
        match found.is_empty() {
            true => alarms,
            false => format!("{alarms}; found {}", found.join(", ")),
        }
    }

    /// The metric that a kind moved most, and by how much, both as medians over its gates; `None` when nothing was compared.
    #[must_use]
    pub fn moved_most(&self, injected: &str) -> Option<(String, f64)> {
        let trials: Vec<&Trial> = self.trials.iter().filter(|trial| trial.injected == injected).collect();
        let mut metrics: Vec<&String> =
            trials.iter().flat_map(|trial| trial.effects.iter().map(|(name, _)| name)).collect();
        metrics.sort();
        metrics.dedup();
        let median = |metric: &String| {
            let effects = trials.iter().flat_map(|trial| &trial.effects);
            let mut effects: Vec<f64> = effects.filter(|(name, _)| name == metric).map(|(_, effect)| *effect).collect();
            effects.sort_by(f64::total_cmp);
            median_of_sorted(&effects)
        };
        let moved = metrics.into_iter().map(|metric| (metric.clone(), median(metric)));
        moved.max_by(|a, b| a.1.total_cmp(&b.1))
    }
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

impl Rate {
    /// Gates that count.
    #[must_use]
    pub fn valid(&self) -> u64 {
        self.regressed + self.passed + self.inconclusive
    }
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
    use crate::{
        regression::{metric::Test, sequential::Plan},
        summary::Scope,
    };

    fn trial(injected: &str, overall: Overall, effect: f64) -> Trial {
        Trial {
            injected: injected.to_owned(),
            meaning: String::new(),
            seed: 1,
            overall,
            headline: String::new(),
            cycles: 8,
            seconds: 60.0,
            effects: vec![("search p50".to_owned(), effect), ("search p95".to_owned(), effect / 2.0)],
            gate: String::new(),
        }
    }

    fn self_test(trials: &[(&str, Overall, usize)]) -> SelfTest {
        let tests = Test::usual(&[Scope::Step("search".to_owned())]);
        let settings = Settings { alpha: 0.05, plan: Plan::Sequential, timeout_ns: 1_000_000_000, tests };
        let trials = trials.iter().flat_map(|(injected, overall, count)| {
            (0..*count).map(move |k| trial(injected, *overall, k as f64 / 100.0))
        });
        SelfTest { trials: trials.collect(), ..SelfTest::new("baseline".to_owned(), 100.0, 12.0, settings) }
    }

    #[test]
    fn a_gate_is_worth_what_it_finds_without_false_alarms() {
        use Overall::{Inconclusive, Invalid, Pass, Regress};
        let good = self_test(&[(EQUAL, Pass, 10), ("+2%", Inconclusive, 3), ("+20%", Regress, 3)]);
        assert_eq!(good.overall(), Pass);
        assert_eq!(good.headline(), "0 false alarms in 10 gates of equal variants; found +2% 0 of 3, +20% 3 of 3");
        assert_eq!(good.moved_most("+20%"), Some(("search p50".to_owned(), 0.01)));
        assert_eq!(good.moved_most("tail"), None);
        // Two of three alarm: the true rate is at least 9.4 % (R: binom.test), more than 5 %.
        let alarming = self_test(&[(EQUAL, Regress, 2), (EQUAL, Pass, 1), ("+20%", Regress, 3)]);
        assert_eq!(alarming.overall(), Invalid);
        // One of three may be bad luck: at least 0.8 %.
        let unlucky = self_test(&[(EQUAL, Regress, 1), (EQUAL, Pass, 2), ("+20%", Regress, 3)]);
        assert_eq!(unlucky.overall(), Pass);
        assert_eq!(
            self_test(&[(EQUAL, Pass, 3), ("+20%", Inconclusive, 2), ("+20%", Regress, 1)]).overall(),
            Inconclusive
        );
        assert_eq!(self_test(&[(EQUAL, Pass, 3)]).overall(), Inconclusive);
        assert_eq!(self_test(&[(EQUAL, Invalid, 3)]).overall(), Invalid);
    }

    #[test]
    fn rates_have_exact_bounds_and_leave_invalid_gates_out() {
        use Overall::{Inconclusive, Invalid, Pass, Regress};
        let of = |injected: &str, answers: &[(Overall, usize)]| -> Vec<Trial> {
            let each = answers.iter().flat_map(|(overall, count)| std::iter::repeat_n(*overall, *count));
            each.map(|overall| trial(injected, overall, 0.1)).collect()
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
