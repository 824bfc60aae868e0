//! The service dies, hangs and comes back as another in the middle of a run, because a fault says so.
use crate::program::{SHORT, Workplace, wait_until};
use nix::sys::signal::Signal;
use reports::record::{FaultEnd, FaultRecord, Run, RunEnd};
use serde_json::Value;

/// The short scenario with a fault on the service in place of its own, and without its gates: what is tested is what becomes of the
/// service, and of what it had acknowledged.
fn scenario(fault: &str, duration: &str, lasts: &str) -> String {
    let (head, _) = SHORT.split_once("[[faults]]").unwrap();
    let head = head.replace("\"4s\"", &format!("\"{duration}\""));
    let gates = ["\"wrong = 0\",", "\"undeclared = 0\",", "\"p50 < 20s for flights.search window=during\","];
    let head = gates.iter().fold(head, |head, gate| head.replace(gate, ""));
    format!("{head}[[faults]]\npart = \"service\"\nat = \"1500ms\"\nfor = \"{lasts}\"\nfault = {fault}\n")
}

/// A run that has ended.
struct Ran {
    run: Run,
    /// The only fault in it.
    fault: FaultRecord,
    /// What was printed.
    out: String,
    summary: Value,
}

impl Ran {
    fn new(scenario: &str) -> Self {
        let place = Workplace::new(scenario);
        let (_, out, err) = place.start(&[]).end();
        let folder = place.run_folder();
        let run = reports::record::folder::read_run(&folder).unwrap_or_else(|error| panic!("{error}\n{out}\n{err}"));
        let [fault] = &run.faults[..] else { panic!("{:?}", run.faults) };
        let fault = fault.clone();
        let summary = std::fs::read_to_string(folder.join("summary.json")).unwrap();
        Self { run, fault, out, summary: serde_json::from_str(&summary).unwrap() }
    }

    fn proof(&self) -> &str {
        &self.fault.part.as_ref().unwrap().proof
    }

    /// How many requests of a phase were of a class.
    fn count(&self, window: &str, class: &str) -> u64 {
        let figures = self.summary["figures"].as_array().unwrap();
        let of_window = figures.iter().find(|figures| figures["scope"] == "all" && figures["window"] == window);
        of_window.and_then(|figures| figures["outcomes"][class].as_u64()).unwrap_or(0)
    }

    /// The whole plan was carried out, no part died by itself, and every acknowledged write was found again.
    fn has_held(&self) {
        assert_eq!(self.run.end, RunEnd::Completed, "{}", self.out);
        let processes = &self.run.target.processes;
        assert!(processes.iter().all(|process| process.died.is_none()), "{processes:?}");
        let oracle = self.run.oracle.as_ref().unwrap();
        assert!(oracle.acknowledged > 0 && !oracle.is_violated(), "{oracle:?}");
        assert_eq!((self.fault.end, self.fault.error.as_ref()), (FaultEnd::Lifted, None));
    }
}

#[test]
fn a_killed_service_comes_back_where_it_was_with_every_acknowledged_write() {
    let ran = Ran::new(&scenario("\"kill\"", "8s", "1s"));
    ran.has_held();
    assert!(ran.proof().contains("gone") && ran.proof().contains("alive"), "{}", ran.proof());
    let window = ran.fault.window.unwrap();
    assert!(window.to_ns - window.from_ns >= 1_000_000_000, "away for at least its second: {window:?}");
    assert!(ran.count("during", "transport") > 0, "while it is away, connections fail: {}", ran.out);
    assert!(ran.count("after", "full") > 0, "and it answers again: {}", ran.out);
}

