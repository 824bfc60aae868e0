//! A meter that lies is found out: records with samples lost, doubled or stamped wrongly, and runs that never were steady.
use crate::synthetic::{Draft, Shape, quickstart};
use reports::{
    record::{ArrivalFit, FaultWindow, HostUse, Sample, Scatter, WarmUp, folder},
    render::{plain, render_all, terminal},
    report::Report,
    steady::find_warm_up,
    summary::Window,
    validity::{Check, CheckOutcome},
    verdict::Overall,
};

/// Two minutes without a fault.
fn undisturbed() -> Draft {
    let mut draft =
        Draft::new(&Shape { seconds: 120, fault: None, gates: vec!["p95 < 2s window=steady"], ..quickstart() });
    draft.run.meter.host = Some(HostUse { steal_share: 0.004, busy_share: 0.1 });
    draft
}

fn judged(draft: &Draft) -> Report {
    let root = tempfile::tempdir().unwrap();
    Report::read(&draft.write(root.path())).unwrap()
}

fn failing(report: &Report) -> Vec<&'static str> {
    let failed = report.verdict.checks.iter().filter(|check| check.outcome == CheckOutcome::Fail);
    failed.map(|check| check.name).collect()
}

fn find<'a>(report: &'a Report, name: &str) -> &'a Check {
    report.verdict.checks.iter().find(|check| check.name == name).unwrap()
}

#[test]
fn an_honest_run_is_checked_in_every_way_and_passes() {
    let report = judged(&undisturbed());
    for name in [
        "Little's law since due",
        "Little's law since sent",
        "arrivals as planned",
        "mix as planned",
        "warm-up long enough",
        "nothing piles up",
        "quiet host",
    ] {
        assert_eq!(find(&report, name).outcome, CheckOutcome::Pass, "{:?}", find(&report, name));
    }
    assert_eq!(report.verdict.overall, Overall::Passed);
}

#[test]
fn samples_that_are_not_what_the_counters_saw_break_littles_law() {
    let both = ["Little's law since due", "Little's law since sent"];
    let check = |what: &str, expected: &[&str], change: fn(&mut Vec<Sample>)| {
        let mut draft = undisturbed();
        for sample in &mut draft.samples {
            // Half of them wait for a free user.
            let wait_ns = if sample.step_index == 0 { 40_000_000 } else { 0 };
            (sample.sent_ns, sample.done_ns) = (sample.sent_ns + wait_ns, sample.done_ns + wait_ns);
        }
        draft.counted = Some(draft.samples.clone());
        change(&mut draft.samples);
        // The counts of the head lie as well, so that conservation sees nothing.
        draft.count();
        draft.run.finished_ns = 121_000_000_000;
        assert_eq!(failing(&judged(&draft)), expected, "{what}");
    };
    check("nothing changed", &[], |_| {});
    check("one in 25 lost", &both, |samples| {
        let mut index = 0;
        samples.retain(|_| {
            index += 1;
            index % 25 != 0
        });
    });
    check("one in 25 written twice", &both, |samples| {
        let twice: Vec<Sample> = samples.iter().step_by(25).cloned().collect();
        samples.extend(twice);
        samples.sort_by_key(|sample| sample.due_ns);
    });
    check("the slowest given up and forgotten", &both, |samples| {
        samples.retain(|s| s.done_ns - s.due_ns < 800_000_000)
    });
    check("counted from when they were sent, 20 ms after they were due", &both[..1], |samples| {
        for sample in samples {
            (sample.due_ns, sample.released_ns) = (sample.sent_ns, sample.sent_ns);
        }
    });
    check("stamped before they were sent", &both[1..], |samples| {
        samples.iter_mut().for_each(|sample| sample.sent_ns += (sample.done_ns - sample.sent_ns) / 20);
    });
    check("stamped late", &both, |samples| {
        samples.iter_mut().for_each(|sample| sample.done_ns += (sample.done_ns - sample.sent_ns) / 20);
    });
}

#[test]
fn the_time_of_requests_that_were_cut_off_is_taken_out() {
    let mut draft = undisturbed();
    let mut with_cut_off = draft.samples.clone();
    let mut long = with_cut_off[9].clone();
    (long.done_ns, long.sent_ns) = (long.due_ns + 60_000_000_000, long.due_ns + 1_000_000);
    with_cut_off.push(long);
    draft.counted = Some(with_cut_off);
    assert_eq!(failing(&judged(&draft)).len(), 2, "a minute is more than two percent");
    let cut_off = draft.run.meter.cut_off.as_mut().unwrap();
    (cut_off.due_ns, cut_off.sent_ns) = (60_000_000_000, 59_999_000_000);
    assert_eq!(failing(&judged(&draft)), [""; 0]);
}

