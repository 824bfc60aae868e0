//! Whether a gate may be believed: the labels balanced, the order of starting without effect, cycles that know nothing of each other.
//!
//! Source: measurement.md B6, gate self-checks.
use super::{
    cycle::{Conduct, Cycle, Series},
    metric::{Metric, Quantity},
    shift::median_of_sorted,
    signed_rank::SignedRank,
};
use crate::{
    number,
    record::Variant,
    summary::Scope,
    validity::{Check, CheckOutcome},
};
use statrs::distribution::{ContinuousCDF as _, DiscreteCDF as _, Hypergeometric, Normal};
use std::collections::BTreeSet;

/// Labels come in blocks of four with two of each: a stretch that cuts a block at either end has at most so many more of one.
const LABELS_APART: u64 = 4;
/// Share by which the requests of both variants may differ.
const REQUESTS_APART: f64 = 0.01;
/// Below this chance a label is put on the gate.
const UNLIKELY: f64 = 0.01;
/// Fewest cycles that say anything about order or dependence.
const FEWEST_CYCLES: usize = 8;
/// How far the first autocorrelation may lie from zero for one metric, in 1/√n.
const AUTOCORRELATION_LIMIT: f64 = 2.0;

/// Share of the cycles in which requests may have gone out late.
const LATE_CYCLES: f64 = 0.25;
/// So many late cycles alone are no reason to stop.
const FEW_LATE: f64 = 2.0;
/// Share of the cores beyond which one variant slows the other down. Source: measurement.md B6, attenuation.
const USED_SHARE: f64 = 0.5;

/// Values closer than this are the same.
const SAME: f64 = 1e-12;

/// Every check, over the cycles and the differences of each metric that was compared.
#[must_use]
pub fn check_all(cycles: &[Cycle], compared: &[(&Metric, &[f64])]) -> Vec<Check> {
    let of_coin = [labels(cycles), requests(cycles), errors(cycles), order(cycles, compared), independence(compared)];
    of_conduct(cycles).into_iter().chain(of_coin).collect()
}

/// What the conduct of the cycles says, where it is known.
fn of_conduct(cycles: &[Cycle]) -> Vec<Check> {
    let conducts: Vec<(usize, &Conduct)> =
        cycles.iter().zip(1..).filter_map(|(cycle, number)| Some((number, cycle.conduct.as_ref()?))).collect();
    if conducts.is_empty() {
        return Vec::new();
    }
    vec![measured(&conducts), schedule(&conducts), room(&conducts), restarts(&conducts)]
}

fn measured(conducts: &[(usize, &Conduct)]) -> Check {
    let broken = conducts.iter().find_map(|(number, conduct)| Some((number, conduct.broken.as_ref()?)));
    let figure = match broken {
        Some((number, why)) => format!("cycle {number}: {why}"),
        None => format!("all {} valid runs of both", conducts.len()),
    };
    Check::new("cycles measured", broken.is_none(), figure, "every run valid")
}

/// A few late cycles are noise that both variants share; many are a generator that cannot do what it is asked.
fn schedule(conducts: &[(usize, &Conduct)]) -> Check {
    const NAME: &str = "schedule kept";
    let late: Vec<String> = conducts
        .iter()
        .filter_map(|(number, conduct)| Some(format!("cycle {number}: {}", conduct.late.as_ref()?)))
        .collect();
    let threshold = format!("in every cycle, at least in {}", number::exact_percent(1.0 - LATE_CYCLES));
    let Some(first) = late.first() else {
        return Check::new(NAME, true, format!("in all {}", conducts.len()), threshold);
    };
    let figure = format!("late in {} of {} ({first})", late.len(), conducts.len());
    match late.len() as f64 > (LATE_CYCLES * conducts.len() as f64).max(FEW_LATE) {
        true => Check::new(NAME, false, figure, threshold),
        false => Check::label(NAME, false, figure, threshold),
    }
}

