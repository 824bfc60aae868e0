//! What is done with runs afterwards: other forms, comparisons, baselines and histories. The runs are written by hand, so nothing is loaded.
use crate::program::{SHORT, Workplace};
use reports::record::{
    Connecting, Counts, FORMAT, GeneratorHealth, LoadRecord, Machine, Meter, MixEntry, Origin, Outcome, Recorder, Run,
    RunEnd, RunFolder, RunId, SECOND_NS, Sample, ScenarioText, StepInfo, Target, cut,
};
use std::{collections::BTreeMap, fs, path::Path, process::Output, time::SystemTime};

/// Requests of a run, one every 10 ms.
const REQUESTS: u64 = 600;

/// Writes the folder of a valid run whose answers take `ms`, begun so many days after the first.
fn write_run(root: &Path, day: u16, ms: u64, users: u32) -> String {
    let planned_ns = REQUESTS * 10_000_000;
    let step = StepInfo { name: "trips.create".to_owned(), journey: "trip".to_owned(), is_streamed: false };
    let phases = cut(0, planned_ns, &[]);
    let counts =
        Counts { planned: REQUESTS, arrived: REQUESTS, offered: REQUESTS, completed: REQUESTS, ..Counts::default() };
    let run = Run {
        format: FORMAT,
        id: RunId::new(1_795_425_242 + i64::from(day) * 86_400, day),
        harness_version: "0.1.0".to_owned(),
        scenario: ScenarioText {
            name: "peak".to_owned(),
            title: String::new(),
            digest: "91c2d07be1c5a54c".to_owned(),
            overrides: Vec::new(),
            feeders: Vec::new(),
        },
        seed: u64::from(day),
        target: Target {
            url: "http://127.0.0.1:1".to_owned(),
            is_bundled: true,
            processes: Vec::new(),
            settings: BTreeMap::new(),
        },
        machine: Machine {
            system: "Linux".to_owned(),
            cpu_model: "Example".to_owned(),
            cpu_count: 2,
            memory_bytes: 1 << 33,
        },
        clock_zero: format!("2026-11-{:02}T09:14:02Z", day + 1),
        planned_ns,
        finished_ns: planned_ns,
        end: RunEnd::Completed,
        load: LoadRecord {
            description: "open, constant 100/s".to_owned(),
            connection: "HTTP/1.1, one connection per user".to_owned(),
            users,
            mix: vec![MixEntry { journey: "trip".to_owned(), weight: 1, arrivals: REQUESTS }],
            counts,
            origin: Origin::default(),
        },
        phases: phases.clone(),
        steps: vec![step.clone()],
        faults: Vec::new(),
        gates: vec!["p95 < 500ms".to_owned()],
        generator: GeneratorHealth { cpu_seconds: 0.5, ..GeneratorHealth::default() },
        meter: Meter::default(),
        calibration: None,
        oracle: None,
        monitoring: None,
    };
    let folder = RunFolder::create(root, &run, "title = \"by hand\"\n").unwrap();
    let log = fs::File::create(folder.measures_path()).unwrap();
    let mut recorder = Recorder::start(log, SystemTime::UNIX_EPOCH, phases, vec![step]).unwrap();
    for index in 0..REQUESTS {
        let due_ns = index * 10_000_000;
        let done_ns = due_ns + ms * 1_000_000 + index * 1_000;
        recorder.observe(&Sample {
            step_index: 0,
            outcome: Outcome::Full,
            is_arrival: true,
            due_ns,
            released_ns: due_ns,
            sent_ns: due_ns,
            first_byte_ns: None,
            done_ns,
            stream: None,
            connecting: Connecting::default(),
        });
        recorder.present(due_ns, done_ns, done_ns - due_ns, done_ns - due_ns);
    }
    let (_, seconds, late_count) = recorder.finish().unwrap();
    assert!(late_count == 0 && seconds.len() as u64 >= planned_ns / SECOND_NS);
    folder.finish(&run, &seconds).unwrap();
    run.id.to_string()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn check(place: &Workplace, arguments: &[&str], code: i32, expected: &str) -> String {
    let output = place.harness(arguments);
    let all = text(&output) + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{all}");
    assert!(all.contains(expected), "{arguments:?} does not say `{expected}`:\n{all}");
    text(&output)
}

#[test]
fn a_run_is_given_out_in_the_forms_that_are_asked_for() {
    let place = Workplace::new(SHORT);
    let runs = place.path().join("runs");
    let id = write_run(&runs, 0, 20, 8);
    let report = |more: &[&str]| {
        let arguments = [&["report", "latest", "--out", "runs"], more].concat();
        check(&place, &arguments, 0, "")
    };
    assert!(report(&["--format", "junit"]).starts_with("<?xml"), "one document and nothing else");
    assert!(report(&["--format", "csv"]).starts_with("run,scope,name,"));
    assert_eq!(report(&["--format", "hgrm"]).lines().count(), 2, "two files, by their places");
    let text = report(&["--format", "text,csv,junit", "--junit", "ci/gates.xml", "--html", "ci/page.html"]);
    assert!(text.starts_with("PASSED"), "{text}");
    for name in ["figures.csv", "junit.xml", "hdr/trip.response.hgrm", "../../ci/gates.xml", "../../ci/page.html"] {
        assert!(runs.join(&id).join(name).is_file(), "{name} is missing");
    }
    let summary = place.path().join("step.md");
    let command = &mut place.command(&["report", "latest", "--out", "runs", "--format", "github"]);
    let said = command.env("GITHUB_STEP_SUMMARY", &summary).output().unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).starts_with("::notice title=peak%3A PASSED::"));
    assert!(fs::read_to_string(summary).unwrap().starts_with("### peak PASSED"));
    check(&place, &["report", "latest", "--out", "runs", "--format", "pdf"], 2, "possible values: text, markdown");
}

