//! The two scenes by which a calibration proves that the meter tells the truth about a server that stalls.
//!
//! With users to spare, response times are the stall itself: a sender that holds back, or leaves requests out, shows. On a single
//! user everything queues behind the stalled answer: a meter that counts from sending sees hardly any of it, and shows as well.
use super::{
    Error,
    probe::Plain,
    server::{Manner, Server},
    trial::{self, Trial, quantile_ns},
    truth::{Stall, tolerance_s},
};
use crate::{executor::Executor, settings::Settings, stop::Stop};
use reports::record::{QuantileError, SceneResult};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The quantiles that are compared with the truth.
const QUANTILES: [f64; 6] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// A load of evenly spaced requests on a server that stalls.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    name: &'static str,
    rate: f64,
    seconds: u64,
    users: u32,
    stall: Stall,
}

const STALL: Stall = Stall { base_s: 0.002, frozen_s: 0.15, period_s: 2.0 };

/// Users to spare: 76 requests are out at the end of a stall.
pub const POOL: Scene = Scene { name: "users to spare", rate: 500.0, seconds: 6, users: 120, stall: STALL };
/// One user: requests wait for one another.
pub const QUEUE: Scene = Scene { name: "one user", rate: 100.0, seconds: 4, users: 1, stall: STALL };

impl Scene {
    /// The same for so many seconds, which must be whole periods for the truth to hold.
    #[must_use]
    pub fn lasting(self, seconds: u64) -> Self {
        Self { seconds, ..self }
    }

    /// The load.
    #[must_use]
    pub fn settings(&self) -> Settings {
        trial::settings(&Plain, self.rate, self.seconds, self.users)
    }

    /// Requests that the load must bring, exactly.
    #[must_use]
    pub fn intended(&self) -> u64 {
        (self.rate * self.seconds as f64).round() as u64
    }

    /// Carries out the load, or another one in its place, against the server that stalls.
    ///
    /// # Errors
    /// When the load cannot be carried out, or is stopped.
    pub async fn carry_out(&self, settings: Settings, executor: impl Executor, stop: &Stop) -> Result<Trial, Error> {
        let zero = Arc::new(OnceLock::new());
        let server = Server::start(Manner::Stalling(self.stall, zero.clone()))?;
        let at_zero = |clock_zero| zero.set(clock_zero).expect("it is set once");
        trial::carry_out(settings, &server, executor, stop, at_zero).await
    }

    /// Compares what was measured with the truth. `allowance` is what this machine's timers add to the tolerance.
    #[must_use]
    pub fn compare(&self, trial: &Trial, allowance: Duration) -> SceneResult {
        let error = |p: f64, seen_ns: u64, truth_s: f64| QuantileError {
            quantile: p,
            truth_ns: nanos(truth_s),
            seen_ns,
            tolerance_ns: nanos(tolerance_s(self.rate, truth_s) + allowance.as_secs_f64()),
        };
        let response = |p: f64| match self.users {
            1 => self.stall.queued_response_s(self.rate, p),
            _ => self.stall.response_s(p),
        };
        let service = |p: f64| match self.users {
            1 => self.stall.shared_service_s(self.rate, 1, p),
            _ => self.stall.response_s(p),
        };
        SceneResult {
            name: self.name.to_owned(),
            rate: self.rate,
            users: self.users,
            frozen_ns: nanos(self.stall.frozen_s),
            period_ns: nanos(self.stall.period_s),
            intended: self.intended(),
            offered: trial.counts.offered,
            answered: trial.full_count,
            response: QUANTILES.map(|p| error(p, quantile_ns(&trial.response, p), response(p))).into(),
            service: QUANTILES.map(|p| error(p, quantile_ns(&trial.service, p), service(p))).into(),
        }
    }
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}