fn room(conducts: &[(usize, &Conduct)]) -> Check {
    const NAME: &str = "room on the machine";
    let threshold = format!("at most {} of the cores used", number::exact_percent(USED_SHARE));
    let used = conducts.iter().filter_map(|(_, conduct)| conduct.used_share);
    match used.max_by(f64::total_cmp) {
        Some(most) => Check::label(NAME, most <= USED_SHARE, format!("at most {}", number::percent(most)), threshold),
        None => Check::not_applicable(NAME, "the variants are not ours to watch", threshold),
    }
}

fn restarts(conducts: &[(usize, &Conduct)]) -> Check {
    let restarted = conducts.iter().filter(|(_, conduct)| conduct.is_restarted).count();
    let figure = match restarted {
        0 => "never: a lucky or unlucky start of either looks like a difference".to_owned(),
        _ => format!("before {restarted} of {} cycles", conducts.len()),
    };
    Check::label("both restarted", restarted == conducts.len(), figure, "before each cycle")
}

/// Both variants got as many labels as a balanced coin gives them.
fn labels(cycles: &[Cycle]) -> Check {
    const NAME: &str = "labels balanced";
    let threshold = format!("within {LABELS_APART} in each cycle and stream");
    let streams = |cycle: &Cycle| -> BTreeSet<String> {
        cycle.baseline.labels.keys().chain(cycle.candidate.labels.keys()).cloned().collect()
    };
    let apart = cycles.iter().enumerate().flat_map(|(index, cycle)| {
        streams(cycle).into_iter().map(move |stream| {
            let of = |labels: &std::collections::BTreeMap<String, u64>| labels.get(&stream).copied().unwrap_or(0);
            let (baseline, candidate) = (of(&cycle.baseline.labels), of(&cycle.candidate.labels));
            (baseline.abs_diff(candidate), index, stream)
        })
    });
    // One that broke has another reason to be invalid.
    let is_broken = |cycle: &Cycle| cycle.conduct.as_ref().is_some_and(|conduct| conduct.broken.is_some());
    let without = cycles.iter().position(|cycle| streams(cycle).is_empty() && !is_broken(cycle));
    match (without, apart.max()) {
        (Some(index), _) => Check::new(NAME, false, format!("cycle {} has no labels", index + 1), threshold),
        (None, None) => Check::not_applicable(NAME, "no cycle yet", threshold),
        (None, Some((apart, index, stream))) => {
            let figure = format!("at most {apart} apart ({stream}, cycle {})", index + 1);
            Check::new(NAME, apart <= LABELS_APART, figure, threshold)
        }
    }
}

fn requests(cycles: &[Cycle]) -> Check {
    const NAME: &str = "requests per variant";
    let threshold = format!("within {}", number::exact_percent(REQUESTS_APART));
    let of = |variant: fn(&Cycle) -> &super::cycle::Arm| -> u64 {
        cycles.iter().map(|cycle| variant(cycle).requests(&Scope::All)).sum()
    };
    let (baseline, candidate) = (of(|cycle| &cycle.baseline), of(|cycle| &cycle.candidate));
    if baseline + candidate == 0 {
        return Check::not_applicable(NAME, "no requests", threshold);
    }
    let apart = baseline.abs_diff(candidate) as f64 / baseline.max(candidate) as f64;
    let figure = format!("{} and {}", number::count(baseline), number::count(candidate));
    Check::label(NAME, apart <= REQUESTS_APART, figure, threshold)
}

/// Latencies of variants that fail differently are compared at the timeout for a different share of their requests.
fn errors(cycles: &[Cycle]) -> Check {
    const NAME: &str = "failures per variant";
    let threshold = "no difference, or a chance of at least 1 %";
    let metric = Metric { scope: Scope::All, quantity: Quantity::ErrorShare };
    let Ok(series) = Series::of(cycles, &metric, 0) else {
        return Check::not_applicable(NAME, "no requests", threshold);
    };
    let test = SignedRank::of(&series.differences);
    let p = (2.0 * test.p_greater.min(test.p_less)).min(1.0);
    let mean = |shares: &[f64]| number::percent(shares.iter().sum::<f64>() / shares.len() as f64);
    let figure = format!("{} and {} ({})", mean(&series.baseline), mean(&series.candidate), p_is(p));
    Check::label(NAME, p >= UNLIKELY, figure, threshold)
}

