//! Runs that went wrong, or hardly went at all: no page may fail on them, and each has its word.
use crate::synthetic::{Draft, SEARCH, Shape, TRIP, short};
use reports::{
    gate::GateOutcome,
    record::{Counts, FaultEnd, Oracle, Outcome, RecordKind, RunEnd, Violation, ViolationExample},
    render::{plain, render_all, terminal},
    report::Report,
    summary::{Scope, Window},
    verdict::Overall,
};
use std::path::Path;

/// Renders everything and checks the word, the exit code and a piece of the first lines.
fn check(folder: &Path, overall: Overall, exit_code: u8, headline: &str) -> Report {
    let report = render_all(folder).unwrap().report;
    assert_eq!((report.verdict.overall, report.verdict.exit_code), (overall, exit_code), "{:?}", report.verdict);
    assert!(report.verdict.headline.contains(headline), "{}", report.verdict.headline);
    let text = terminal(&report, plain);
    assert!(text.starts_with(overall.word()) && text.lines().count() <= 61, "{} lines\n{text}", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(!page.contains("NaN") && !text.contains("NaN"), "not a number is shown");
    report
}

#[test]
fn a_run_without_a_request_is_invalid() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.samples.clear();
    draft.dropped_ns.clear();
    draft.count();
    check(&draft.write(root.path()), Overall::Invalid, 8, "no request was measured");
}

#[test]
fn a_run_with_one_request_decides_nothing() {
    let root = tempfile::tempdir().unwrap();
    let gates = vec!["p95 < 500ms window=steady", "undeclared = 0"];
    let mut draft = Draft::new(&Shape { fault: None, gates, ..short() });
    let first_steady = draft.samples.iter().position(|sample| sample.due_ns > 5_000_000_000).unwrap();
    draft.samples = vec![draft.samples[first_steady].clone()];
    draft.dropped_ns.clear();
    draft.count();
    let report = check(&draft.write(root.path()), Overall::Inconclusive, 7, "1 of 2 gates cannot be decided");
    assert_eq!(report.verdict.gates[1].outcome, GateOutcome::Pass);
    assert!(report.verdict.gates[0].more_requests.is_some_and(|more| (50..70).contains(&more)), "59 are needed");
}

#[test]
fn a_run_in_which_everything_failed_is_infinitely_slow() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.samples.iter_mut().for_each(|sample| sample.outcome = Outcome::Transport);
    let report = check(&draft.write(root.path()), Overall::Failed, 3, "6 of 10 gates do not hold");
    let first = &report.verdict.gates[0];
    assert_eq!(first.observed.unwrap().to_string(), "∞ (100 % failed)");
    assert_eq!(report.verdict.gates[5].outcome, GateOutcome::Inconclusive, "no dependency error, so nothing to judge");
}

#[test]
fn a_stopped_run_is_interrupted_and_keeps_what_it_has() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.samples.retain(|sample| sample.done_ns < 4_500_000_000);
    draft.dropped_ns.clear();
    draft.count();
    draft.run.end = RunEnd::Interrupted;
    draft.run.finished_ns = 4_500_000_000;
    draft.run.generator.cpu_seconds = 1.0;
    draft.run.faults[0].window = None;
    draft.run.faults[0].end = FaultEnd::NeverOn;
    let report = check(&draft.write(root.path()), Overall::Interrupted, 130, "stopped after 4.5 s of 12 s");
    assert!(report.verdict.checks.iter().all(|check| check.outcome != reports::validity::CheckOutcome::Fail));
}

#[test]
fn a_killed_run_is_read_up_to_its_last_whole_line() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.run.load.counts = Counts::default();
    let report =
        check(&draft.write_killed(root.path()), Overall::Invalid, 8, "killed before it could close the record");
    let recorded: u64 = report.summary.series.bins.iter().map(|bin| bin.outcomes.total()).sum();
    let written = draft.samples.len() as u64;
    assert!(recorded + 20 > written && recorded <= written, "{recorded} of {written} requests were read");
}

#[test]
fn a_fault_that_is_left_behind_outweighs_everything() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.run.faults[0].end = FaultEnd::LeftBehind;
    draft.run.end = RunEnd::Interrupted;
    check(&draft.write(root.path()), Overall::FaultsLeft, 9, "mcp.flights latency still on");
}

#[test]
fn broken_promises_about_data_outweigh_everything_but_a_fault_left_behind() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    let oracle = draft.run.oracle.as_mut().unwrap();
    for number in 0..7 {
        oracle.add(ViolationExample {
            violation: Violation::Lost,
            kind: RecordKind::Trip,
            owner: 3,
            reference: number.to_string(),
            ids: vec!["0b8f1c9e-3c52-4be4-9f0e-0d5c2f6b1a11".to_owned()],
            status: None,
        });
    }
    draft.run.end = RunEnd::Interrupted;
    let headline = "136 acknowledged writes read back, 7 lost, 0 duplicated, 0 invented, 0 changed";
    let report = check(&draft.write(root.path()), Overall::OracleViolated, 11, headline);
    assert_eq!(report.run.oracle.as_ref().unwrap().examples.len(), 5, "the first few");
    let text = terminal(&report, plain);
    assert!(text.contains("lost: trip 0 of user 3 (0b8f1c9e-3c52-4be4-9f0e-0d5c2f6b1a11)"), "{text}");

    let root = tempfile::tempdir().unwrap();
    draft.run.faults[0].end = FaultEnd::LeftBehind;
    check(&draft.write(root.path()), Overall::FaultsLeft, 9, "mcp.flights latency still on");
}

