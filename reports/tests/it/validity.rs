//! Each check of validity fails for the one thing that it is there for.
use crate::synthetic::{Draft, quickstart_report, short};
use reports::{
    record::{FaultEffect, FaultEnd, PartEffect, Run},
    report::Report,
    validity::{Check, CheckOutcome, check_all},
};

/// Names of the checks that fail after a change of the head, with what they say.
fn failing(change: impl FnOnce(&mut Run)) -> Vec<(String, String)> {
    let sound = quickstart_report();
    let mut run = sound.run.clone();
    change(&mut run);
    failed(check_all(&run, &sound.summary))
}

fn failed(checks: Vec<Check>) -> Vec<(String, String)> {
    let failed = checks.into_iter().filter(|check| check.outcome == CheckOutcome::Fail);
    failed.map(|check| (check.name.to_owned(), check.figure)).collect()
}

fn check(change: impl FnOnce(&mut Run), name: &str, figure: &str) {
    assert_eq!(failing(change), [(name.to_owned(), figure.to_owned())]);
}

#[test]
fn a_sound_run_passes_every_check() {
    assert_eq!(failing(|_| {}), []);
}

#[test]
fn each_check_sees_what_it_is_for() {
    check(
        |run| (run.load.counts.lost, run.load.counts.completed, run.load.counts.offered) = (1, 923, 925),
        "samples kept",
        "1 lost",
    );
    check(|run| run.load.counts.dropped += 1, "requests conserved", "924 offered, 925 accounted for");
    check(
        |run| (run.load.counts.completed, run.load.counts.offered) = (923, 925),
        "requests conserved",
        "923 completed, 922 recorded",
    );
    check(|run| run.load.counts.unsent = 80, "schedule kept", "p99 lag 304 µs, 91.1 % of the arrivals sent");
    check(|run| run.generator.cpu_seconds = 60.0, "generator headroom", "73.3 % of 2 cores used");
    let unopened = "3 connections not opened: no local port or file descriptor left";
    check(|run| run.generator.unopened = 3, "generator headroom", unopened);
    let clock = "clock steady";
    check(|run| run.generator.clock_jump_ns = 100_000_001, clock, "largest jump 100 ms, steps of 41 ns");
    check(|run| run.meter.clock_resolution_ns = Some(1_001), clock, "largest jump 240 µs, steps of 1.00 µs");
    check(|run| run.load.mix[0].arrivals += 9, "mix as planned", "χ² 0.0868, p 0.958 of 933 arrivals");
    check(
        |run| run.target.processes[1].died = Some("exit code 101".to_owned()),
        "target lived",
        "providers: exit code 101",
    );
}

#[test]
fn a_fault_that_did_not_happen_as_planned_makes_a_run_invalid() {
    let name = "faults happened";
    let touched_nothing = Some(FaultEffect::default());
    check(|run| run.faults[0].effect = touched_nothing, name, "mcp.flights latency: touched nothing");
    check(
        |run| {
            run.faults[0].window = None;
            run.faults[0].error = Some("connection refused".to_owned());
        },
        name,
        "mcp.flights latency: was never on (connection refused)",
    );
    check(
        |run| run.faults[0].window.as_mut().unwrap().from_ns += 200_000_000,
        name,
        "mcp.flights latency: came on 203 ms off its plan",
    );
    check(
        |run| run.faults[0].window.as_mut().unwrap().to_ns += 200_000_000,
        name,
        "mcp.flights latency: was lifted 205 ms off its plan",
    );
    check(
        |run| run.faults[0].end = FaultEnd::LeaseExpired,
        name,
        "mcp.flights latency: ended by its lease, not by the plan",
    );
    check(
        |run| {
            killed(run);
            run.faults[0].part.as_mut().unwrap().undone_from_ns = Some(run.faults[0].planned.to_ns + 150_000_000);
        },
        name,
        "mcp.flights latency: was lifted 150 ms off its plan",
    );
    let hit = |run: &mut Run, hits| {
        killed(run);
        run.faults[0].part.as_mut().unwrap().hits = Some(hits);
    };
    check(|run| hit(run, 0), name, "mcp.flights latency: touched nothing");
    assert_eq!(failing(|run| hit(run, 1)), [], "one that hit somebody happened");
    assert_eq!(failing(killed), [], "what the part takes to start is its own time");
    check(|run| run.faults[0].end = FaultEnd::LeftBehind, "faults lifted", "left behind: mcp.flights latency");
    assert_eq!(failing(|run| run.faults[0].effect = None), [], "a link that cannot count is believed");
}

#[test]
fn a_generator_that_falls_behind_is_seen() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(&short());
    for sample in &mut draft.samples {
        sample.released_ns = sample.due_ns + 6_000_000;
        sample.sent_ns = sample.sent_ns.max(sample.released_ns);
        sample.done_ns = sample.done_ns.max(sample.sent_ns);
    }
    let found = failed(Report::read(&draft.write(root.path())).unwrap().verdict.checks);
    // 1 % of the tightest gate, 300 ms, is 3 ms.
    assert_eq!(found, [("schedule kept".to_owned(), "p99 lag 6.00 ms, 100 % of the arrivals sent".to_owned())]);
}

/// The fault as one on a part, which took two seconds to be back.
fn killed(run: &mut Run) {
    let fault = &mut run.faults[0];
    let undone_from_ns = Some(fault.planned.to_ns + 1_000_000);
    fault.part =
        Some(PartEffect { part: "service".to_owned(), proof: "pid 7 gone".to_owned(), undone_from_ns, hits: None });
    fault.effect = None;
    fault.window.as_mut().unwrap().to_ns = fault.planned.to_ns + 2_000_000_000;
}