/// Whether the variant that was started first is slower or faster more often than chance: Fisher's exact test of the order against
/// differences above the median, corrected for the number of metrics.
fn order(cycles: &[Cycle], compared: &[(&Metric, &[f64])]) -> Check {
    const NAME: &str = "order of starting";
    let threshold = "no effect, or a chance of at least 1 %";
    let first: Vec<bool> = cycles.iter().map(|cycle| cycle.first == Variant::Candidate).collect();
    let candidate_first = first.iter().filter(|first| **first).count();
    if cycles.len() < FEWEST_CYCLES || candidate_first == 0 || candidate_first == cycles.len() {
        return Check::not_applicable(NAME, "too few cycles of either order", threshold);
    }
    let found = compared.iter().map(|(metric, differences)| (order_chance(&first, differences), *metric));
    let Some((p, metric)) = found.min_by(|a, b| a.0.total_cmp(&b.0)) else {
        return Check::not_applicable(NAME, "nothing compared", threshold);
    };
    let p = (p * compared.len() as f64).min(1.0);
    let figure = format!("candidate first in {candidate_first} of {} ({}, {metric})", cycles.len(), p_is(p));
    Check::label(NAME, p >= UNLIKELY, figure, threshold)
}

fn order_chance(first: &[bool], differences: &[f64]) -> f64 {
    let mut sorted = differences.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = median_of_sorted(&sorted);
    let is_above: Vec<bool> = differences.iter().map(|difference| *difference > median).collect();
    let count = |of: &mut dyn Iterator<Item = bool>| of.filter(|is_so| *is_so).count() as u64;
    let above = count(&mut is_above.iter().copied());
    let both = count(&mut is_above.iter().zip(first).map(|(above, first)| *above && *first));
    let candidate_first = count(&mut first.iter().copied());
    let Ok(law) = Hypergeometric::new(first.len() as u64, candidate_first, above) else { return 1.0 };
    let at_least = if both == 0 { 1.0 } else { law.sf(both - 1) };
    (2.0 * law.cdf(both).min(at_least)).min(1.0)
}

/// Whether a cycle's difference tells the next one's, by the first autocorrelation.
fn independence(compared: &[(&Metric, &[f64])]) -> Check {
    const NAME: &str = "cycles independent";
    let cycles = compared.iter().map(|(_, differences)| differences.len()).min().unwrap_or(0);
    if cycles < FEWEST_CYCLES {
        return Check::not_applicable(NAME, "too few cycles", "lag-1 autocorrelation within 2/√n");
    }
    // With many metrics, the limit is the one that all keep together as often as one keeps its own.
    let normal = Normal::standard();
    let outside = normal.sf(AUTOCORRELATION_LIMIT) / compared.len() as f64;
    let limit = normal.inverse_cdf(1.0 - outside) / (cycles as f64).sqrt();
    let found = compared.iter().map(|(metric, differences)| (autocorrelation(differences), *metric));
    let Some((r1, metric)) = found.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs())) else {
        return Check::not_applicable(NAME, "nothing compared", "lag-1 autocorrelation within 2/√n");
    };
    let figure = format!("at most {r1:+.2} ({metric})");
    Check::label(NAME, r1.abs() <= limit, figure, format!("lag-1 autocorrelation within ±{limit:.2}"))
}

/// How far each value tells the next one, from −1 to 1; 0 for values that are all the same.
#[must_use]
pub fn autocorrelation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let products: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    // Rounding alone leaves a little in the squares of equal values.
    if squares > values.len() as f64 * SAME * SAME { products / squares } else { 0.0 }
}

