//! The database of the bundled service is broken in the middle of a run, be it a file or a server.
use crate::program::{SHORT, Workplace};
use reports::record::{FaultEnd, Run, RunEnd};
use std::io::Write as _;

/// The short scenario with a fault inside the database in place of its own, and without its gates: what is tested is what becomes of
/// writes. A statement may wait for a lock for 300 ms (three quarters of its time), so that it is refused while the fault is on.
fn scenario(target: &str, fault: &str) -> String {
    let (head, _) = SHORT.split_once("[[faults]]").unwrap();
    let gates = ["\"wrong = 0\",", "\"undeclared = 0\",", "\"p50 < 20s for flights.search window=during\","];
    let head = gates.iter().fold(head.to_owned(), |head, gate| head.replace(gate, ""));
    let service = "[target.service]\ndatabase_statement_timeout = \"400ms\"";
    let head = head.replace("[target.service]", &format!("{target}\n{service}"));
    format!("{head}[[faults]]\npart = \"database\"\nat = \"1s\"\nfor = \"1500ms\"\nfault = {fault}\nlease = \"1s\"\n")
}

/// Runs it, and sees that the fault happened, ended, and lost nothing. `None` where the database is not installed.
fn broken(scenario: &str) -> Option<Run> {
    let place = Workplace::new(scenario);
    let (_, out, err) = place.start(&[]).end();
    if err.contains("are not installed") {
        assert!(std::env::var_os("CI").is_none(), "{err}");
        // Past the capture of the test runner, which shows nothing of a test that passes.
        std::io::stderr().write_all(b"skipped: PostgreSQL is not installed; `apt install postgresql`\n").unwrap();
        return None;
    }
    let folder = place.run_folder();
    let run = reports::record::folder::read_run(&folder).unwrap_or_else(|error| panic!("{error}\n{out}\n{err}"));
    assert_eq!(run.end, RunEnd::Completed, "{out}");
    let [fault] = &run.faults[..] else { panic!("{:?}", run.faults) };
    assert_eq!((fault.end, fault.error.as_ref()), (FaultEnd::Lifted, None), "{out}");
    let hits = fault.part.as_ref().and_then(|part| part.hits);
    assert!(hits.is_some_and(|hits| hits > 0), "{fault:?}");
    let oracle = run.oracle.as_ref().unwrap();
    assert!(oracle.acknowledged > 0 && !oracle.is_violated(), "{oracle:?}");

    let summary = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let count = |window: &str, class: &str| {
        let figures = summary["figures"].as_array().unwrap();
        let of_window = figures.iter().find(|figures| figures["scope"] == "all" && figures["window"] == window);
        of_window.and_then(|figures| figures["outcomes"][class].as_u64()).unwrap_or(0)
    };
    assert!(count("during", "dependency_error") > 0, "writes are refused while it is on: {out}");
    assert!(count("after", "full") > 0, "and are done afterwards: {out}");
    Some(run)
}

#[test]
fn writes_are_refused_while_the_file_is_locked_and_nothing_acknowledged_is_lost() {
    let run = broken(&scenario("", r#"{ sqlite = "lock" }"#)).unwrap();
    assert_eq!(run.target.settings.get("database"), None);
}

#[test]
fn a_server_is_made_for_the_run_and_its_tables_are_locked() {
    let fault = r#"{ postgres = { relation_locked = { table = "trips" } } }"#;
    let Some(run) = broken(&scenario("[target]\ndatabase = \"postgres\"", fault)) else { return };
    let database = &run.target.settings["database"];
    assert!(database.starts_with("PostgreSQL 1"), "{database}");
}
