//! How often a gate is wrong: at the boundary, in one run of twenty at most.
use crate::synthetic::{Draft, SEARCH, Shape, quickstart};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution as _, Poisson};
use reports::{
    gate::{
        GateOutcome::{self, Fail, Inconclusive, Invalid, Pass},
        GateResult, Observed,
    },
    proportion::{Tally, bounds},
    record::{Outcome, Sample},
    report::Report,
};

/// Shares of runs that pass and that fail, for requests that arrive at random and hit with a fixed chance.
fn decided(chance: f64, limit: f64, per_second: f64, seconds: usize, runs: u32) -> (f64, f64) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let arrivals = Poisson::new(per_second).unwrap();
    let (mut passed, mut failed) = (0_u32, 0_u32);
    for _ in 0..runs {
        let mut second = || {
            let total = arrivals.sample(&mut random) as u64;
            Tally { hits: Binomial::new(total, chance).unwrap().sample(&mut random), total }
        };
        let tallies: Vec<Tally> = (0..seconds).map(|_| second()).collect();
        let found = bounds(&tallies);
        passed += u32::from(found.upper <= limit);
        failed += u32::from(found.lower > limit);
    }
    (f64::from(passed) / f64::from(runs), f64::from(failed) / f64::from(runs))
}

#[test]
fn at_the_boundary_a_gate_is_wrong_in_one_run_of_twenty_at_most() {
    // 800 runs show a share of 5 % to within 1.6 points (two standard errors).
    for (limit, per_second, seconds) in [(0.05, 25.0, 40), (0.05, 6.0, 40), (0.01, 50.0, 60), (0.5, 10.0, 30)] {
        let (passed, failed) = decided(limit, limit, per_second, seconds, 800);
        assert!(passed <= 0.066 && failed <= 0.066, "limit {limit}: {passed} pass, {failed} fail");
    }
}

#[test]
fn away_from_the_boundary_a_gate_decides() {
    let (passed, failed) = decided(0.01, 0.05, 25.0, 40, 300);
    assert!(passed > 0.99 && failed == 0.0, "1 % against 5 %: {passed} pass, {failed} fail");
    let (passed, failed) = decided(0.10, 0.05, 25.0, 40, 300);
    assert!(passed == 0.0 && failed > 0.95, "10 % against 5 %: {passed} pass, {failed} fail");
}

/// Judges gates over a short run whose samples were changed; each must have its outcome.
fn check(gates: &[(&'static str, GateOutcome)], change: impl Fn(usize, &mut Sample)) -> Vec<GateResult> {
    let root = tempfile::tempdir().unwrap();
    let texts = gates.iter().map(|(gate, _)| *gate).collect();
    let mut draft = Draft::new(&Shape { seconds: 16, per_second: 40.0, fault: None, gates: texts, ..quickstart() });
    for (index, sample) in draft.samples.iter_mut().enumerate() {
        sample.outcome = Outcome::Full;
        change(index, sample);
    }
    let results = Report::read(&draft.write(root.path())).unwrap().verdict.gates;
    for (result, (gate, outcome)) in results.iter().zip(gates) {
        assert_eq!(result.outcome, *outcome, "{gate}: {result:?}");
    }
    results
}

#[test]
fn a_failed_request_counts_as_slower_than_any_limit() {
    let gates = [("p95 < 10s for flights.search", Fail), ("p50 < 10s for flights.search", Pass), ("max < 10s", Fail)];
    let results = check(&gates, |index, sample| {
        if sample.step_index == SEARCH && index.is_multiple_of(5) {
            sample.outcome = Outcome::Timeout;
        }
    });
    assert!(matches!(results[0].observed, Some(Observed::NoAnswer { failed_share }) if failed_share > 0.1));
    assert_eq!(results[0].margin, None);
}

#[test]
fn an_intended_limit_is_neither_slow_nor_an_error_and_a_class_is_judged_alone() {
    let gates = [
        ("p95 < 10s", Pass),
        ("error-rate < 5%", Pass),
        ("good-rate > 95%", Pass),
        ("limited-rate < 5%", Fail),
        ("limited = 0", Fail),
        ("p95 < 10s class=limited", Pass),
        ("p90 > 1ms class=limited", Pass),
        ("p95 > 10s", Fail),
        ("max < 10s", Pass),
        ("requests > 100", Pass),
        ("dropped = 0", Pass),
        ("achieved-rate >= 100%", Pass),
        ("p95 < 10s for trips.get", Invalid),
        ("p95 < 10s class=shed", Inconclusive),
    ];
    check(&gates, |index, sample| {
        if index.is_multiple_of(2) {
            sample.outcome = Outcome::Limited;
        }
    });
}

#[test]
fn streamed_measures_are_judged_on_streamed_steps_only() {
    let gates = [("first_event.p90 < 10s", Pass), ("gap.p90 < 1s for chat.message", Pass)];
    let results = check(&gates, |_, _| {});
    assert!(results[0].request_count < results[1].request_count, "searches have no first event, and gaps are many");
    check(&[("first_event.p90 < 10s", Fail)], |_, sample| {
        if sample.stream.is_some() {
            sample.outcome = Outcome::Wrong;
        }
    });
}
