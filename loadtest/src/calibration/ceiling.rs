//! The highest rate at which the schedule is kept, found by stepping up against a server that does nothing.
use super::{
    Error,
    probe::Search,
    server::{Manner, Server},
    trial::{self, quantile_ns},
};
use crate::{executor::Executor, stop::Stop};
use reports::record::RateTrial;
use std::time::Duration;
use tokio::time::Instant;

/// Connections, as a run of ordinary size has.
const USERS: u32 = 50;
/// The rates whose lag is told whatever it is, in requests per second.
const TOLD: [f64; 2] = [1_000.0, 10_000.0];
/// How long each of them is held, in seconds.
const TOLD_SECONDS: u64 = 2;
/// How long each step of the search is held, in seconds.
const STEP_SECONDS: u64 = 1;
/// How often a rate is held at most until it is kept: a hiccup of the machine is not the generator's limit.
const ATTEMPTS_TOLD: u32 = 3;
const ATTEMPTS: u32 = 2;
/// The search ends with whatever it knows so long after the first rate.
const WITHIN: Duration = Duration::from_secs(17);

/// Measures lag and CPU time at the rates that are told, then searches for the highest that is kept.
///
/// # Errors
/// When a load cannot be carried out, or is stopped.
pub(super) async fn measure(executor: impl Executor + Copy, stop: &Stop) -> Result<Vec<RateTrial>, Error> {
    let (server, begun) = (Server::start(Manner::Null)?, Instant::now());
    let mut trials = Vec::new();
    let is_time_left = || begun.elapsed() < WITHIN;
    let hold_until_kept = async |rate: f64, seconds: u64, attempts: u32| {
        let mut trial = hold(rate, seconds, &server, executor, stop).await?;
        for _ in 1..attempts {
            if trial.is_kept() || !is_time_left() {
                break;
            }
            trial = hold(rate, seconds, &server, executor, stop).await?;
        }
        Ok::<_, Error>(trial)
    };
    for rate in TOLD {
        trials.push(hold_until_kept(rate, TOLD_SECONDS, ATTEMPTS_TOLD).await?);
    }
    let mut ladder = Ladder::after(&trials);
    while let Some(rate) = ladder.next_rate().filter(|_| is_time_left()) {
        let trial = hold_until_kept(rate, STEP_SECONDS, ATTEMPTS).await?;
        ladder.learn(&trial);
        trials.push(trial);
    }
    Ok(trials)
}

async fn hold(
    rate: f64,
    seconds: u64,
    server: &Server,
    executor: impl Executor,
    stop: &Stop,
) -> Result<RateTrial, Error> {
    let settings = trial::settings(&Search, rate, seconds, USERS);
    let trial = trial::carry_out(settings, server, executor, stop, |_| {}).await?;
    Ok(RateTrial {
        rate,
        users: USERS,
        lag_p50_ns: quantile_ns(&trial.lag, 0.5),
        lag_p99_ns: quantile_ns(&trial.lag, 0.99),
        sent_share: (trial.sent_in_time as f64 / (rate * seconds as f64)).min(1.0),
        answered_share: trial.full_count as f64 / trial.counts.offered.max(1) as f64,
        cpu_us: trial.cpu_us,
    })
}

/// What the search knows: the highest rate that was kept, and the lowest that was not.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ladder {
    kept: Option<f64>,
    lost: Option<f64>,
}

/// How much faster each step is, while none was lost.
const STEP: f64 = 1.6;
/// The search ends when the lowest rate that is lost is this many times the highest that is kept.
const NEAR: f64 = 1.15;
/// The highest and the lowest rate that are tried.
const HIGHEST: f64 = 400_000.0;
const LOWEST: f64 = 100.0;

impl Ladder {
    fn after(trials: &[RateTrial]) -> Self {
        let mut ladder = Self { kept: None, lost: None };
        trials.iter().for_each(|trial| ladder.learn(trial));
        ladder
    }

    fn learn(&mut self, trial: &RateTrial) {
        if trial.is_kept() && self.lost.is_none_or(|lost| trial.rate < lost) {
            self.kept = Some(self.kept.map_or(trial.rate, |kept| kept.max(trial.rate)));
        } else if !trial.is_kept() {
            self.lost = Some(self.lost.map_or(trial.rate, |lost| lost.min(trial.rate)));
            self.kept = self.kept.filter(|kept| *kept < trial.rate);
        }
    }

    /// The rate to try next, in whole requests per second; `None` when it is known well enough.
    fn next_rate(&self) -> Option<f64> {
        let rate = match (self.kept, self.lost) {
            (Some(kept), Some(lost)) => (lost / kept > NEAR).then(|| (kept * lost).sqrt()),
            (Some(kept), None) => Some(kept * STEP),
            (None, Some(lost)) => Some(lost / STEP),
            (None, None) => Some(TOLD[0]),
        }?;
        (LOWEST..=HIGHEST).contains(&rate).then(|| rate.round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Tasks;
    use rstest::rstest;

    fn trial(rate: f64, is_kept: bool) -> RateTrial {
        let lag_p99_ns = if is_kept { 50_000 } else { 5_000_000 };
        RateTrial { rate, users: 50, lag_p50_ns: 5_000, lag_p99_ns, sent_share: 1.0, answered_share: 1.0, cpu_us: 9.0 }
    }

    #[rstest]
    #[case::fast(63_000.0)]
    #[case::slow(7_300.0)]
    #[case::very_slow(420.0)]
    fn the_search_ends_close_below_the_limit(#[case] limit: f64) {
        let mut ladder = Ladder::after(&TOLD.map(|rate| trial(rate, rate <= limit)));
        let mut steps = 0;
        while let Some(rate) = ladder.next_rate() {
            ladder.learn(&trial(rate, rate <= limit));
            steps += 1;
        }
        let kept = ladder.kept.unwrap();
        assert!(kept <= limit && kept * NEAR >= limit * 0.98, "{kept} for {limit}");
        assert!(steps <= 9, "{steps} steps");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_load_is_held_and_the_time_of_the_server_is_not_the_generators() {
        let server = Server::start(Manner::Null).unwrap();
        let trial = hold(500.0, 1, &server, Tasks, &Stop::default()).await.unwrap();
        let server_us = server.cpu().await.unwrap().as_secs_f64() * 1e6 / 500.0;
        assert_eq!((trial.answered_share, trial.lag_p99_ns > 0), (1.0, true), "{trial:?}");
        assert!(trial.cpu_us > 0.0 && server_us > 0.0, "{trial:?}, server {server_us} us");
    }

    #[test]
    fn a_machine_that_keeps_no_rate_or_every_rate_ends_the_search() {
        for is_kept in [false, true] {
            let mut ladder = Ladder::after(&TOLD.map(|rate| trial(rate, is_kept)));
            while let Some(rate) = ladder.next_rate() {
                ladder.learn(&trial(rate, is_kept));
            }
            assert_eq!(ladder.kept.is_some(), is_kept);
        }
    }

    #[test]
    fn a_rate_above_one_that_was_lost_is_not_believed() {
        let ladder = Ladder::after(&[trial(1_000.0, false), trial(10_000.0, true)]);
        assert_eq!((ladder.kept, ladder.lost), (None, Some(1_000.0)));
    }
}