#[test]
fn arrivals_in_bunches_or_at_another_rate_are_not_the_plan() {
    let with = |fit: ArrivalFit| {
        let mut draft = undisturbed();
        draft.run.meter.arrivals = Some(fit);
        judged(&draft)
    };
    let mut bunches = ArrivalFit::new(Scatter::Poisson, 25.0);
    (0..3_000).for_each(|index| bunches.observe(if index % 4 == 0 { 4.0 } else { 0.0 }));
    assert_eq!(failing(&with(bunches)), ["arrivals as planned"]);
    let mut even = ArrivalFit::new(Scatter::Even, 1_000.0);
    (0..3_000).for_each(|index| even.observe(20.0 + f64::from(index % 7) * 0.2));
    assert_eq!(failing(&with(even.clone())), [""; 0], "a millisecond late is within the limit");
    (0..300).for_each(|_| even.observe(45.0));
    assert_eq!(failing(&with(even)), ["arrivals as planned"], "one in eleven 25 ms late is not");
}

#[test]
fn a_target_that_falls_behind_and_a_warm_up_that_is_too_short_are_seen() {
    let mut draft = undisturbed();
    for sample in &mut draft.samples {
        // From 400 ms to a minute of waiting: half a request more each second for each one that is offered.
        sample.done_ns += sample.due_ns / 2;
    }
    draft.count();
    let report = judged(&draft);
    assert!(failing(&report).contains(&"nothing piles up"), "{:?}", find(&report, "nothing piles up"));

    let mut draft = undisturbed();
    slow_start(&mut draft, 20);
    let report = judged(&draft);
    assert_eq!(failing(&report), ["warm-up long enough"]);
    let check = find(&report, "warm-up long enough");
    assert!(check.figure.ends_with("settled after 20 s"), "{}", check.figure);
    // The planned rate changes: then so may everything else.
    draft.run.meter.level_from_ns = None;
    assert_eq!(failing(&judged(&draft)), [""; 0]);
}

fn slow_start(draft: &mut Draft, seconds: u64) {
    for sample in draft.samples.iter_mut().filter(|sample| sample.due_ns < seconds * 1_000_000_000) {
        sample.done_ns += sample.done_ns - sample.sent_ns;
    }
    draft.count();
}

#[test]
fn the_end_of_the_warm_up_is_found_and_read_back_from_disk() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = undisturbed();
    slow_start(&mut draft, 20);
    draft.run.phases = reports::record::cut(0, draft.run.planned_ns, &[]);
    draft.run.meter.warm_up = WarmUp::NotFound;
    let path = draft.write(root.path());
    let tagged_steady =
        Report::read(&path).unwrap().summary.outcomes(&reports::summary::Scope::All, &Window::Run).total();
    assert_eq!(tagged_steady, draft.samples.len() as u64);

    let mut run = folder::read_run(&path).unwrap();
    find_warm_up(&path, &mut run).unwrap();
    assert_eq!(run.meter.warm_up, WarmUp::Found { until_ns: 20_000_000_000 });
    folder::write_file(&path.join("run.json"), &serde_json::to_vec(&run).unwrap()).unwrap();
    let written = render_all(&path).unwrap().report;
    assert_eq!(written.verdict.overall, Overall::Passed, "{:?}", written.verdict);
    let labels: Vec<&str> = run.phases.iter().map(|phase| phase.label.as_str()).collect();
    assert_eq!(labels, ["warm-up", "steady"]);
    let judged = written.summary.outcomes(&reports::summary::Scope::All, &Window::Run).total();
    let after = draft.samples.iter().filter(|sample| sample.due_ns >= 20_000_000_000).count();
    assert_eq!(judged, after as u64, "samples before it are not judged");
    let summary = terminal(&written, plain);
    assert_eq!(terminal(&Report::read(&path).unwrap(), plain), summary);
}

#[test]
fn a_ramp_is_a_part_of_the_warm_up_however_steady_the_answers() {
    assert_eq!(found_after_a_ramp(20), WarmUp::Found { until_ns: 20_000_000_000 });
    assert_eq!(found_after_a_ramp(45), WarmUp::Found { until_ns: 45_000_000_000 });
    assert_eq!(found_after_a_ramp(105), WarmUp::NotFound, "too long to see what comes after it");
}

#[test]
fn a_ramp_that_is_too_long_for_the_run_is_named_as_what_is_wrong() {
    let mut draft = undisturbed();
    draft.run.meter.warm_up = WarmUp::NotFound;
    draft.run.meter.level_from_ns = Some(104_600_000_000);
    let report = judged(&draft);
    let figure = "the ramp ends at 105 s, and needs 20 s after it without a fault";
    assert_eq!(find(&report, "warm-up long enough").figure, figure);
}

