//! Faults of single requests, through the whole program: what the service makes of them, and what the record says.
use crate::program::{SHORT, Workplace};
use reports::record::{FaultRecord, Measure, Outcome, folder};
use std::collections::BTreeMap;

const LATENCY: &str = "fault = { latency = { delay = \"300ms\" } }";
/// Requests that fail are infinitely slow, so the gate that says how much lag the run tolerates must not be theirs.
const GATE: &str = "p50 < 20s for flights.search window=during";
const GATE_ON_OTHERS: &str = "p50 < 20s for trip-creation";

/// Runs the short scenario with another fault; the fault as recorded, and the outcomes of a step while it was on.
fn run(link: &str, fault: &str, step: &str) -> (FaultRecord, BTreeMap<Outcome, u64>) {
    let scenario = SHORT.replace(LATENCY, fault).replace("mcp.flights", link).replace(GATE, GATE_ON_OTHERS);
    assert!(scenario.contains(fault) && scenario.contains(GATE_ON_OTHERS), "{scenario}");
    let place = Workplace::new(&scenario);
    let (code, out, err) = place.start(&[]).end();
    assert_eq!(code, Some(0), "{out}\n{err}");
    let path = place.run_folder();
    let run = folder::read_run(&path).unwrap();
    let mut outcomes = BTreeMap::new();
    folder::read_measures(&path, &run, |interval| {
        let is_hit = run.phases[interval.phase_index].faults.len() == 1;
        if run.steps[interval.step_index].name == step && is_hit && interval.measure == Measure::Response {
            *outcomes.entry(interval.outcome).or_default() += interval.histogram.len();
        }
    })
    .unwrap();
    let effect = run.faults[0].effect.unwrap();
    let counted = |count: u64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let cut = format!(", {} cut", counted(effect.connections, "connection"));
    let touched = counted(effect.requests, "request") + if effect.connections > 0 { &cut } else { "" };
    let report = std::fs::read_to_string(path.join("report.md")).unwrap();
    assert!(report.contains(&format!("| {touched} |")), "the report says what was hit: {touched}\n{report}");
    (run.faults[0].clone(), outcomes)
}

/// Ten searches are due while the fault is on; each is a stale answer that says so, or an honest error.
#[test]
fn a_flights_server_that_answers_503_is_an_honest_error_or_a_stale_answer() {
    let fault = "fault = { mcp = { http_error = { status = 503 } } }\nrequests = { tool = \"search_flights\" }";
    let (fault, outcomes) = run("mcp.flights", fault, "flights.search");
    let effect = fault.effect.unwrap();
    assert!(effect.requests >= 1 && effect.connections == 0, "{fault:?}");
    assert_eq!(fault.description, "http_error 503, every request, tool search_flights");
    let honest =
        [Outcome::Degraded, Outcome::DependencyError].map(|outcome| outcomes.get(&outcome).copied().unwrap_or(0));
    assert!(honest.iter().sum::<u64>() >= 5, "{outcomes:?}");
    assert!(!outcomes.contains_key(&Outcome::Wrong) && !outcomes.contains_key(&Outcome::Undeclared), "{outcomes:?}");
}

/// Six or seven questions are due while the fault is on; a stream that was begun ends with an error, and once.
#[test]
fn a_model_whose_stream_breaks_off_is_an_honest_error() {
    let (fault, outcomes) = run("llm", "fault = { llm = { cut = { after_events = 3 } } }", "chat.message");
    let effect = fault.effect.unwrap();
    assert!(effect.requests >= 1 && effect.connections == effect.requests, "{fault:?}");
    assert!(outcomes.get(&Outcome::DependencyError).is_some_and(|count| *count >= 1), "{outcomes:?}");
    assert!(!outcomes.contains_key(&Outcome::Wrong), "{outcomes:?}");
}
