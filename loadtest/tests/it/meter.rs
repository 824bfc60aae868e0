//! The meter proven: a server that stalls on schedule, the analytic truth, and a sender that hides the stall.
//!
//! The server takes `BASE` for an answer, except that it is frozen for the first `FROZEN` of every `PERIOD`. With evenly spaced
//! arrivals and unlimited concurrency the p-quantile of the response time is `BASE` up to p = 1 - FROZEN / PERIOD, and
//! `BASE + FROZEN - PERIOD (1 - p)` above it (measurement.md, G).
use crate::scene::{Done, MACHINE, Server, drive_with, plan, settings};
use axum::{Router, routing::get};
use loadtest::{Stop, executor::Tasks, timer::Timer};
use reports::record::Measure;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::Instant;

const RATE: f64 = 500.0;
const BASE: f64 = 0.002;
const FROZEN: f64 = 0.1;
const PERIOD: f64 = 1.0;
/// Two arrivals or 3 ms, and what a machine that builds at the same time adds.
const TOLERANCE: f64 = 0.004 + 0.010;
const QUANTILES: [f64; 5] = [0.5, 0.75, 0.9, 0.95, 0.99];

fn truth(p: f64) -> f64 {
    if p <= 1.0 - FROZEN / PERIOD { BASE } else { BASE + FROZEN - PERIOD * (1.0 - p) }
}

/// The quantiles that are further from the truth than the tolerance: p, seen, truth, in seconds.
fn errors(done: &Done, measure: Measure) -> Vec<(f64, f64, f64)> {
    let histogram = done.histogram(measure);
    let seen = |p: f64| histogram.value_at_quantile(p) as f64 / 1e9;
    let all = QUANTILES.map(|p| (p, seen(p), truth(p)));
    all.into_iter().filter(|(_, seen, truth)| (seen - truth).abs() > TOLERANCE).collect()
}

async fn drive(arrivals: &str, users: u32) -> Done {
    let zero: Arc<OnceLock<Instant>> = Arc::default();
    let seen_by_server = zero.clone();
    let answer = async move || {
        let phase = seen_by_server.get().map_or(PERIOD, |zero| zero.elapsed().as_secs_f64() % PERIOD);
        let frozen = (FROZEN - phase).max(0.0);
        Timer::new().unwrap().until(Instant::now() + Duration::from_secs_f64(frozen + BASE)).await.unwrap();
    };
    let server = Server::start(Router::new().route("/", get(answer))).await;
    let settings = settings(&format!("duration = \"4s\"\nusers = {users}\narrivals = {arrivals}"));
    let start = move |clock_zero| -> futures_util::future::BoxFuture<'static, ()> {
        zero.set(clock_zero).unwrap();
        Box::pin(async {})
    };
    drive_with(Tasks, plan(settings), &server.url, &Stop::default(), start).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_shows_in_the_percentiles_as_it_should() {
    let _machine = MACHINE.lock().await;
    let done = drive(r#"{ constant = { rate = "500/s" } }"#, 150).await;
    done.assert_conserved();
    assert_eq!(done.counts().offered, (RATE * 4.0) as u64, "intended requests, exactly");
    assert_eq!(done.counts().dropped, 0);
    assert_eq!(errors(&done, Measure::Response), [], "p, seen, truth");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinated_sender_fails_the_same_check() {
    // Five users, each sending again 10 ms after it last sent or when it has its answer: 500 requests/s, until the server stalls.
    let done = drive(r#"{ closed = { pacing = "10ms", jitter = 0.0 } }"#, 5).await;
    done.assert_conserved();
    let hidden = errors(&done, Measure::Service);
    // Per user and period: 90 fast samples and one slow. So p95 is the base, where the truth is 52 ms.
    let p95 = hidden.iter().find(|(p, ..)| *p == 0.95);
    assert!(p95.is_some_and(|(_, seen, truth)| *seen < BASE + TOLERANCE && *truth > 0.05), "{hidden:?}");
    assert!(done.counts().offered < (RATE * 4.0 * 0.97) as u64, "it sent less while the server stalled");
}