#[test]
fn runs_are_compared_without_a_verdict() {
    let place = Workplace::new(SHORT);
    let runs = place.path().join("runs");
    let (a, b) = (write_run(&runs, 0, 20, 8), write_run(&runs, 1, 30, 16));
    let compare = ["compare", a.as_str(), b.as_str(), "--out", "runs"];
    let said = check(&place, &compare, 0, "B against A; no verdict");
    assert!(said.contains("load: users") && said.contains("+49."), "{said}");
    let with_page = [&compare[..], &["--format", "json", "--html", "pages/comparison.html"]].concat();
    let document: serde_json::Value = serde_json::from_str(&check(&place, &with_page, 0, "")).unwrap();
    assert_eq!(document["are_unlike"], true);
    assert!(place.path().join("pages/comparison.html").is_file());
    check(&place, &["compare", &a, "--out", "runs"], 2, "2 values required");
    check(&place, &["compare", &a, "nothing", "--out", "runs"], 2, "there is no run `nothing`");
}

#[test]
fn a_baseline_takes_like_runs_only_and_says_what_it_is_worth() {
    let place = Workplace::new(SHORT);
    let runs = place.path().join("runs");
    let ids: Vec<String> = (0..9).map(|day| write_run(&runs, day, 20 + u64::from(day % 3), 8)).collect();
    let unlike = write_run(&runs, 9, 20, 16);
    check(&place, &["baseline", "show"], 7, "there is no baseline `main`");
    for (index, id) in ids.iter().take(8).enumerate() {
        let expected = format!("is run {} of baseline main", index + 1);
        check(&place, &["baseline", "add", id, "--out", "runs", "--commit", "a1b2c3d"], 0, &expected);
    }
    check(&place, &["baseline", "add", &ids[0], "--out", "runs"], 2, "is in the store already");
    check(&place, &["baseline", "add", &unlike, "--out", "runs"], 7, "users is 16, was 8");
    check(&place, &["history", "add", &ids[8], "--out", "runs", "--label", "nightly"], 0, "kept");
    check(&place, &["baseline", "promote", "nightly"], 0, "is run 9 of baseline main");
    let shown = check(&place, &["baseline", "show", "main"], 0, "trips.create p95");
    assert!(shown.contains("9 runs") && shown.contains("finds: "), "{shown}");
    assert_eq!(
        check(&place, &["baseline", "list", "--format", "json"], 0, "").matches("\"baseline\": \"main\"").count(),
        9
    );
    check(&place, &["history", "trend", "--html", "trend.html"], 0, "9 runs, no change of level");
    assert!(fs::read_to_string(place.path().join("trend.html")).unwrap().contains("<svg"));
    check(&place, &["history", "changepoints"], 0, "no change of level");
    check(&place, &["history", "show", "nightly"], 0, "processors 2");
    check(&place, &["baseline", "rm", "nightly"], 0, "removed");
    check(&place, &["baseline", "rm", "nightly"], 2, "the store has no point `nightly`");
    check(&place, &["history", "trend", "--scenario", "other"], 2, "there is no run of scenario `other`");
}
