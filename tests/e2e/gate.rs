//! Two variants of the service, compared: equal ones, a slower one, one that dies, unlike ones; and a run against past jobs.
use crate::program::{SHORT, Workplace, wait_until};
use nix::sys::signal::Signal;
use reports::record::{
    GateEnd, RunId,
    folder::{read_run, write_file},
    regression::read_gate,
};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
};

/// The short scenario without its fault, in which searches are answered from the cache, and a provider that is slow when they are not.
/// The gate on it only says that requests may go out late: what is tested is what a gate does, not how fast the machine is.
fn cached() -> String {
    let (calm, _) = SHORT.split_once("[[faults]]").unwrap();
    calm.replace("window=during", "window=run")
        .replace("flights_cache_ttl = \"1ms\"", "flights_cache_ttl = \"300s\"")
        .replace("flights = \"constant:5ms\"", "flights = \"constant:150ms\"")
        .replace("flight-search = 3, chat = 2, trip-creation = 1", "flight-search-cached = 1")
}

/// A program beside the scenario that is the harness, started differently.
fn variant(place: &Workplace, name: &str, how: &str) -> String {
    let path = place.path().join(name);
    let text = format!("#!/bin/sh\nexec {how} {} \"$@\"\n", env!("CARGO_BIN_EXE_harness-under-test"));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("./{name}")
}

const GATE: [&str; 10] =
    ["gate", "./scenario.toml", "--cycle-duration", "1500ms", "--warmup", "500ms", "--rate", "60/s", "--out", "runs"];

