//! Recorded arrivals, and runs that are run again.
use crate::program::{SHORT, Workplace};
use reports::record::{Run, folder};
use std::{fs, path::PathBuf};

/// Thirty arrivals within three seconds, as a log tells them.
fn log() -> String {
    let line = |k: u32| {
        let path = if k.is_multiple_of(3) { "/api/v1/chat" } else { "/api/v1/flights/search?x=1" };
        format!("::1 - - [10/Oct/2000:20:55:{:02} +0000] \"POST {path} HTTP/1.1\" 200 99\n", 36 + k / 10)
    };
    (0..30).map(line).collect()
}

/// The short scenario without faults, with the arrivals of a log.
fn recorded(arrivals: &str) -> String {
    let calm = SHORT.split("[[faults]]").next().unwrap();
    let calm = calm.replace(" for flights.search window=during", "");
    calm.replace("{ constant = { rate = \"20/s\" } }", arrivals)
}

fn runs(place: &Workplace) -> Vec<(PathBuf, Run)> {
    let entries = fs::read_dir(place.path().join("runs")).unwrap().flatten();
    let mut runs: Vec<_> = entries.map(|entry| (entry.path(), folder::read_run(&entry.path()).unwrap())).collect();
    runs.sort_by(|one, other| one.1.clock_zero.cmp(&other.1.clock_zero));
    runs
}

#[test]
fn a_run_with_recorded_arrivals_is_run_again_from_its_folder_alone() {
    let place = Workplace::new(&recorded("{ recorded = { file = \"access.log\", speed = 1.5 } }"));
    fs::write(place.path().join("access.log"), log()).unwrap();
    let (code, out, err) =
        place.start(&["--threshold", "wrong = 0 for chat.message", "--mix", "flight-search=2,chat=1"]).end();
    assert_eq!(code, Some(0), "{out}\n{err}");
    fs::remove_file(place.path().join("access.log")).unwrap();
    let again = place.harness(&["replay", "latest", "--out", "runs"]);
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));

    let runs = runs(&place);
    let [(first_folder, first), (second_folder, second)] = &runs[..] else { panic!("two runs: {}", runs.len()) };
    let source = first.load.origin.recorded.as_ref().unwrap();
    assert_eq!((source.source.as_str(), source.count, source.digest.len()), ("access.log", 30, 64));
    assert!(source.note.contains("spread evenly at random over each second"), "{}", source.note);
    assert_eq!(first.load.description, "open, recorded, 30 arrivals of access.log, 1.5 times as fast");
    assert_eq!(second.load.origin, first.load.origin, "day, plan and source");
    assert_eq!((second.load.counts.planned, second.load.counts.arrived, second.seed), (30, 30, first.seed));
    assert_eq!((&second.load.mix, &second.gates), (&first.load.mix, &first.gates));
    let copy = |folder: &PathBuf| fs::read(folder.join("arrivals.txt")).unwrap();
    assert_eq!(copy(first_folder), copy(second_folder));

    // Another scenario with the due times of that run, which are those after the speed-up.
    let name = first_folder.strip_prefix(place.path()).unwrap().display().to_string();
    fs::write(place.path().join("later.toml"), recorded(&format!("{{ recorded = {{ run = \"{name}\" }} }}"))).unwrap();
    let plan = |scenario: &str| {
        let planned = place.harness(&["plan", scenario]);
        assert_eq!(planned.status.code(), Some(0), "{}", String::from_utf8_lossy(&planned.stderr));
        String::from_utf8(planned.stdout).unwrap()
    };
    let later = plan("./later.toml");
    assert!(later.contains(&format!("30 of run {}, planned as open, recorded", first.id)), "{later}");

    // A record that would not be planned the same is not run again.
    let head = fs::read_to_string(first_folder.join("run.json")).unwrap();
    fs::write(first_folder.join("run.json"), head.replacen("\"plan\": \"", "\"plan\": \"0", 1)).unwrap();
    let refused = place.harness(&["replay", first_folder.to_str().unwrap(), "--out", "runs"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("would not be planned the same by this one"), "{said}");
}

#[test]
fn a_log_becomes_a_scenario_that_can_be_run() {
    let place = Workplace::new("");
    fs::write(place.path().join("access.log"), log() + "not a line of a log\n").unwrap();
    let made = place.harness(&["scenario", "import", "access-log", "access.log"]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    assert!(text.contains("mix      = { chat = 33, flight-search = 67 }"), "{text}");
    assert!(text.contains("1 lines skipped (the first is line 31)"), "{text}");
    fs::write(place.path().join("imported.toml"), text).unwrap();
    let valid = place.harness(&["scenario", "validate", "./imported.toml"]);
    let said = String::from_utf8_lossy(&valid.stdout).into_owned();
    assert!(said.contains("imported: 30 planned arrivals, 1 gates: ready to run"), "{said}");
    let missing = place.harness(&["scenario", "import", "access-log", "missing.log"]);
    assert_eq!(missing.status.code(), Some(2));
}
