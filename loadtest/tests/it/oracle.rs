//! The data oracle against a stand-in that keeps its promises, and ones that break them.
use crate::{
    records::{Bookings, Records},
    scene::{MACHINE, plan, until},
    service::{Chats, Service, Trick},
    written::written_load,
};
use loadtest::{LoadResult, Recording, Settings, Stop, Target, executor::Tasks};
use reports::record::{Oracle, Phase, PhaseKind, RecordKind, Violation};
use rstest::rstest;
use std::{
    collections::BTreeMap,
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// So many trips, each opened once.
fn trips(count: u64, rest: &str) -> Settings {
    let text = format!(
        "duration = \"1s\"\nusers = 20\nrequest_timeout = \"5s\"\nmix = {{ trip-creation = 1 }}
         arrivals = {{ constant = {{ rate = \"{count}/s\" }} }}\n{rest}"
    );
    toml::from_str(&text).unwrap()
}

fn honest() -> Service {
    Service { expires_in: 3_600, ..Service::default() }
}

/// To nowhere: what was measured is not looked at here.
fn recording() -> Recording {
    let phase =
        Phase { kind: PhaseKind::Steady, label: "steady".into(), from_ns: 0, to_ns: u64::MAX, faults: Vec::new() };
    Recording { measures: Box::new(std::io::sink()), phases: vec![phase], clock_zero: SystemTime::now() }
}

/// Carries a load out and reads its writes back; `between` comes after the load.
async fn verify(settings: Settings, url: &str, stop: &Stop, between: impl FnOnce(&Stop)) -> (LoadResult, Oracle) {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::resolve(url).await.unwrap();
    let ready = loadtest::prepare(plan(settings), target, "run-1", Tasks, stop).await.unwrap();
    let ready = ready.journaled(folder.path().join("journal.ndjson"));
    let mut result = ready.drive(Instant::now() + Duration::from_millis(10), recording(), stop).await.unwrap();
    between(stop);
    let oracle = result.witness.take().unwrap().verify(&stop.now).await;
    (result, oracle)
}

async fn verified(settings: Settings, service: Service) -> Oracle {
    let (server, _) = service.start().await;
    verify(settings, &server.url, &Stop::default(), |_| {}).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_keeps_its_promises_is_believed() {
    let (server, service) = honest().start().await;
    let (result, oracle) = verify(trips(60, ""), &server.url, &Stop::default(), |_| {}).await;
    assert_eq!((oracle.acknowledged, oracle.verified, oracle.unknown, oracle.journal_lost), (60, 60, 0, 0));
    assert!(!oracle.is_violated() && oracle.incomplete.is_none(), "{oracle:?}");
    assert_eq!((result.load.counts.completed, service.trips.lock().unwrap().len()), (120, 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_acknowledged_write_lost_in_a_thousand_is_found() {
    let _machine = MACHINE.lock().await;
    let oracle = verified(trips(1_200, ""), Service { trick: Some((1_000, Trick::Drop)), ..honest() }).await;
    assert_eq!((oracle.acknowledged, oracle.verified), (1_200, 1_200));
    // Its owner opened it right away, and it was not there either.
    assert_eq!(oracle.violations, BTreeMap::from([(Violation::Lost, 1), (Violation::Stale, 1)]));
    let lost = oracle.examples.iter().find(|example| example.violation == Violation::Lost).unwrap();
    assert!(lost.kind == RecordKind::Trip && lost.ids[0].starts_with("trip-of-run-1-"), "{lost:?}");
}

#[rstest]
#[case(Trick::StoreTwice, Violation::Duplicated)]
#[case(Trick::Invent, Violation::Invented)]
#[case(Trick::Change, Violation::Changed)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_promise_is_found_and_named(#[case] trick: Trick, #[case] expected: Violation) {
    let oracle = verified(trips(60, ""), Service { trick: Some((40, trick)), ..honest() }).await;
    assert_eq!(oracle.violations, BTreeMap::from([(expected, 1)]));
    assert_eq!((oracle.verified, oracle.incomplete, oracle.examples.len()), (60, None, 1));
}

#[rstest]
#[case(Trick::BreakReading, 500)]
#[case(Trick::LoseId, 200)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_is_named_and_holds_nothing_up(#[case] trick: Trick, #[case] status: u16) {
    let oracle = verified(trips(60, ""), Service { trick: Some((40, trick)), ..honest() }).await;
    assert_eq!(oracle.violations, BTreeMap::from([(Violation::Unreadable, 1)]));
    assert_eq!((oracle.acknowledged, oracle.verified, oracle.incomplete), (60, 59, None));
    let example = &oracle.examples[0];
    assert_eq!((example.kind, example.reference.as_str(), example.status), (RecordKind::Trip, "40", Some(status)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_never_comes_to_its_end_is_read_once() {
    let _machine = MACHINE.lock().await;
    let settings = Settings { users: 1, ..trips(150, "oracle = { within = \"20s\" }") };
    let oracle = verified(settings, Service { trick: Some((u64::MAX, Trick::OnePage)), ..honest() }).await;
    assert_eq!((oracle.acknowledged, oracle.verified, oracle.incomplete.as_deref()), (150, 150, None));
    assert!(!oracle.is_violated(), "{oracle:?}");
}

#[rstest]
#[case(Trick::HangAfter, 1)]
#[case(Trick::HangBefore, 0)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_without_an_answer_may_be_there_or_not(#[case] trick: Trick, #[case] landed: u64) {
    let settings = Settings { request_timeout: Duration::from_millis(500), ..trips(60, "") };
    let oracle = verified(settings, Service { trick: Some((40, trick)), ..honest() }).await;
    assert_eq!((oracle.acknowledged, oracle.verified, oracle.unknown, oracle.landed), (59, 59, 1, landed));
    assert!(!oracle.is_violated() && oracle.incomplete.is_none(), "{oracle:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_never_got_a_connection_of_the_pool_was_not_sent() {
    let mut settings = trips(11, "chat_timeout = \"2s\"\nconnection = { pool = 1 }");
    settings.mix = "chat=1,trip-creation=10".parse().unwrap();
    settings.request_timeout = Duration::from_millis(200);
    let (server, service) = Service { chats: Chats::Hanging, ..honest() }.start().await;
    let (_, oracle) = verify(settings, &server.url, &Stop::default(), |_| {}).await;
    let reached = service.trip_count.load(Ordering::SeqCst);
    assert!(reached < 10, "the chat holds the only connection");
    assert_eq!((oracle.acknowledged, oracle.unknown), (reached, 1), "all but the chat were answered, or never sent");
    assert!(!oracle.is_violated() && oracle.incomplete.is_none(), "{oracle:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingress_without_pods_has_lost_nothing() {
    let (server, service) = Service { lost_pods: 10.into(), ..honest() }.start().await;
    let again = service.clone();
    let restart = move |_: &Stop| again.lost_pods.store(10, Ordering::SeqCst);
    let (result, oracle) = verify(trips(60, ""), &server.url, &Stop::default(), restart).await;
    assert_eq!((result.load.counts.completed, service.lost_pods.load(Ordering::SeqCst)), (120, 0), "it happened");
    assert_eq!((oracle.acknowledged, oracle.verified), (60, 60));
    assert!(!oracle.is_violated() && oracle.incomplete.is_none(), "{oracle:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_back_in_time_is_not_verified_and_not_passed() {
    let service = Service { trick: Some((40, Trick::Die)), ..honest() };
    let oracle = verified(trips(60, "oracle = { within = \"600ms\" }"), service).await;
    assert_eq!((oracle.acknowledged, oracle.verified), (39, 0));
    assert_eq!(oracle.incomplete.as_deref(), Some("not all of it could be read back within 600ms"));
    assert!(!oracle.is_violated(), "a service that does not answer has not lost anything: {oracle:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_drained_is_verified_and_one_that_is_stopped_is_not() {
    let (server, service) = honest().start().await;
    let stop = Stop::default();
    let drain = stop.drain.clone();
    let soon = tokio::spawn(async move {
        until("a few trips are there", || service.trips.lock().unwrap().len() >= 5).await;
        drain.cancel();
    });
    let (result, oracle) = verify(trips(20, ""), &server.url, &stop, |_| {}).await;
    soon.await.unwrap();
    assert!(result.is_interrupted && (5..20).contains(&oracle.acknowledged), "{oracle:?}");
    assert_eq!((oracle.verified, oracle.incomplete), (oracle.acknowledged, None));

    let (server, _) = honest().start().await;
    let (_, oracle) = verify(trips(20, ""), &server.url, &Stop::default(), |stop| stop.now.cancel()).await;
    assert_eq!((oracle.verified, oracle.incomplete.as_deref()), (0, Some("stopped before all of it was read back")));
}

fn of(mix: &str) -> Settings {
    Settings { mix: mix.parse().unwrap(), ..trips(10, "") }
}

#[rstest]
#[case::at_once(Bookings::AtOnce, &[])]
#[case::later(Bookings::Later, &[])]
#[case::without_a_confirmation(Bookings::Unconfirmed, &[Violation::Unconfirmed])]
#[case::taken_back(Bookings::Revert, &[Violation::Reverted])]
#[case::twice(Bookings::Twice, &[Violation::Duplicated])]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_is_booked_once_with_a_confirmation_and_stays_so(
    #[case] booking: Bookings,
    #[case] expected: &[Violation],
) {
    let records = Records { booking, ..Records::default() };
    let oracle = verified(of("booking=1"), Service { records, ..honest() }).await;
    // Ten trips, and their ten bookings.
    assert_eq!((oracle.acknowledged, oracle.verified, oracle.incomplete.as_deref()), (20, 20, None));
    assert_eq!(oracle.violations.keys().copied().collect::<Vec<_>>(), expected, "{oracle:?}");
    assert!(oracle.violations.values().all(|count| *count >= 10), "{oracle:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_of_others_and_changes_are_read_back_by_the_owner() {
    let (server, _) = honest().start().await;
    let (result, oracle) = verify(of("collaboration=1"), &server.url, &Stop::default(), |_| {}).await;
    assert_eq!(result.load.counts.completed, 60, "six steps each");
    assert!(!oracle.is_violated() && oracle.incomplete.is_none(), "{oracle:?}");
    // Ten trips and ten shares; the changes are those of the guests who may.
    assert!((21..30).contains(&oracle.acknowledged) && oracle.verified == oracle.acknowledged, "{oracle:?}");
}

/// Twenty trips of the program's, and ten of a journey that the scenario file writes down.
fn trips_and_others(oracle: &str) -> Settings {
    let text = r#"
        [load]
        duration = "1s"
        users    = 5
        mix      = { trip-creation = 2, mine = 1 }
        arrivals = { constant = { rate = "30/s" } }

        [journeys.mine]
        login = true
        [[journeys.mine.steps]]
        name    = "mine.create"
        path    = "/api/v1/trips"
        headers = { idempotency-key = "${key}" }
        body    = { title = "Mine", start_date = "2030-05-01", end_date = "2030-05-02", destinations = [] }
        expect  = { status = [201] }
    "#;
    written_load(&text.replacen("users ", &format!("{oracle}\nusers "), 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_written_journeys_write_is_not_taken_for_invented() {
    let (server, service) = honest().start().await;
    let (result, oracle) = verify(trips_and_others(""), &server.url, &Stop::default(), |_| {}).await;
    assert_eq!((result.load.counts.completed, service.trips.lock().unwrap().len()), (50, 30));
    assert_eq!((oracle.acknowledged, oracle.verified, oracle.incomplete.as_deref()), (20, 20, None));
    assert!(!oracle.is_violated(), "{oracle:?}");
    assert_eq!(service.accounts.lock().unwrap().len(), 10, "each user has a second account for them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_read_back_one_account_is_enough() {
    let (server, service) = honest().start().await;
    let target = Target::resolve(&server.url).await.unwrap();
    let plan = plan(trips_and_others("oracle = false"));
    let ready = loadtest::prepare(plan, target, "run-1", Tasks, &Stop::default()).await.unwrap();
    drop(ready);
    assert_eq!(service.accounts.lock().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_writes_nothing_or_is_not_to_be_checked_keeps_no_journal() {
    let is_journaled = |mix: &str, is_on| {
        let mut settings = Settings { mix: mix.parse().unwrap(), ..trips(1, "") };
        settings.oracle.is_on = is_on;
        plan(settings).is_journaled()
    };
    let seen = ["trip-creation=1", "flight-search=9,booking=1", "flight-search=1", "token-refresh=1"]
        .map(|mix| (is_journaled(mix, true), is_journaled(mix, false)));
    assert_eq!(seen, [(true, false), (true, false), (false, false), (false, false)]);

    let (server, _) = honest().start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    let settings = Settings { mix: "flight-search=1".parse().unwrap(), ..trips(5, "") };
    let target = Target::resolve(&server.url).await.unwrap();
    let ready = loadtest::prepare(plan(settings), target, "run-1", Tasks, &Stop::default()).await.unwrap();
    let result = ready.journaled(path.clone()).drive(Instant::now(), recording(), &Stop::default()).await.unwrap();
    assert!(result.witness.is_none() && !path.exists());
}