/// A chance as people read it.
pub(crate) fn chance(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

fn p_is(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {}", chance(p)) }
}

/// The first check that makes the gate invalid.
pub(crate) fn failed(checks: &[Check]) -> Option<&Check> {
    checks.iter().find(|check| check.outcome == CheckOutcome::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{distribution::Distribution, regression::cycle::Arm, summary::Latency};
    use std::collections::BTreeMap;

    fn arm(labels: u64, good: u64, failed: u64) -> Arm {
        let values = BTreeMap::from([(1_000_000, good)]);
        let latency = Latency { good: Distribution::of_values(&values), failed };
        Arm {
            labels: BTreeMap::from([("search".to_owned(), labels)]),
            latencies: BTreeMap::from([(Scope::All, latency)]),
        }
    }

    fn cycle(baseline: Arm, candidate: Arm) -> Cycle {
        Cycle { first: Variant::Baseline, baseline, candidate, conduct: None }
    }

    #[test]
    fn a_coin_that_is_not_balanced_makes_the_gate_invalid() {
        let seen = |pairs: &[(u64, u64)]| {
            let cycles: Vec<Cycle> = pairs.iter().map(|(a, b)| cycle(arm(*a, 9, 0), arm(*b, 9, 0))).collect();
            let check = labels(&cycles);
            (check.outcome, check.figure)
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(seen(&[(600, 602), (600, 596)]), (CheckOutcome::Pass, text("at most 4 apart (search, cycle 2)")));
        assert_eq!(seen(&[(600, 605), (600, 600)]), (CheckOutcome::Fail, text("at most 5 apart (search, cycle 1)")));
        assert_eq!(seen(&[]).0, CheckOutcome::NotApplicable);
        let blank = Arm { labels: BTreeMap::new(), ..arm(0, 9, 0) };
        assert_eq!(labels(&[cycle(blank.clone(), blank)]).outcome, CheckOutcome::Fail);
    }

    #[test]
    fn a_cycle_that_measured_nothing_makes_the_gate_invalid_and_a_few_late_ones_do_not() {
        let outcomes = |conducts: &[Conduct]| -> Vec<CheckOutcome> {
            let with =
                |conduct: &Conduct| Cycle { conduct: Some(conduct.clone()), ..cycle(arm(1, 1, 0), arm(1, 1, 0)) };
            let cycles: Vec<Cycle> = conducts.iter().map(with).collect();
            of_conduct(&cycles).into_iter().map(|check| check.outcome).collect()
        };
        use CheckOutcome::{Fail, NotApplicable, Pass, Warn};
        let good = Conduct { used_share: Some(0.3), is_restarted: true, ..Conduct::default() };
        let late = Conduct { late: Some("p99 lag 3 ms".to_owned()), ..good.clone() };
        let dead = Conduct { broken: Some("the candidate ended".to_owned()), ..good.clone() };
        let elsewhere = Conduct { used_share: None, is_restarted: false, ..good.clone() };
        let four = |other: &Conduct| [good.clone(), good.clone(), other.clone(), good.clone()];
        assert_eq!(outcomes(&four(&good)), [Pass; 4]);
        assert_eq!(outcomes(&four(&dead)), [Fail, Pass, Pass, Pass]);
        assert_eq!(outcomes(&four(&late)), [Pass, Warn, Pass, Pass]);
        assert_eq!(outcomes(&[late.clone(), late.clone(), late, good.clone()]), [Pass, Fail, Pass, Pass]);
        assert_eq!(outcomes(&four(&Conduct { used_share: Some(0.6), ..good.clone() })), [Pass, Pass, Warn, Pass]);
        assert_eq!(outcomes(&[elsewhere.clone(), elsewhere]), [Pass, Pass, NotApplicable, Warn]);
        assert_eq!(outcomes(&[]), []);
    }

    #[test]
    fn variants_that_answer_or_fail_differently_are_labelled() {
        let many = |good: [u64; 2], failed: [u64; 2]| -> Vec<Cycle> {
            (0..10).map(|_| cycle(arm(500, good[0], failed[0]), arm(500, good[1], failed[1]))).collect()
        };
        assert_eq!(requests(&many([1000, 1000], [0, 0])).outcome, CheckOutcome::Pass);
        assert_eq!(requests(&many([1000, 985], [0, 0])).outcome, CheckOutcome::Warn);
        assert_eq!(requests(&[]).outcome, CheckOutcome::NotApplicable);
        assert_eq!(errors(&many([990, 990], [10, 10])).outcome, CheckOutcome::Pass);
        let check = errors(&many([990, 980], [10, 20]));
        // Ten differences of one sign, both sides counted: 2·2^-10.
        assert_eq!((check.outcome, check.figure.as_str()), (CheckOutcome::Warn, "1.0 % and 2.0 % (p = 0.002)"));
        assert_eq!(errors(&[]).outcome, CheckOutcome::NotApplicable);
    }

    #[test]
    fn an_order_that_decides_is_labelled() {
        let metric = Metric { scope: Scope::All, quantity: Quantity::ErrorShare };
        let cycles: Vec<Cycle> = (0..12)
            .map(|index| Cycle {
                first: if index % 2 == 0 { Variant::Candidate } else { Variant::Baseline },
                ..cycle(arm(1, 1, 0), arm(1, 1, 0))
            })
            .collect();
        let decided: Vec<f64> = (0..12).map(|k| if k % 2 == 0 { 0.1 } else { -0.1 } + f64::from(k) * 1e-4).collect();
        let unrelated: Vec<f64> = (0..12).map(|k| if k % 4 < 2 { 0.1 } else { -0.1 } + f64::from(k) * 1e-4).collect();
        let first: Vec<bool> = (0..12).map(|k| k % 2 == 0).collect();
        // All six above the median with the candidate first: 1 of C(12, 6) = 924 ways, both sides counted.
        assert!((order_chance(&first, &decided) - 2.0 / 924.0).abs() < 1e-9);
        assert_eq!(order(&cycles, &[(&metric, &decided)]).outcome, CheckOutcome::Warn);
        assert_eq!(order(&cycles, &[(&metric, &unrelated)]).outcome, CheckOutcome::Pass);
        let many = [(&metric, decided.as_slice()); 5];
        assert_eq!(order(&cycles, &many).outcome, CheckOutcome::Pass, "one of five metrics may well look so");
        assert_eq!(order(&cycles[..7], &[(&metric, &decided[..7])]).outcome, CheckOutcome::NotApplicable);
    }

    #[test]
    fn cycles_that_tell_the_next_one_are_labelled() {
        let metric = Metric { scope: Scope::All, quantity: Quantity::ErrorShare };
        let drifting: Vec<f64> = (0..16).map(f64::from).collect();
        let jumping: Vec<f64> = (0..16).map(|k| f64::from(k * 7 % 16)).collect();
        let outcome = |values: &[f64]| independence(&[(&metric, values)]).outcome;
        assert_eq!((outcome(&drifting), outcome(&jumping)), (CheckOutcome::Warn, CheckOutcome::Pass));
        assert_eq!(independence(&[]).outcome, CheckOutcome::NotApplicable);
        // r₁ of 1..4 is .25: (-1.5·-.5 + -.5·.5 + .5·1.5)/5.
        assert!((autocorrelation(&[1.0, 2.0, 3.0, 4.0]) - 0.25).abs() < 1e-12);
        assert_eq!(autocorrelation(&[0.1; 11]), 0.0, "whose mean is not quite 0.1");
        let check = independence(&[(&metric, &drifting)]);
        assert_eq!(check.threshold, "lag-1 autocorrelation within ±0.50", "2/√16 for one metric");
    }
}
