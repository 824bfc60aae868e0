//! A run that is interrupted, killed, or loses its target leaves no fault, no process, and what was measured.
use crate::program::{SHORT, Workplace};
use nix::sys::signal::Signal;
use std::fs;

/// The short scenario, long enough to be interrupted, with its fault on for most of the time.
fn long() -> String {
    SHORT.replace("\"4s\"", "\"50s\"").replace("for   = \"1s\"", "for   = \"45s\"")
}

fn interrupted_by(signals: &[Signal]) {
    let place = Workplace::new(&long());
    let mut program = place.start(&[]);
    place.wait_for_measures();
    for signal in signals {
        program.signal(*signal);
    }
    let (code, out, err) = program.end();
    assert_eq!(code, Some(130), "{out}\n{err}");
    assert!(out.lines().next().unwrap().contains("INTERRUPTED"), "{out}");
    let folder = place.run_folder();
    assert!(folder.join("report.html").is_file());
    let run = reports::record::folder::read_run(&folder).unwrap();
    assert_eq!(run.end, reports::record::RunEnd::Interrupted);
    assert!(run.load.counts.completed > 0);
    assert!(run.faults.iter().all(|fault| fault.end != reports::record::FaultEnd::LeftBehind), "{:?}", run.faults);
}

#[test]
fn ctrl_c_drains_lifts_and_reports() {
    interrupted_by(&[Signal::SIGINT]);
}

#[test]
fn sigterm_does_the_same() {
    interrupted_by(&[Signal::SIGTERM]);
}

#[test]
fn ctrl_c_twice_stops_now_and_still_lifts_and_reports() {
    interrupted_by(&[Signal::SIGINT, Signal::SIGINT]);
}

#[test]
fn ctrl_c_before_the_load_ends_without_a_report() {
    let place = Workplace::new(&long());
    let mut program = place.start(&[]);
    crate::program::wait_until("the first child", || program.children_count() > 0);
    program.signal(Signal::SIGINT);
    let (code, _, err) = program.end();
    assert_eq!(code, Some(130), "{err}");
}

#[test]
fn a_killed_harness_leaves_no_process_and_a_folder_that_can_be_read() {
    let place = Workplace::new(&long());
    let mut program = place.start(&[]);
    place.wait_for_measures();
    program.signal(Signal::SIGKILL);
    let (code, _, _) = program.end();
    assert_eq!(code, None, "it was killed");
    let folder = place.run_folder();
    assert!(folder.extension().is_some_and(|extension| extension == "partial"), "{}", folder.display());
    let report = place.harness(&["report", folder.to_str().unwrap()]);
    let (out, err) = (String::from_utf8_lossy(&report.stdout), String::from_utf8_lossy(&report.stderr));
    assert_eq!(report.status.code(), Some(8), "{out}\n{err}");
    assert!(out.lines().next().unwrap().contains("INVALID"), "{out}");
}

#[test]
fn a_service_that_dies_makes_the_run_invalid_at_once() {
    let place = Workplace::new(&long());
    let mut program = place.start(&[]);
    place.wait_for_measures();
    program.kill_child(" serve ");
    let (code, out, err) = program.end();
    assert_eq!(code, Some(8), "{out}\n{err}");
    assert!(out.contains("the service ended"), "{out}");
    assert!(fs::metadata(place.run_folder().join("report.html")).is_ok());
}
