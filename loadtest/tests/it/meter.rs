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

async fn carry_out(scene: Scene, settings: Settings) -> Trial {
    scene.carry_out(settings, Tasks, &Stop::default()).await.unwrap()
}

/// The quantiles that are wrong. The last of 1 000 requests is left to a quiet machine.
fn wrong(errors: &[QuantileError]) -> Vec<QuantileError> {
    errors.iter().copied().filter(|error| error.quantile < 0.999 && !error.holds()).collect()
}

fn compare(scene: Scene, trial: &Trial) -> SceneResult {
    scene.compare(trial, ALLOWANCE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_shows_in_the_percentiles_as_it_should() {
    let _machine = MACHINE.lock().await;
    for scene in [POOL, QUEUE].map(|scene| scene.lasting(SECONDS)) {
        let result = compare(scene, &carry_out(scene, scene.settings()).await);
        assert!(result.is_complete(), "intended requests, exactly: {result:?}");
        assert_eq!((wrong(&result.response), wrong(&result.service)), (vec![], vec![]), "{}", result.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_waits_for_its_answers_fails() {
    let scene = POOL.lasting(SECONDS);
    let mut settings = scene.settings();
    // Five users, each sending again 10 ms after it last sent or when it has its answer: 500 requests/s, until the server stalls.
    settings.arrivals = Arrivals::Closed(toml::from_str("pacing = \"10ms\"\njitter = 0.0").unwrap());
    settings.users = 5;
    let result = compare(scene, &carry_out(scene, settings).await);
    assert!(!result.is_complete() && result.offered < result.intended * 97 / 100, "it sent less: {result:?}");
    // Per user and period: 185 fast requests and one slow.
    assert!(wrong(&result.service).iter().any(|error| error.quantile == 0.95), "it hides the stall: {result:?}");
    assert!(!result.holds());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_harness_that_leaves_late_requests_out_fails() {
    let scene = QUEUE.lasting(SECONDS);
    let settings = Settings { queue_limit: 1, ..scene.settings() };
    let trial = carry_out(scene, settings).await;
    assert!(
        trial.counts.dropped >= 5,
        "one at work, one waiting, the rest of the stall's 15 left out: {:?}",
        trial.counts
    );
    let result = compare(scene, &trial);
    assert!(!result.is_complete() && !result.holds());
    assert!(!wrong(&result.response).is_empty(), "those that are left would be wrong as well: {result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_harness_that_counts_from_sending_fails() {
    let scene = QUEUE.lasting(SECONDS);
    let mut trial = carry_out(scene, scene.settings()).await;
    // Done minus sent is all that it would have.
    trial.response = trial.service.clone();
    let result = compare(scene, &trial);
    let hidden: Vec<f64> = wrong(&result.response).iter().map(|error| error.quantile).collect();
    assert!(result.is_complete() && hidden.contains(&0.95) && hidden.contains(&0.99), "{result:?}");
    assert!(!result.holds());
}