fn gate(place: &Workplace, arguments: &[&str]) -> (Option<i32>, String, String) {
    text(&place.harness(&[&GATE, arguments].concat()))
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_program_is_no_slower_than_itself_and_the_gate_can_be_judged_again_from_its_folder() {
    let place = Workplace::new(&cached());
    let (code, out, err) = gate(&place, &["--a-a", "--cycles", "7", "--margin", "95%"]);
    // Others may use the machine: what must not happen is a regression.
    assert!(matches!(code, Some(0 | 7)), "{out}\n{err}");
    let folder = place.run_folder();
    for page in ["report.html", "report.md", "summary.json", "scenario.toml"] {
        assert!(folder.join(page).is_file(), "{page}");
    }
    let head = read_gate(&folder).unwrap();
    assert_eq!((head.cycles.len(), head.end), (7, GateEnd::Completed));
    assert!(head.cycles.iter().all(|cycle| cycle.is_restarted && cycle.broken.is_none()));
    for cycle in 1..=7 {
        let run = |arm| read_run(&folder.join(format!("cycle-0{cycle}/{arm}"))).unwrap();
        let (baseline, candidate) = (run("baseline"), run("candidate"));
        let (one, other) = (baseline.load.counts.arrived, candidate.load.counts.arrived);
        // Evenly spaced, 2 s at 60/s of both together.
        assert!(one.abs_diff(other) <= 2 && (119..=121).contains(&(one + other)), "{one} and {other}");
        assert_ne!(baseline.target.url, candidate.target.url);
        assert!(!folder.join(format!("cycle-0{cycle}/baseline/tripsage.db")).exists());
    }
    let again = place.harness(&["report", folder.to_str().unwrap()]);
    let (again_code, again_out, _) = text(&again);
    let exit_code = json(&folder.join("summary.json"))["exit_code"].as_i64().unwrap();
    assert_eq!(again_code.map(i64::from), Some(exit_code));
    assert_eq!(again_out.lines().next(), out.lines().next());
}

#[test]
fn a_candidate_that_has_lost_its_cache_regresses() {
    let place = Workplace::new(&cached());
    let slow = variant(&place, "slow", "env TRIPSAGE_FLIGHTS_CACHE_TTL=1ms");
    let own = env!("CARGO_BIN_EXE_harness-under-test");
    let (code, out, err) = gate(&place, &["--baseline", own, "--candidate", &slow, "--cycles", "7"]);
    assert_eq!(code, Some(4), "{out}\n{err}");
    assert!(out.starts_with("REGRESSED (exit 4)  flights.search p50 is worse by "), "{out}");
    let summary = json(&place.run_folder().join("summary.json"));
    let first = &summary["judgement"]["findings"][0];
    assert_eq!((&first["scope"], &first["quantity"]), (&"flights.search".into(), &"p50".into()));
    let tested = &first["state"]["tested"];
    assert!(tested["effect"].as_f64().unwrap() > 0.05, "150 ms against an answer from memory: {tested}");
    assert!(tested["candidate"].as_f64().unwrap() > 150e6, "{tested}");
}

#[test]
fn a_variant_that_dies_or_does_not_start_makes_the_gate_invalid_with_the_reason() {
    let place = Workplace::new(&cached());
    let dying = variant(&place, "dying", "timeout --signal=KILL 4");
    let (code, out, err) =
        text(&place.harness(&["gate", "./scenario.toml", "--baseline", "own", "--candidate", &dying, "--out", "runs"]));
    assert_eq!(code, Some(8), "{out}\n{err}");
    assert!(out.contains("cycles measured: cycle 1:") && out.contains("candidate"), "{out}");
    let place = Workplace::new(&cached());
    let (code, out, err) = gate(&place, &["--baseline", "own", "--candidate", "/bin/false", "--cycles", "7"]);
    assert_eq!(code, Some(8), "{out}\n{err}");
    assert!(out.contains("the candidate could not be started"), "{out}");
    assert_eq!(read_gate(&place.run_folder()).unwrap().cycles.len(), 1, "it does not go on");
}

#[test]
fn what_cannot_be_compared_is_refused_before_anything_is_started() {
    let place = Workplace::new(&cached());
    for (arguments, said) in [
        (vec!["--baseline", "own", "--candidate", "own"], "baseline and candidate are the same: `own` and `own`"),
        (vec!["--baseline", "own", "--candidate", "http://127.0.0.1:9"], "baseline and candidate are unlike: "),
        (vec!["--baseline", "http://10.0.0.1", "--candidate", "http://10.0.0.2"], "not on the list of allowed hosts"),
        (vec!["--baseline", "./missing", "--candidate", "own"], "there is no program ./missing"),
        (vec!["--baseline", "rev:nonsense", "--candidate", "own"], "there is no revision `nonsense`"),
        (vec!["--candidate", "own"], "there is no baseline to compare with"),
        (vec!["--a-a", "--cycles", "3"], "3 cycles can prove nothing about 4 metrics"),
    ] {
        let (code, out, err) = gate(&place, &arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {out}\n{err}");
        assert!(err.contains(said) && err.contains("hint: "), "{arguments:?}: {err}");
    }
    assert!(!place.path().join("runs").exists());
}

#[test]
fn ctrl_c_ends_a_gate_with_what_it_knows_and_leaves_no_process() {
    let place = Workplace::new(&cached());
    let mut program = place.start_command(&[&GATE, ["--a-a"].as_slice()].concat());
    wait_until("the second cycle", || {
        let gates = fs::read_dir(place.path().join("runs")).into_iter().flatten().flatten();
        gates.into_iter().any(|gate| gate.path().join("cycle-02/candidate.partial").is_dir())
    });
    program.signal(Signal::SIGINT);
    let (code, out, err) = program.end();
    assert_eq!(code, Some(130), "{out}\n{err}");
    let head = read_gate(&place.run_folder()).unwrap();
    assert_eq!(head.end, GateEnd::Interrupted);
    assert!(!head.cycles.is_empty() && place.run_folder().join("report.html").is_file());
}

/// Copies of a run under other names, as the jobs of other days would have left them.
fn copies(run: &Path, folder: &Path, count: u16) -> Vec<PathBuf> {
    let copy = |k: u16| {
        let to = folder.join(format!("2030-01-{:02}T00-00-00Z-0000", k + 1));
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(run).unwrap().flatten() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        let mut head = read_run(&to).unwrap();
        head.id = RunId::new(0, k);
        write_file(&to.join("run.json"), &serde_json::to_vec(&head).unwrap()).unwrap();
        to
    };
    (0..count).map(copy).collect()
}

#[test]
fn a_run_is_judged_by_past_jobs_that_are_like_it() {
    let place = Workplace::new(&cached());
    let (_, out, err) = place.start(&[]).end();
    let run = place.run_folder();
    let past = copies(&run, &place.path().join("past"), 9);
    let run_name = run.to_str().unwrap();
    let against = |format: &str| text(&place.harness(&["gate", run_name, "--stored", "past", "--format", format]));
    let (code, said, told) = against("json");
    // Jobs that are all alike leave nothing to chance: the same figures again are within every margin.
    assert_eq!(code, Some(0), "{said}\n{told}\n{out}\n{err}");
    let document: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((document["past"].as_array().unwrap().len(), &document["overall"]), (9, &"pass".into()));

    let mut other = read_run(&past[0]).unwrap();
    other.machine.cpu_count += 1;
    write_file(&past[0].join("run.json"), &serde_json::to_vec(&other).unwrap()).unwrap();
    let (code, said, _) = against("text");
    assert!(code == Some(0) && said.contains("another number of CPUs: "), "{said}");
    fs::remove_dir_all(&past[1]).unwrap();
    let (code, said, told) = against("text");
    assert_eq!(code, Some(7), "{said}\n{told}");
    assert!(told.contains("the baseline has 7 past jobs") && told.contains("another number of CPUs: "), "{told}");
}
