//! The main job, small: load, break, judge, report.
use crate::program::{SHORT, Workplace};
use std::fs;

#[test]
fn a_run_loads_breaks_judges_and_leaves_a_report() {
    let place = Workplace::new(SHORT);
    let (code, out, err) = place.start(&[]).end();
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(out.lines().next().unwrap().contains("PASSED"), "{out}");
    let plan: Vec<&str> = err.lines().take(3).collect();
    assert!(plan[0].starts_with("scenario scenario: A few seconds") && plan[1].contains("seed 3"), "{err}");

    let folder = place.run_folder();
    for name in
        ["run.json", "scenario.toml", "measures.hlog", "seconds.csv", "report.html", "report.md", "summary.json"]
    {
        assert!(fs::metadata(folder.join(name)).is_ok_and(|file| file.len() > 0), "{name} is there");
    }
    let run = reports::record::folder::read_run(&folder).unwrap();
    let counts = run.load.counts;
    assert_eq!((counts.planned, counts.dropped, counts.unfinished, counts.lost), (80, 0, 0, 0));
    assert!(counts.completed >= 80, "every planned arrival has an outcome");

    // The fault happened: it was on for its second, within a tenth, and it slowed the journeys that need the flights server.
    let fault = &run.faults[0];
    let window = fault.window.expect("it was on");
    let on_s = (window.to_ns - window.from_ns) as f64 / 1e9;
    assert!((0.9..1.2).contains(&on_s), "on for {on_s} s");
    assert!(fault.effect.is_some_and(|effect| effect.delayed_us >= 300_000), "{:?}", fault.effect);
    let mut slow = 0;
    reports::record::folder::read_measures(&folder, &run, |interval| {
        let is_search = run.steps[interval.step_index].name == "flights.search";
        let is_hit = run.phases[interval.phase_index].faults.len() == 1;
        if is_search && is_hit && interval.measure == reports::record::Measure::Response {
            slow += interval.histogram.count_between(300_000_000, u64::MAX / 2);
        }
    })
    .unwrap();
    assert!(slow >= 5, "10 searches fell into the fault's second, {slow} took 300 ms or more");
}

#[test]
fn a_report_is_made_again_from_the_folder_alone() {
    let place = Workplace::new(&SHORT.replace("\"4s\"", "\"3s\""));
    let (code, first, err) = place.start(&[]).end();
    assert_eq!(code, Some(0), "{first}\n{err}");
    let folder = place.run_folder();
    for page in ["report.html", "report.md", "summary.json"] {
        fs::remove_file(folder.join(page)).unwrap();
    }
    let again = place.harness(&["report", "latest", "--out", "runs", "--png"]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&again.stdout), first);
    assert!(folder.join("report.html").is_file());
    let pictures = fs::read_dir(folder.join("charts"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "png"));
    assert!(pictures.count() >= 4, "each chart is a picture");
    let json = place.harness(&["report", "latest", "--out", "runs", "--format", "json"]);
    let summary: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON document and nothing else");
    assert_eq!(summary["verdict"]["overall"], "passed");
}

#[test]
fn a_gate_that_does_not_hold_fails_the_run() {
    let place = Workplace::new(&SHORT.replace("\"4s\"", "\"3s\""));
    let (code, out, _) = place.start(&["--threshold", "error-rate > 50% for trips.create"]).end();
    assert_eq!(code, Some(3), "{out}");
    assert!(out.lines().next().unwrap().contains("FAILED"), "{out}");
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let place = Workplace::new(SHORT);
    let plan = |seed: &str| {
        let output = place.harness(&["plan", "./scenario.toml", "--seed", seed]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(plan("1"), plan("1"));
    assert_ne!(plan("1"), plan("2"));
}

#[test]
fn a_warm_up_that_is_to_be_found_is_planned_as_part_of_the_steady_phase() {
    let place = Workplace::new("");
    let output = place.harness(&["plan", "baseline", "--warmup", "auto"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("of which auto warm-up") && text.contains("--warmup auto"), "{text}");
    assert!(!text.contains("\n  warm-up") && text.contains("\n  steady"), "{text}");
}

#[test]
fn every_shipped_scenario_can_be_planned_from_any_folder() {
    let place = Workplace::new("");
    let list = place.harness(&["scenario", "list"]);
    let names = String::from_utf8(list.stdout).unwrap();
    assert!(names.lines().count() >= 5, "{names}");
    for name in names.lines().filter_map(|line| line.split_whitespace().next()) {
        let output = place.harness(&["plan", name]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_reader_that_has_gone_away_does_not_change_the_verdict() {
    let place = Workplace::new(&SHORT.replace("\"4s\"", "\"3s\""));
    let mut program = place.start(&[]);
    program.close_stdout();
    let (code, _, err) = program.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}
