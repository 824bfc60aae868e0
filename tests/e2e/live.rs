//! A run while it goes on: what is shown of it is what happens, and a gate can end it.
use crate::program::{SHORT, Workplace, wait_until};
use nix::sys::signal::Signal;
use reports::record::{FaultEnd, RunEnd};
use std::{fs, process::Command, sync::OnceLock};

/// The short scenario, long enough to be looked at, with its fault on for most of the time.
fn long() -> String {
    SHORT.replace("\"4s\"", "\"50s\"").replace("for   = \"1s\"", "for   = \"45s\"")
}

#[test]
fn a_gate_that_is_sure_not_to_hold_aborts_the_run_and_the_report_says_so() {
    let place = Workplace::new(&long());
    // Slower than any answer, so that no lag of a busy machine makes the run invalid.
    let rule = "p50 > 20s for flights.search window=during";
    let (code, out, err) = place.start(&["--abort-on", rule, "--progress", "line"]).end();
    assert_eq!(code, Some(6), "{out}\n{err}");
    let first = out.lines().next().unwrap();
    assert!(first.contains("ABORTED (exit 6)") && first.contains(rule), "{out}");
    let run = reports::record::folder::read_run(&place.run_folder()).unwrap();
    let RunEnd::Aborted { rule: recorded, at_ns } = run.end else { panic!("{:?}", run.end) };
    assert_eq!(recorded, format!("{rule} abort"));
    let counts = run.load.counts;
    assert!(at_ns < run.planned_ns && counts.unfinished == counts.unsent, "answers were waited for: {counts:?}");
    // The fault that was on for 45 s in the plan was lifted with the run.
    let fault = &run.faults[0];
    assert_eq!(fault.end, FaultEnd::LiftedEarly, "{fault:?}");
    let again = place.harness(&["report", "latest", "--out", "runs"]);
    assert_eq!(again.status.code(), Some(6), "the folder alone says the same");
}

/// The first installed browser of the Chromium family; on CI there must be one.
fn chromium() -> Option<&'static str> {
    static FOUND: OnceLock<Option<&'static str>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let runs =
            |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
        let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs);
        assert!(found.is_some() || std::env::var_os("CI").is_none(), "no chromium on CI: apt install chromium");
        found
    })
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn note(text: &str) {
    eprintln!("{text}");
}

/// The page as a browser has drawn it after two seconds of its own time.
fn drawn(browser: &str, url: &str, place: &Workplace) -> String {
    let profile = format!("--user-data-dir={}", place.path().join("profile").display());
    let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"];
    let output = Command::new(browser).args(flags).args([&profile, url]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The cells of the body of a table, row by row.
fn cells(dom: &str, table: &str) -> Vec<Vec<String>> {
    let body = dom.split(&format!("id=\"{table}\"")).nth(1).and_then(|rest| rest.split("<tbody>").nth(1));
    let rows = body.and_then(|rest| rest.split("</tbody>").next()).unwrap_or_default().split("<tr>").skip(1);
    let text = |cell: &str| {
        let text = cell.split_once('>').and_then(|(_, rest)| rest.split('<').next()).unwrap_or_default();
        text.replace("&lt;", "<").replace("&gt;", ">")
    };
    rows.map(|row| row.split("<td").skip(1).map(text).collect()).collect()
}

#[test]
fn the_live_page_shows_in_a_browser_what_the_run_does() {
    let Some(browser) = chromium() else {
        note("skipped: no chromium, chromium-browser or google-chrome (apt install chromium)");
        return;
    };
    let place = Workplace::new(&long());
    let log = place.path().join("log");
    let mut program = place.start_with_log(&["--dashboard", "--progress", "json"], &log);
    place.wait_for_measures();
    let log = || fs::read_to_string(&log).unwrap();
    let url = log().lines().find_map(|line| line.strip_prefix("dashboard ").map(str::to_owned)).expect("it says where");
    wait_until("a few seconds on the board", || log().lines().filter(|line| line.starts_with('{')).count() >= 3);
    let dom = drawn(browser, &url, &place);
    program.signal(Signal::SIGINT);
    let (code, out, _) = program.end();
    assert_eq!(code, Some(130), "{out}\n{}", log());

    assert!(dom.contains("data-state=\"running\""), "{dom}");
    let run = reports::record::folder::read_run(&place.run_folder()).unwrap();
    assert!(dom.contains(run.id.as_str()) && dom.contains("Running: "), "{dom}");
    let steps = cells(&dom, "steps");
    let shown: Vec<&str> = steps.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(shown, run.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>());
    assert!(steps[0][1].parse::<f64>().unwrap() > 0.0, "requests of the first step: {steps:?}");
    let gates = cells(&dom, "gates");
    assert_eq!(gates.iter().map(|row| &row[1]).collect::<Vec<_>>(), run.gates.iter().collect::<Vec<_>>());

    // The seconds are those of the record: what was offered then was due then, give or take what a second's edge divides.
    let recorded = reports::record::folder::read_seconds(&place.run_folder()).unwrap();
    let offered: u64 = cells(&dom, "seconds").iter().map(|row| row[1].parse::<u64>().unwrap()).sum();
    let seconds = cells(&dom, "seconds").len();
    let due: u64 = recorded[..seconds].iter().map(|second| second.offered).sum();
    assert!(seconds >= 3 && offered.abs_diff(due) * 5 <= due, "{offered} shown, {due} recorded in {seconds} s");
    for chart in ["Requests per second: ", "Answers by class since the start: full", "Response times over the last"] {
        assert!(dom.contains(chart), "the charts say what they show: {chart}");
    }

    // The same figures as JSON lines, which only grow.
    let log = log();
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<serde_json::Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let completed: Vec<u64> = lines.iter().map(|line| line["counts"]["completed"].as_u64().unwrap()).collect();
    assert!(completed.is_sorted() && completed.last() == Some(&run.load.counts.completed), "{completed:?}");
    assert_eq!(lines.last().unwrap()["verdict"]["word"], "INTERRUPTED");
}
