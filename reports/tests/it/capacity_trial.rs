//! What trials that never happened prove to a search: each finding, and each reason not to believe one.
use crate::synthetic::{Draft, SEARCH, Shape, quickstart};
use reports::{
    capacity::{Finding, Lens, Meaning, Observation, Observed, Promise},
    gate,
    record::Outcome,
    report::Report,
};

/// 25 arrivals a second for two minutes; nobody takes 2 s.
fn draft(gates: Vec<&'static str>) -> Draft {
    Draft::new(&Shape { seconds: 120, fault: None, gates, ..quickstart() })
}

fn promise(text: &str) -> Promise {
    match Meaning::of(&gate::parse(text).unwrap()) {
        Meaning::Promise(promise) => promise,
        other => panic!("{text} is {other:?}"),
    }
}

fn look(draft: &Draft, promises: &[&str], bounds: usize) -> Observation {
    let root = tempfile::tempdir().unwrap();
    let report = Report::read(&draft.write(root.path())).unwrap();
    let promises: Vec<Promise> = promises.iter().map(|text| promise(text)).collect();
    Lens { promises: &promises, bounds, span: 40..100, windows: 10, requests_per_arrival: None }.look(&report)
}

fn finding(observation: &Observation) -> (Finding, &str) {
    match &observation.observed {
        Observed::Judged { judgement, by } => (judgement.finding, by),
        other => panic!("{other:?}"),
    }
}

fn reason(observation: &Observation) -> &str {
    match &observation.observed {
        Observed::Invalid(reason) => reason,
        other => panic!("{other:?}"),
    }
}

const KEPT: &str = "p90 < 2s for flights.search";
const BROKEN: &str = "p90 < 1ms for trips.create";

#[test]
fn the_worst_promise_decides() {
    let draft =
        draft(vec!["p90 < 2s for flights.search window=40s..100s", "p90 < 1ms for trips.create window=40s..100s"]);
    let observation = look(&draft, &[KEPT, BROKEN], 0);
    assert_eq!(finding(&observation), (Finding::Violated, BROKEN));
    let [searches, trips] = &observation.rungs[..] else { panic!("a rung per promise") };
    // 25/s in 60 s: 1500, five standard deviations of 39 either way.
    assert!((21.8..28.2).contains(&searches.offered_per_second), "{searches:?}");
    assert!(searches.good_per_second > 0.9 * searches.offered_per_second && trips.good_per_second < 1.0, "{trips:?}");
    assert!(observation.seconds.iter().all(|seconds| seconds.len() == 60));
    let first = look(&draft, &[KEPT], 0);
    assert_eq!(finding(&first), (Finding::Kept, KEPT));
}

#[test]
fn a_bound_that_does_not_hold_is_proof() {
    let mut draft = draft(vec!["p90 < 2s for flights.search window=40s..100s", "wrong = 0 window=40s..100s"]);
    assert_eq!(finding(&look(&draft, &[KEPT], 1)), (Finding::Kept, KEPT));
    let there = draft.samples.iter_mut().find(|sample| sample.due_ns > 50_000_000_000).unwrap();
    there.outcome = Outcome::Wrong;
    let observation = look(&draft, &[KEPT], 1);
    let (finding, by) = finding(&observation);
    assert!(finding == Finding::Violated && by.starts_with("wrong = 0"), "{by}");
}

#[test]
fn waiting_for_a_user_is_the_generators_limit_and_not_the_targets() {
    let gates =
        vec!["p90 < 2s for flights.search window=40s..100s", "service.p90 < 2s for flights.search window=40s..100s"];
    let mut draft = draft(gates);
    for sample in draft.samples.iter_mut().filter(|sample| sample.step_index == SEARCH) {
        (sample.sent_ns, sample.done_ns) = (sample.sent_ns + 3_000_000_000, sample.done_ns + 3_000_000_000);
        sample.first_byte_ns = sample.first_byte_ns.map(|at| at + 3_000_000_000);
    }
    draft.count();
    let observation = look(&draft, &[KEPT], 0);
    assert!(
        observation.is_short_of_users && reason(&observation).contains("users of the generator were busy"),
        "{observation:?}"
    );
}

#[test]
fn a_trial_that_is_too_short_says_how_many_requests_it_lacks() {
    let draft = draft(vec!["p99.9 < 2s for flights.search window=40s..100s"]);
    let observation = look(&draft, &["p99.9 < 2s for flights.search"], 0);
    assert!(reason(&observation).contains("cannot show it, 2 995 could"), "{}", reason(&observation));
}

#[test]
fn a_meter_that_cannot_be_trusted_proves_nothing() {
    let mut draft = draft(vec!["p90 < 1ms for flights.search window=40s..100s"]);
    draft.run.load.counts.lost = 7;
    let observation = look(&draft, &["p90 < 1ms for flights.search"], 0);
    assert!(reason(&observation).starts_with("samples kept: 7 lost"), "{}", reason(&observation));
    assert!(observation.checks.iter().any(|check| check.has_failed()));
}
