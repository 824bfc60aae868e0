//! From cycles to a verdict: each metric tested against its margin, all of them together, and what could have been found.
use super::{
    checks::{check_all, failed},
    cycle::{Cycle, Series},
    finding::{Finding, Level, State, Verdict},
    holm,
    settings::Settings,
    signed_rank::SignedRank,
};
use crate::validity::Check;
use serde::Serialize;

/// The verdict over all metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// A self-check failed: nothing else counts.
    Invalid,
    /// A metric regressed.
    Regress,
    /// No metric regressed, and not all passed.
    Inconclusive,
    /// Every metric that could be compared passed.
    Pass,
}

impl Overall {
    /// The exit code of the program. Source: cli-and-reports.md, exit codes.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Invalid => 8,
            Self::Regress => 4,
            Self::Inconclusive => 7,
            Self::Pass => 0,
        }
    }

    /// The word in capitals, as on the first line of every page.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::Regress => "REGRESSED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Pass => "PASSED",
        }
    }
}

/// What a gate knows after some cycles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// In one word.
    pub overall: Overall,
    /// Cycles that were looked at.
    pub cycles: usize,
    /// Chance of error on either side that this look had.
    pub alpha: f64,
    /// Cycles after which the gate would look again; `None` when it is done.
    pub next_look: Option<usize>,
    /// Every metric, in the order of the settings.
    pub findings: Vec<Finding>,
    /// Every self-check.
    pub checks: Vec<Check>,
}

/// Judges cycles in order: by the first look that has an answer, else by the last that was reached.
///
/// The same cycles always give the same answer, whether they come one by one or all at once. Before the first look nothing is decided.
#[must_use]
pub fn judge(cycles: &[Cycle], settings: &Settings) -> Judgement {
    let mut last = None;
    for look in settings.plan.looks().iter().filter(|look| **look <= cycles.len()) {
        let judgement = look_at(&cycles[..*look], settings, true);
        if judgement.overall != Overall::Inconclusive {
            return judgement;
        }
        last = Some(judgement);
    }
    last.unwrap_or_else(|| look_at(cycles, settings, false))
}

fn look_at(cycles: &[Cycle], settings: &Settings, may_decide: bool) -> Judgement {
    let alpha = settings.plan.alpha_per_look(settings.alpha);
    let series: Vec<_> =
        settings.tests.iter().map(|test| Series::of(cycles, &test.metric, settings.timeout_ns)).collect();
    let rank_tests = settings.tests.iter().zip(&series).filter_map(|(test, series)| {
        let beyond = |differences: &[f64], difference: f64| differences.iter().map(|d| d - difference).collect();
        let moved: Vec<f64> = beyond(&series.as_ref().ok()?.differences, test.metric.quantity.difference(test.margin));
        Some(SignedRank::of(&moved))
    });
    let rank_tests: Vec<SignedRank> = rank_tests.collect();
    let adjusted = holm::adjusted(&rank_tests.iter().map(|test| test.p_greater).collect::<Vec<_>>());
    let level = Level { alpha, tests: rank_tests.len(), may_decide };
    let mut tested = rank_tests.into_iter().zip(adjusted);
    let findings = settings.tests.iter().zip(&series).map(|(test, series)| {
        let state = match series {
            Err(why) => State::NotTested(*why),
            Ok(series) => {
                let (signed_rank, adjusted) = tested.next().expect("one test per series that was compared");
                State::Tested(level.tested(test, series, signed_rank, adjusted))
            }
        };
        Finding { test: test.clone(), state }
    });
    let findings: Vec<Finding> = findings.collect();
    let with_metric = settings.tests.iter().zip(&series);
    let compared: Vec<_> = with_metric
        .filter_map(|(test, series)| Some((&test.metric, series.as_ref().ok()?.differences.as_slice())))
        .collect();
    let checks = check_all(cycles, &compared);
    let overall = overall(&findings, &checks);
    let next_look = settings.plan.next_look(cycles.len()).filter(|_| overall == Overall::Inconclusive);
    Judgement { overall, cycles: cycles.len(), alpha, next_look, findings, checks }
}

