//! How a load ends: by itself, drained, at once, again, and with signals that stay ours.
use crate::scene::{Get, SIGNALS, Server, drive_with, plan, settings, until};
use axum::{Router, routing::get};
use futures_util::future::BoxFuture;
use loadtest::{
    Mix, Recording, Stop, Target, Visit,
    executor::{Goose, Tasks},
    journeys::{Journey, Step},
};
use nix::sys::signal::{Signal, raise};
use reports::record::{Outcome, Phase, PhaseKind};
use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

const LONG: &str = "duration = \"60s\"\nusers = 8\narrivals = { constant = { rate = \"100/s\" } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goose_runs_twice_in_one_process_and_leaves_the_signals_alone() {
    let server = Server::slow(Duration::from_millis(1)).await;
    for users in [3, 25] {
        let text = format!("duration = \"300ms\"\nusers = {users}\narrivals = {{ constant = {{ rate = \"100/s\" }} }}");
        let done =
            drive_with(Goose, plan(settings(&text)), &server.url, &Stop::default(), |_| Box::pin(async {})).await;
        done.assert_conserved();
        assert_eq!((done.counts().completed, done.outcome(Outcome::Full)), (30, 30), "{users} users");
        assert!(!done.result.is_interrupted);
    }
    // Twice: goose's own handler would end the process at the second one.
    for received in 1..=2 {
        raise(Signal::SIGINT).unwrap();
        until("a signal reaches our handler", || SIGNALS.load(Ordering::SeqCst) >= received).await;
    }
}

/// As [`Get`], but its users panic from some arrival on.
struct Panics;

impl Journey for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn steps(&self) -> &'static [Step] {
        Get.steps()
    }

    fn needs_session(&self) -> bool {
        false
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        assert!(visit.arrival() < 20, "a fault of this program");
        Get.travel(visit)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_panics_ends_the_run_at_once_and_its_second_is_written() {
    let server = Server::slow(Duration::from_millis(1)).await;
    let mut settings = settings(LONG);
    settings.mix = Mix::of(&[(&Panics, 1)]);
    let target = Target::resolve(&server.url).await.unwrap();
    let stop = Stop::default();
    let ready = loadtest::prepare(plan(settings), target, "run-1", Tasks, &stop).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("measures.hlog");
    let phase =
        Phase { kind: PhaseKind::Steady, label: "steady".into(), from_ns: 0, to_ns: u64::MAX, faults: Vec::new() };
    let measures = Box::new(File::create(&path).unwrap());
    let recording = Recording { measures, phases: vec![phase], clock_zero: SystemTime::now() };
    let driving = ready.drive(Instant::now(), recording, &stop);
    let ended = tokio::time::timeout(Duration::from_secs(20), driving).await.expect("long before its 60 s");
    assert!(ended.unwrap_err().to_string().contains("cannot run the users"));
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains("steady/root/full/response"), "what was measured before is there: {log}");
}

#[test]
fn goose_writes_nothing_to_stdout() {
    let name = "ending::goose_runs_twice_in_one_process_and_leaves_the_signals_alone";
    let again =
        std::process::Command::new(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).output();
    let again = again.unwrap();
    let stdout = String::from_utf8(again.stdout).unwrap();
    let is_ours = |line: &&str| line.is_empty() || line.starts_with("running 1 test") || line.starts_with("test ");
    assert!(again.status.success(), "{stdout}");
    assert_eq!(stdout.lines().filter(|line| !is_ours(line)).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(String::from_utf8(again.stderr).unwrap(), "");
}

fn stop_after(stop: &Stop, after: Duration, how: fn(&Stop)) -> impl FnOnce(Instant) -> BoxFuture<'static, ()> + use<> {
    let stop = stop.clone();
    move |clock_zero| {
        Box::pin(async move {
            tokio::time::sleep_until(clock_zero + after).await;
            how(&stop);
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_waits_for_the_answers_and_sends_nothing_new() {
    let server = Server::slow(Duration::from_millis(50)).await;
    let stop = Stop::default();
    let during = stop_after(&stop, Duration::from_millis(500), |stop| stop.drain.cancel());
    let done = drive_with(Goose, plan(settings(LONG)), &server.url, &stop, during).await;
    done.assert_conserved();
    let counts = done.counts();
    assert!(
        done.result.is_interrupted && done.result.finished_ns < 3_000_000_000,
        "ended at {} ns",
        done.result.finished_ns
    );
    assert!((40..=70).contains(&counts.offered), "about 50 were due in half a second: {counts:?}");
    assert!(
        counts.completed >= 30 && done.outcome(Outcome::Full) == counts.completed,
        "what was out has its answer: {counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_at_once_counts_what_was_out_as_unfinished() {
    let server = Server::slow(Duration::from_secs(60)).await;
    let stop = Stop::default();
    let during = stop_after(&stop, Duration::from_millis(300), |stop| stop.now.cancel());
    let done = drive_with(Goose, plan(settings(LONG)), &server.url, &stop, during).await;
    done.assert_conserved();
    let counts = done.counts();
    assert!(done.result.finished_ns < 3_000_000_000, "ended at {} ns", done.result.finished_ns);
    assert_eq!((counts.completed, counts.unfinished), (0, counts.offered));
    assert!((25..=45).contains(&counts.offered), "{counts:?}");
    // Eight users had a request out, the others waited in the queue.
    assert_eq!(done.result.seconds.iter().map(|second| second.sent).sum::<u64>(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_users_drain_too() {
    let server = Server::slow(Duration::from_millis(20)).await;
    let stop = Stop::default();
    let text = "duration = \"60s\"\nusers = 8\narrivals = { closed = { pacing = \"10s\", ramp = \"100ms\" } }";
    let during = stop_after(&stop, Duration::from_millis(300), |stop| stop.drain.cancel());
    let done = drive_with(Goose, plan(settings(text)), &server.url, &stop, during).await;
    done.assert_conserved();
    assert_eq!((done.counts().completed, done.result.is_interrupted), (8, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_that_are_never_driven_go_home() {
    let server = Server::slow(Duration::ZERO).await;
    let target = loadtest::Target::resolve(&server.url).await.unwrap();
    let ready = loadtest::prepare(plan(settings(LONG)), target, "run-1", Goose, &Stop::default()).await.unwrap();
    let progress = ready.progress();
    drop(ready);
    // The last user holds the last of the counters beside ours.
    until("all users are gone", || std::sync::Arc::strong_count(&progress) == 1).await;
    assert_eq!(progress.figures().offered, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_before_the_start_prepares_nothing() {
    let server = Server::slow(Duration::ZERO).await;
    let target = loadtest::Target::resolve(&server.url).await.unwrap();
    let stop = Stop::default();
    stop.drain.cancel();
    let error = loadtest::prepare(plan(settings(LONG)), target, "run-1", Goose, &stop).await.err().unwrap();
    assert_eq!(error.to_string(), "stopped before the load started");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_connection_of_the_pool_sends_nothing_after_a_stop() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (stop, counted) = (Stop::default(), asked.clone());
    let answer = async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let server = Server::start(Router::new().route("/", get(answer))).await;
    // By then every user waits for the connection, but the one who has it for a second.
    let during = stop_after(&stop, Duration::from_millis(500), |stop| stop.drain.cancel());
    let done =
        drive_with(Tasks, plan(settings(&format!("{LONG}\nconnection = {{ pool = 1 }}"))), &server.url, &stop, during)
            .await;
    done.assert_conserved();
    assert_eq!((asked.load(Ordering::SeqCst), done.counts().completed), (1, 1));
    assert_eq!(done.counts().unfinished + 1, done.counts().offered);
}
