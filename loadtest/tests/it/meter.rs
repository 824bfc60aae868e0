//! The meter proven, and what proves it: the scenes of the calibration pass for ours, and fail for a sender that waits for its answers,
//! a harness that leaves late requests out, and one that counts from sending.
use crate::scene::MACHINE;
use loadtest::{
    Settings, Stop,
    arrivals::Arrivals,
    calibration::{POOL, QUEUE, Scene, Trial},
    executor::Tasks,
};
use reports::record::{QuantileError, SceneResult};
use std::time::Duration;

/// What a machine that builds at the same time adds.
const ALLOWANCE: Duration = Duration::from_millis(30);
/// One stall is enough here.
const SECONDS: u64 = 2;

/// Attempts at a scene.
const ATTEMPTS: u32 = 8;

/// Carries a scene out until it shows what it must show, or the attempts are used up: a machine that is held up spoils one of them, but
/// what a meter does wrong it does in each. What has nothing to do with time is asked of every attempt, by `always`.
async fn attempt(
    scene: Scene,
    settings: impl Fn() -> Settings,
    alter: impl Fn(&mut Trial),
    always: impl Fn(&Trial, &SceneResult),
    shows: impl Fn(&SceneResult) -> bool,
) {
    let mut results = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut trial = scene.carry_out(settings(), Tasks, &Stop::default()).await.unwrap();
        alter(&mut trial);
        let result = scene.compare(&trial, ALLOWANCE);
        always(&trial, &result);
        if shows(&result) {
            return;
        }
        results.push(result);
    }
    panic!("in none of {ATTEMPTS} attempts: {results:#?}");
}

/// The quantiles that are wrong. The last of 1 000 requests is left to a quiet machine.
fn wrong(errors: &[QuantileError]) -> Vec<QuantileError> {
    errors.iter().copied().filter(|error| error.quantile < 0.999 && !error.holds()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_shows_in_the_percentiles_as_it_should() {
    let _machine = MACHINE.lock().await;
    for scene in [POOL, QUEUE].map(|scene| scene.lasting(SECONDS)) {
        let is_complete =
            |_: &Trial, result: &SceneResult| assert!(result.is_complete(), "intended requests, exactly: {result:?}");
        let is_right = |result: &SceneResult| wrong(&result.response).is_empty() && wrong(&result.service).is_empty();
        attempt(scene, || scene.settings(), |_| {}, is_complete, is_right).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_waits_for_its_answers_fails() {
    let _machine = MACHINE.lock().await;
    let scene = POOL.lasting(SECONDS);
    let settings = || {
        let mut settings = scene.settings();
        // Five users, each sending again 10 ms after it last sent or when it has its answer: 500 requests/s, until the server stalls.
        settings.arrivals = Arrivals::Closed(toml::from_str("pacing = \"10ms\"\njitter = 0.0").unwrap());
        settings.users = 5;
        settings
    };
    let sends_less = |_: &Trial, result: &SceneResult| {
        assert!(!result.is_complete() && result.offered < result.intended * 97 / 100, "it sent less: {result:?}");
        assert!(!result.holds());
    };
    // Per user and period: 185 fast requests and one slow.
    let hides_the_stall = |result: &SceneResult| wrong(&result.service).iter().any(|error| error.quantile == 0.95);
    attempt(scene, settings, |_| {}, sends_less, hides_the_stall).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_harness_that_leaves_late_requests_out_fails() {
    let _machine = MACHINE.lock().await;
    let scene = QUEUE.lasting(SECONDS);
    let settings = || Settings { queue_limit: 1, ..scene.settings() };
    let leaves_out = |trial: &Trial, result: &SceneResult| {
        let counts = trial.counts;
        assert!(counts.dropped >= 5, "one at work, one waiting, the rest of the stall's 15 left out: {counts:?}");
        assert!(!result.is_complete() && !result.holds());
    };
    let is_wrong_as_well = |result: &SceneResult| !wrong(&result.response).is_empty();
    attempt(scene, settings, |_| {}, leaves_out, is_wrong_as_well).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_harness_that_counts_from_sending_fails() {
    let _machine = MACHINE.lock().await;
    let scene = QUEUE.lasting(SECONDS);
    // Done minus sent is all that it would have.
    let counts_from_sending = |trial: &mut Trial| trial.response = trial.service.clone();
    let is_complete = |_: &Trial, result: &SceneResult| assert!(result.is_complete(), "{result:?}");
    let hides_the_queue = |result: &SceneResult| {
        let hidden: Vec<f64> = wrong(&result.response).iter().map(|error| error.quantile).collect();
        hidden.contains(&0.95) && hidden.contains(&0.99) && !result.holds()
    };
    attempt(scene, || scene.settings(), counts_from_sending, is_complete, hides_the_queue).await;
}