/// Any regression counts, corrected for their number; all must pass, which needs no correction (an intersection–union test).
fn overall(findings: &[Finding], checks: &[Check]) -> Overall {
    let any = |verdict| findings.iter().any(|finding| finding.verdict() == Some(verdict));
    let blocks = |finding: &Finding| matches!(finding.state, State::NotTested(why) if why.blocks_pass());
    if failed(checks).is_some() {
        Overall::Invalid
    } else if any(Verdict::Regress) {
        Overall::Regress
    } else if any(Verdict::Inconclusive) || !any(Verdict::Pass) || findings.iter().any(blocks) {
        Overall::Inconclusive
    } else {
        Overall::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        distribution::Distribution,
        record::Variant,
        regression::{
            cycle::{Arm, NotTested},
            finding::{Nuance, Tested},
            metric::{Metric, Quantity, Test},
            percentile::Percentile,
            sequential::Plan,
        },
        summary::{Latency, Scope},
    };
    use std::collections::BTreeMap;

    const MS: f64 = 1e6;

    /// A thousand requests between 10 and 30 ms, slower by a factor, of which some failed.
    fn arm(factor: f64, failed: u64) -> Arm {
        let good = (0..1000 - failed).map(|k| ((10.0 + k as f64 / 50.0) * factor * MS) as u64);
        let mut values = BTreeMap::new();
        good.for_each(|value| *values.entry(value).or_default() += 1);
        let latency = Latency { good: Distribution::of_values(&values), failed };
        Arm {
            labels: BTreeMap::from([("search".to_owned(), 1000)]),
            latencies: BTreeMap::from([(Scope::All, latency)]),
        }
    }

    /// Cycles whose noise of about 2 % both variants share but for a tenth of it.
    fn cycles(count: u32, slowdown: f64, failed: u64) -> Vec<Cycle> {
        let noise = |k: u32, step: u32| f64::from(k * step % 17) / 17.0 - 0.5;
        let cycle = |k| {
            let (shared, own) = (1.0 + 0.04 * noise(k, 5), 1.0 + 0.004 * noise(k, 7));
            let first = if k * 3 % 7 < 4 { Variant::Baseline } else { Variant::Candidate };
            Cycle {
                first,
                baseline: arm(shared, 0),
                candidate: arm(shared * own * (1.0 + slowdown), failed),
                conduct: None,
            }
        };
        (1..=count).map(cycle).collect()
    }

    fn settings(quantities: &[Quantity], plan: Plan) -> Settings {
        let test = |quantity: &Quantity| Test::new(Metric { scope: Scope::All, quantity: *quantity });
        Settings { alpha: 0.05, plan, timeout_ns: 10_000_000_000, tests: quantities.iter().map(test).collect() }
    }

    const P50: Quantity = Quantity::Latency(Percentile::P50);
    const P95: Quantity = Quantity::Latency(Percentile::P95);
    const P99: Quantity = Quantity::Latency(Percentile::P99);

    fn tested(judgement: &Judgement, index: usize) -> &Tested {
        match &judgement.findings[index].state {
            State::Tested(tested) => tested,
            State::NotTested(why) => panic!("{why:?}"),
        }
    }

    #[test]
    fn a_slowdown_beyond_the_margin_regresses_and_one_within_passes() {
        use Nuance::{Faster, SlowerWithinMargin};
        use Verdict::{Pass, Regress};
        let cases = [
            (-0.10, Overall::Pass, Pass, Some(Faster)),
            (0.0, Overall::Pass, Pass, None),
            (0.03, Overall::Pass, Pass, Some(SlowerWithinMargin)),
            (0.10, Overall::Regress, Regress, None),
        ];
        for (slowdown, overall, verdict, nuance) in cases {
            let judgement = judge(&cycles(20, slowdown, 0), &settings(&[P50, P95], Plan::Fixed(20)));
            let p50 = tested(&judgement, 0);
            assert_eq!((judgement.overall, p50.verdict, p50.nuance), (overall, verdict, nuance), "{slowdown}: {p50:?}");
            assert!((p50.effect - slowdown).abs() < 0.003, "{slowdown}: {p50:?}");
            let (at_least, at_most) = (p50.at_least.unwrap(), p50.at_most.unwrap());
            assert!(at_least <= p50.effect && p50.effect <= at_most && at_most - at_least < 0.01);
            assert!((p50.detectable.unwrap() - 0.052).abs() < 0.002, "margin and two standard errors or so: {p50:?}");
            assert_eq!(p50.effects.len(), 20);
        }
    }

    #[test]
    fn exactly_at_the_margin_nothing_is_sure() {
        let judgement = judge(&cycles(32, 0.05, 0), &settings(&[P50], Plan::Sequential));
        let p50 = tested(&judgement, 0);
        assert_eq!((judgement.overall, judgement.cycles, judgement.next_look), (Overall::Inconclusive, 32, None));
        assert_eq!((p50.verdict, p50.nuance), (Verdict::Inconclusive, Some(Nuance::SlowerSizeUnresolved)), "{p50:?}");
    }

    #[test]
    fn a_sequential_gate_stops_at_the_first_look_that_knows_and_never_before() {
        let plan = Plan::Sequential;
        let all = cycles(32, 0.20, 0);
        let early = judge(&all[..7], &settings(&[P50], plan));
        assert_eq!((early.overall, early.cycles, early.next_look), (Overall::Inconclusive, 7, Some(8)));
        assert!(tested(&early, 0).p_regress < 0.01, "it would have known");
        for there in [8, 9, 32] {
            let judgement = judge(&all[..there], &settings(&[P50], plan));
            assert_eq!((judgement.overall, judgement.cycles, judgement.next_look), (Overall::Regress, 8, None));
            assert_eq!(judgement.alpha, 0.01);
        }
        // Three metrics at 2^-8: .0117 after Holm, so only the next look can reject.
        let three = judge(&all, &settings(&[P50, P95, P99], plan));
        assert_eq!((three.overall, three.cycles), (Overall::Regress, 12));
        let waiting = judge(&all[..11], &settings(&[P50, P95, P99], plan));
        assert_eq!((waiting.overall, waiting.next_look), (Overall::Inconclusive, Some(12)));
    }

    #[test]
    fn failures_regress_by_themselves() {
        let judgement = judge(&cycles(20, 0.0, 8), &settings(&[P50, Quantity::ErrorShare], Plan::Fixed(20)));
        let (p50, errors) = (tested(&judgement, 0), tested(&judgement, 1));
        assert_eq!((p50.verdict, errors.verdict), (Verdict::Pass, Verdict::Regress));
        assert_eq!((errors.baseline, errors.candidate), (0.0, 0.008));
        assert!((errors.effect - 0.008).abs() < 1e-12 && judgement.overall == Overall::Regress);
        assert!((errors.detectable.unwrap() - 0.001).abs() < 1e-12, "all cycles agree: {errors:?}");
        let within = judge(&cycles(20, 0.0, 0), &settings(&[Quantity::ErrorShare], Plan::Fixed(20)));
        assert_eq!(within.overall, Overall::Pass);
    }

    #[test]
    fn what_cannot_be_compared_is_said_and_a_gate_of_nothing_does_not_pass() {
        let mut few = cycles(20, 0.0, 0);
        few[3].candidate = arm(1.0, 0);
        let latency = few[3].candidate.latencies.get_mut(&Scope::All).unwrap();
        *latency = Latency { good: Distribution::default(), failed: 999 };
        let judgement = judge(&few, &settings(&[P50, P99], Plan::Fixed(20)));
        assert_eq!(
            judgement.findings[1].state,
            State::NotTested(NotTested::TooFewRequests { fewest: 999, needed: 1000 })
        );
        assert_eq!((tested(&judgement, 0).verdict, judgement.overall), (Verdict::Pass, Overall::Pass));
        assert_eq!(tested(&judgement, 0).p_regress, tested(&judgement, 0).p_regress_adjusted, "one test is left");
        let only = judge(&few, &settings(&[P99], Plan::Fixed(20)));
        assert_eq!((only.overall, only.next_look), (Overall::Inconclusive, None));
    }

    #[test]
    fn a_percentile_at_the_timeout_on_both_sides_keeps_the_gate_from_passing() {
        let mut broken = cycles(20, 0.0, 0);
        broken[5].baseline = arm(1.0, 100);
        broken[5].candidate = arm(1.0, 100);
        let judgement = judge(&broken, &settings(&[P50, P95], Plan::Fixed(20)));
        assert_eq!(judgement.findings[1].state, State::NotTested(NotTested::BothTimedOut { cycle_index: 5 }));
        assert_eq!((tested(&judgement, 0).verdict, judgement.overall), (Verdict::Pass, Overall::Inconclusive));
    }

    #[test]
    fn broken_labels_make_it_invalid_whatever_was_found() {
        let mut unbalanced = cycles(20, 0.5, 0);
        unbalanced[19].baseline.labels.insert("search".to_owned(), 1100);
        let judgement = judge(&unbalanced, &settings(&[P50], Plan::Fixed(20)));
        assert_eq!((judgement.overall, judgement.overall.exit_code()), (Overall::Invalid, 8));
        assert_eq!(tested(&judgement, 0).verdict, Verdict::Regress, "which is still shown");
    }

    #[test]
    fn without_cycles_nothing_is_known() {
        let judgement = judge(&[], &settings(&[P50, Quantity::ErrorShare], Plan::Sequential));
        assert_eq!((judgement.overall, judgement.cycles, judgement.next_look), (Overall::Inconclusive, 0, Some(8)));
        let why = NotTested::TooFewRequests { fewest: 0, needed: 20 };
        assert_eq!(judgement.findings[0].state, State::NotTested(why));
    }
}