/// What is found after a ramp that ends a little before so many seconds.
fn found_after_a_ramp(ramp_s: u64) -> WarmUp {
    let root = tempfile::tempdir().unwrap();
    let mut draft = undisturbed();
    draft.run.phases = reports::record::cut(0, draft.run.planned_ns, &[]);
    draft.run.meter.warm_up = WarmUp::NotFound;
    draft.run.meter.level_from_ns = Some(ramp_s * 1_000_000_000 - 400_000_000);
    let path = draft.write(root.path());
    let mut run = folder::read_run(&path).unwrap();
    find_warm_up(&path, &mut run).unwrap();
    run.meter.warm_up
}

#[test]
fn what_a_fault_does_to_a_step_later_does_not_look_like_a_slow_start() {
    let mut draft = undisturbed();
    // Only one of the steps is asked for in the first seconds, and a fault makes that one 300 times as slow for the second half.
    let first = draft.samples[0].step_index;
    draft.samples.retain(|sample| sample.due_ns > 8_000_000_000 || sample.step_index == first);
    let half_ns = draft.run.planned_ns / 2;
    for sample in draft.samples.iter_mut().filter(|sample| sample.due_ns > half_ns && sample.step_index == first) {
        sample.done_ns = sample.sent_ns + 300 * (sample.done_ns - sample.sent_ns);
    }
    draft.count();
    let fault = FaultWindow { from_ns: half_ns, to_ns: draft.run.planned_ns };
    draft.run.phases = reports::record::cut(0, draft.run.planned_ns, &[("slow".to_owned(), fault)]);
    let report = judged(&draft);
    let check = find(&report, "warm-up long enough");
    assert_eq!(check.outcome, CheckOutcome::Pass, "{check:?}");
}

#[test]
fn a_run_that_never_settles_has_no_steady_window() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = undisturbed();
    for sample in &mut draft.samples {
        // Slower by a factor of e every 40 s.
        let factor = (sample.due_ns as f64 / 40e9).exp();
        sample.done_ns = sample.sent_ns + ((sample.done_ns - sample.sent_ns) as f64 * factor) as u64;
    }
    draft.count();
    draft.run.phases = reports::record::cut(0, draft.run.planned_ns, &[]);
    draft.run.meter.warm_up = WarmUp::NotFound;
    let path = draft.write(root.path());
    let mut run = folder::read_run(&path).unwrap();
    find_warm_up(&path, &mut run).unwrap();
    assert_eq!((&run, run.meter.warm_up), (&draft.run, WarmUp::NotFound));
    let report = Report::read(&path).unwrap();
    assert_eq!(report.verdict.exit_code, 8);
    let figure = "not steady: still settling after 60 s of 120 s; make it 120 s longer";
    assert_eq!(find(&report, "warm-up long enough").figure, figure);
}

#[test]
fn a_noisy_host_is_a_label_and_no_verdict() {
    let root = tempfile::tempdir().unwrap();
    let mut draft = undisturbed();
    draft.run.meter.host = Some(HostUse { steal_share: 0.031, busy_share: 0.5 });
    let report = render_all(&draft.write(root.path())).unwrap().report;
    assert_eq!((report.verdict.overall, report.verdict.exit_code), (Overall::Passed, 0));
    assert_eq!(find(&report, "quiet host").outcome, CheckOutcome::Warn);
    let summary = terminal(&report, plain);
    assert!(summary.contains("! quiet host: 3.1 % stolen, 42."), "{summary}");
}

#[test]
fn a_record_from_before_the_meter_is_still_judged() {
    let root = tempfile::tempdir().unwrap();
    let path = undisturbed().write(root.path());
    let mut head: serde_json::Value = serde_json::from_slice(&std::fs::read(path.join("run.json")).unwrap()).unwrap();
    head.as_object_mut().unwrap().remove("meter").unwrap();
    std::fs::write(path.join("run.json"), head.to_string()).unwrap();
    let table = std::fs::read_to_string(path.join("seconds.csv")).unwrap();
    let old: Vec<String> = table.lines().map(|line| line.split(',').take(6).collect::<Vec<_>>().join(",")).collect();
    std::fs::write(path.join("seconds.csv"), old.join("\n") + "\n").unwrap();
    let report = Report::read(&path).unwrap();
    assert_eq!(report.verdict.overall, Overall::Passed, "{:?}", report.verdict);
    assert_eq!(find(&report, "Little's law since due").outcome, CheckOutcome::NotApplicable);
}
