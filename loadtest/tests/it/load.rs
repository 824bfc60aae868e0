//! What a load counts: arrivals kept, dropped, timed out, cut; users paced; journeys mixed.
use crate::scene::{Server, drive, drive_with, plan, settings};
use axum::{Router, http::HeaderMap, routing::get};
use loadtest::{LoadPlan, Stop, executor::Tasks};
use reports::record::{Measure, Outcome};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, time::Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrivals_beyond_the_queue_are_dropped_and_counted() {
    let server = Server::slow(Duration::from_millis(200)).await;
    let text = "duration = \"1s\"\nusers = 1\nqueue_limit = 2\narrivals = { constant = { rate = \"100/s\" } }";
    let done = drive(plan(settings(text)), &server.url).await;
    done.assert_conserved();
    let counts = done.counts();
    // One user, 200 ms each: five in the second, at most two waiting behind, the other 90 or so dropped.
    assert_eq!((counts.planned, counts.offered), (100, 100));
    assert!((85..=97).contains(&counts.dropped) && (3..=8).contains(&counts.completed), "{counts:?}");
    let waited = done.histogram(Measure::SendLag).max();
    assert!(waited > 150_000_000, "the wait for a free user counts: {waited} ns");
    assert!(
        done.histogram(Measure::ScheduleLag).value_at_quantile(0.5) < 20_000_000,
        "but is not the pacer's lateness"
    );
}

#[tokio::test]
async fn a_generator_that_has_no_time_for_its_users_is_late_though_its_pacer_is_not() {
    let server = Server::slow(Duration::from_millis(1)).await;
    let text = "duration = \"1s\"\nusers = 50\narrivals = { constant = { rate = \"200/s\" } }";
    // The one thread of this runtime has something else to do.
    let hog = |clock_zero: Instant| -> futures_util::future::BoxFuture<'static, ()> {
        Box::pin(async move {
            let (from, until) = (clock_zero + Duration::from_millis(300), clock_zero + Duration::from_millis(500));
            tokio::time::sleep_until(from).await;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        })
    };
    let done = drive_with(Tasks, plan(settings(text)), &server.url, &Stop::default(), hog).await;
    done.assert_conserved();
    let latest = done.histogram(Measure::ScheduleLag).max();
    assert!(latest > 100_000_000, "users were free, and what was due early in those 200 ms was not sent: {latest} ns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_a_timeout_and_a_cut_one_a_broken_transport() {
    let hangs = Server::slow(Duration::from_secs(60)).await;
    let text =
        "duration = \"300ms\"\nusers = 20\nrequest_timeout = \"100ms\"\narrivals = { constant = { rate = \"50/s\" } }";
    let done = drive(plan(settings(text)), &hangs.url).await;
    done.assert_conserved();
    assert_eq!((done.counts().completed, done.outcome(Outcome::Timeout)), (15, 15));
    let shortest = done.histogram(Measure::Service).min();
    assert!((99_000_000..1_000_000_000).contains(&shortest), "waited as long as told: {shortest} ns");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cuts = tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                connection.readable().await.unwrap();
                let _ = connection.try_read(&mut [0; 4096]);
            });
        }
    });
    let done = drive(plan(settings(text)), &url).await;
    cuts.abort();
    done.assert_conserved();
    assert_eq!((done.counts().completed, done.outcome(Outcome::Transport)), (15, 15));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_dies_leaves_failures_and_no_hang() {
    // A runtime of its own, so that its end closes every connection as the end of a process does.
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = process.spawn(Server::slow(Duration::from_millis(1))).await.unwrap();
    let url = server.url.clone();
    let text = "duration = \"600ms\"\nusers = 5\narrivals = { poisson = { rate = \"200/s\" } }";
    let die = |clock_zero: Instant| -> futures_util::future::BoxFuture<'static, ()> {
        Box::pin(async move {
            tokio::time::sleep_until(clock_zero + Duration::from_millis(300)).await;
            process.shutdown_background();
        })
    };
    let started = Instant::now();
    let done = drive_with(Tasks, plan(settings(text)), &url, &Stop::default(), die).await;
    done.assert_conserved();
    let (full, transport) = (done.outcome(Outcome::Full), done.outcome(Outcome::Transport));
    assert!(
        full > 20 && transport > 20 && full + transport == done.counts().completed,
        "{full} full, {transport} transport"
    );
    drop(server);
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listening_is_a_broken_transport_too() {
    // Not a server: the task of one ends some time after it was dropped.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let text = "duration = \"300ms\"\nusers = 2\narrivals = { constant = { rate = \"50/s\" } }";
    let target = loadtest::Target::resolve(&format!("http://{closed}")).await.unwrap();
    let error = loadtest::prepare(plan(settings(text)), target, "run-1", Tasks, &Stop::default()).await.err().unwrap();
    assert!(error.to_string().starts_with("cannot connect user 0 to http://127.0.0.1:"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_users_keep_their_pacing() {
    let seen: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = seen.clone();
    let server =
        Server::start(Router::new().route("/", get(async move || noted.lock().unwrap().push(Instant::now())))).await;
    let text = "duration = \"1s\"\nusers = 10\narrivals = { closed = { pacing = \"100ms\" } }";
    let done = drive(plan(settings(text)), &server.url).await;
    done.assert_conserved();
    let (counts, seen) = (done.counts(), seen.lock().unwrap().len() as u64);
    assert_eq!(counts.planned, 100);
    // Ten users, ten pacings of 75 to 125 ms: 100 journeys within five standard deviations of the sum.
    assert!((90..=112).contains(&counts.completed) && seen == counts.completed, "{counts:?}, {seen} seen");
    assert_eq!(done.outcome(Outcome::Full), counts.completed);
}

#[test]
fn the_same_seed_gives_the_same_schedule_byte_for_byte() {
    let bytes = |seed, arrivals: &str| {
        let text = format!(
            "duration = \"60s\"\nusers = 10\narrivals = {arrivals}\nmix = {{ flight-search = 3, chat = 2, trip-creation = 1 }}"
        );
        let plan = LoadPlan::new(toml::from_str(&text).unwrap(), seed, "2030-01-01".parse().unwrap()).unwrap();
        let arrival = |arrival: loadtest::schedule::Arrival| format!("{arrival:?}\n");
        plan.schedule().unwrap().map(arrival).collect::<String>()
    };
    for arrivals in [r#"{ poisson = { rate = "25/s", ramp = "5s" } }"#, r#"{ constant = { rate = "25/s" } }"#] {
        let first = bytes(7, arrivals);
        assert_eq!(first, bytes(7, arrivals));
        assert_ne!(first, bytes(8, arrivals));
        assert!(first.lines().count() > 1_200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_has_a_trace_of_its_own_and_the_same_one_in_every_run() {
    let traces = async || {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&seen);
        let note = async move |headers: HeaderMap| {
            noted.lock().unwrap().push(headers["traceparent"].to_str().unwrap().to_owned())
        };
        let server = Server::start(Router::new().route("/", get(note))).await;
        let text = "duration = \"400ms\"\nusers = 20\narrivals = { poisson = { rate = \"100/s\" } }";
        drive(plan(settings(text)), &server.url).await.assert_conserved();
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        seen.sort_unstable();
        seen
    };
    let (first, again) = (traces().await, traces().await);
    assert_eq!(first, again);
    assert!(first.len() > 10 && first.windows(2).all(|pair| pair[0] != pair[1]), "{first:?}");
    let is_trace = |text: &String| {
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        lengths == [2, 32, 16, 2] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
    };
    assert!(first.iter().all(is_trace), "{first:?}");
}