#[test]
fn what_a_part_used_is_summed_over_its_processes() {
    let late = scenario("\"kill\"", "9s", "500ms").replace("1500ms", "7s");
    let place = Workplace::new(&late);
    let mut program = place.start(&[]);
    place.wait_for_measures();
    let before = program.cpu_seconds(" serve ").unwrap();
    let mut until_killed = before;
    wait_until("the kill", || program.cpu_seconds(" serve ").map(|seconds| until_killed = seconds).is_none());
    program.end();
    let run = reports::record::folder::read_run(&place.run_folder()).unwrap();
    let service = run.target.processes.iter().find(|process| process.name == "service").unwrap();
    // The load began before the first look. The second process had a fourth of the time of the first, and cannot have used as much.
    assert!(service.cpu_seconds >= until_killed - before, "{service:?}, {before} to {until_killed}");
}

#[test]
fn keys_that_are_rotated_end_every_session_and_users_log_in_again() {
    let ran = Ran::new(&scenario("\"keys_rotated\"", "20s", "8s"));
    ran.has_held();
    assert!(ran.proof().contains("stopped in order") && ran.proof().contains("alive"), "{}", ran.proof());
    let window = ran.fault.window.unwrap();
    assert!(window.to_ns < ran.fault.planned.to_ns, "it is over once the service is back: {window:?}");
    assert!(ran.count("during", "wrong") > 0, "every session is refused with 401: {}", ran.out);
    let (full, refused) = (ran.count("after", "full"), ran.count("after", "wrong"));
    assert!(full > 10 * refused, "{refused} refused, {full} answered: users have logged in again\n{}", ran.out);
}

#[test]
fn a_flood_of_silent_connections_does_not_keep_users_out() {
    let flood = scenario("{ connection_flood = { connections = 150 } }", "8s", "3s");
    let ran = Ran::new(&flood.replace("part = \"service\"", "link = \"client\""));
    ran.has_held();
    let effect = ran.fault.effect.unwrap();
    assert!(effect.connections >= 150, "{effect:?}");
    assert!(ran.count("during", "full") > 0 && ran.count("after", "full") > 0, "{}", ran.out);
}

#[test]
fn ctrl_c_while_the_service_is_paused_lets_it_go_on_first() {
    let place = Workplace::new(&scenario("\"pause\"", "50s", "45s"));
    let mut program = place.start(&[]);
    program.wait_for_stopped(" serve ");
    program.signal(Signal::SIGINT);
    let (code, out, err) = program.end();
    assert_eq!(code, Some(130), "{out}\n{err}");
    let run = reports::record::folder::read_run(&place.run_folder()).unwrap();
    let fault = &run.faults[0];
    assert_eq!(fault.end, FaultEnd::LiftedEarly, "{fault:?}");
    assert!(fault.part.as_ref().unwrap().proof.contains("after SIGCONT"), "{fault:?}");
}

#[test]
fn a_harness_that_is_killed_during_a_pause_leaves_no_stopped_process() {
    let place = Workplace::new(&scenario("\"pause\"", "50s", "45s"));
    let mut program = place.start(&[]);
    program.wait_for_stopped(" serve ");
    program.signal(Signal::SIGKILL);
    // Waits for the end of every child.
    let (code, _, _) = program.end();
    assert_eq!(code, None, "it was killed");
}

#[test]
fn a_service_that_cannot_start_again_breaks_the_run_and_says_why() {
    let ran = Ran::new(&scenario("{ file_descriptors = { limit = 16 } }", "20s", "10s"));
    let RunEnd::Broken(why) = &ran.run.end else { panic!("{:?}\n{}", ran.run.end, ran.out) };
    assert!(why.starts_with("cannot start the service again: "), "{why}");
    // Whether it is the database, the port or the first connection for which there is no descriptor left is up to the system.
    let said = ["Too many open files", "unable to open database", "does not say that it is alive"];
    assert!(said.iter().any(|said| why.contains(said)), "{why}");
    assert!(why.contains(" | "), "the last lines of its log are quoted: {why}");
    assert_eq!(ran.fault.end, FaultEnd::NeverOn);
    assert!(ran.out.lines().next().unwrap().contains("INVALID"), "{}", ran.out);
}