#[test]
fn a_run_whose_writes_were_not_all_read_back_is_invalid_and_one_that_was_not_to_be_checked_says_so() {
    let not_whole = |change: fn(&mut Oracle), headline: &str| {
        let root = tempfile::tempdir().unwrap();
        let mut draft = Draft::new(&short());
        change(draft.run.oracle.as_mut().unwrap());
        check(&draft.write(root.path()), Overall::Invalid, 8, headline);
    };
    let late = "writes verified: 130 of 136 acknowledged writes read back: not all of it could be read back within 2m";
    not_whole(
        |oracle| {
            oracle.verified = 130;
            oracle.incomplete = Some("not all of it could be read back within 2m".to_owned());
        },
        late,
    );
    not_whole(|oracle| oracle.journal_lost = 1, "1 event missing in the journal");
    not_whole(|oracle| oracle.verified = 135, "135 of 136 acknowledged writes read back");

    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&Shape { fault: None, gates: Vec::new(), ..short() });
    draft.run.oracle = None;
    let report = check(&draft.write(root.path()), Overall::Passed, 0, "no gates");
    assert!(terminal(&report, plain).contains("– oracle: not checked"));
}

#[test]
fn steps_of_the_same_name_are_told_apart_by_journey_and_judged_together() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&Shape { fault: None, gates: vec!["requests > 0 for flights.search"], ..short() });
    draft.run.steps[TRIP].name = "flights.search".to_owned();
    let report = Report::read(&draft.write(root.path())).unwrap();
    let count = |scope| report.summary.outcomes(&scope, &Window::Everything).total();
    let sent = |step| draft.samples.iter().filter(|sample| sample.step_index == step).count() as u64;
    assert_eq!(count(Scope::Step("flights.search".into())), sent(SEARCH) + sent(TRIP));
    assert_eq!(count(Scope::Journey("flight-search".into())), sent(SEARCH));
    assert_eq!(count(Scope::Journey("trip".into())), sent(TRIP));
}

#[test]
fn a_run_that_broke_off_says_why() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    draft.run.end = RunEnd::Broken("the service died with signal 9".to_owned());
    draft.run.target.processes[0].died = Some("signal 9".to_owned());
    check(&draft.write(root.path()), Overall::Invalid, 8, "the service died with signal 9");
}

#[test]
fn a_run_without_gates_or_faults_passes_when_it_is_valid() {
    let root = tempfile::tempdir().unwrap();
    let draft = Draft::new(&Shape { fault: None, gates: Vec::new(), ..short() });
    check(&draft.write(root.path()), Overall::Passed, 0, "no gates");
}

#[test]
fn a_gate_that_cannot_be_read_makes_the_run_invalid() {
    let root = tempfile::tempdir().unwrap();
    let draft = Draft::new(&Shape { gates: vec!["p95 < 500ms for hotels"], ..short() });
    check(&draft.write(root.path()), Overall::Invalid, 8, "unknown step or journey `hotels`");
}

#[test]
fn many_gates_and_faults_still_fit_on_one_screen() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    let gates = (0..40).map(|index| format!("p95 < {}ms for flights.search window=steady", 300 + index));
    draft.run.gates.extend(gates);
    let fault = draft.run.faults[0].clone();
    draft.run.faults.extend((0..9).map(|_| fault.clone()));
    let folder = draft.write(root.path());
    let report = render_all(&folder).unwrap().report;
    let text = terminal(&report, plain);
    assert!(text.lines().count() <= 64, "{} lines\n{text}", text.lines().count());
    assert!(text.contains("and 40 more in the report") && text.contains("and 6 more in the report"), "{text}");
}

#[test]
fn a_damaged_or_newer_folder_is_an_error_with_its_file() {
    let root = tempfile::tempdir().unwrap();
    let folder = Draft::new(&short()).write(root.path());
    let head = std::fs::read_to_string(folder.join("run.json")).unwrap();
    std::fs::write(folder.join("run.json"), head.replace("\"format\": 1", "\"format\": 99")).unwrap();
    assert!(Report::read(&folder).unwrap_err().to_string().contains("has format 99"));
    std::fs::write(folder.join("run.json"), &head[..head.len() / 2]).unwrap();
    assert!(Report::read(&folder).unwrap_err().to_string().contains("is not the head of a run"));
    std::fs::write(folder.join("run.json"), &head).unwrap();
    let log = std::fs::read_to_string(folder.join("measures.hlog")).unwrap();
    std::fs::write(folder.join("measures.hlog"), log.replacen("warm-up/chat", "warm-up/chut", 1)).unwrap();
    assert!(Report::read(&folder).unwrap_err().to_string().contains("unknown tag"));
    assert!(Report::read(&root.path().join("nowhere")).unwrap_err().to_string().contains("run.json"));
}
