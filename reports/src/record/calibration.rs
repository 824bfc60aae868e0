//! What a calibration found: how true and how fast the generator is on one machine. Kept beside the runs, and in the head of each.
use super::Machine;
use serde::{Deserialize, Serialize};

/// The largest schedule lag at p99 of a rate that is kept, in nanoseconds. Source: measurement.md D3.
pub const KEPT_LAG_NS: u64 = 1_000_000;
/// The smallest share of the requests that must have been sent in time. Source: measurement.md D3.
pub const KEPT_SHARE: f64 = 0.995;

/// What a calibration found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Version of the program that made it.
    pub harness_version: String,
    /// Whether that was an optimised build; figures of the other kind say nothing about it.
    pub is_optimised: bool,
    /// The machine.
    pub machine: Machine,
    /// When it was begun, RFC 3339 in UTC.
    pub at: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What this machine's timers add to every tolerance, in nanoseconds.
    pub allowance_ns: u64,
    /// Clock and timer.
    pub clock: ClockFigures,
    /// Loads on a server that stalls, against the truth.
    pub scenes: Vec<SceneResult>,
    /// Loads on a server that does nothing, in the order in which they were made.
    pub rates: Vec<RateTrial>,
}

/// How finely a machine's clock counts, and how late its timers are. All in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockFigures {
    /// The smallest step that the clock was seen to make.
    pub resolution_ns: u64,
    /// Median lateness of a timer.
    pub timer_late_p50_ns: u64,
    /// 99 % of the timers are not later.
    pub timer_late_p99_ns: u64,
}

/// A load on a server that stalls, and how far its figures are from the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneResult {
    /// Its name.
    pub name: String,
    /// Requests per second, evenly spaced.
    pub rate: f64,
    /// Users that carried them out.
    pub users: u32,
    /// How long the server was frozen in each period, in nanoseconds.
    pub frozen_ns: u64,
    /// From one stall to the next, in nanoseconds.
    pub period_ns: u64,
    /// Requests that there must be, exactly.
    pub intended: u64,
    /// Requests that became due.
    pub offered: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Response times, from due.
    pub response: Vec<QuantileError>,
    /// Service times, from sent.
    pub service: Vec<QuantileError>,
}

/// A quantile as measured, and as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QuantileError {
    /// Which, from 0 to 1.
    pub quantile: f64,
    /// By formula, in nanoseconds.
    pub truth_ns: u64,
    /// As measured, in nanoseconds.
    pub seen_ns: u64,
    /// How far apart they may be, in nanoseconds, the machine's allowance included.
    pub tolerance_ns: u64,
}

/// A load of evenly spaced requests on a server that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateTrial {
    /// Requests per second.
    pub rate: f64,
    /// Users that carried them out.
    pub users: u32,
    /// Median lateness of the schedule, in nanoseconds.
    pub lag_p50_ns: u64,
    /// 99 % of the requests were not let go later, in nanoseconds.
    pub lag_p99_ns: u64,
    /// Share of the requests that were sent before the load's end.
    pub sent_share: f64,
    /// Share of the requests that got the right answer.
    pub answered_share: f64,
    /// CPU time of the generator alone per answer, in microseconds.
    pub cpu_us: f64,
}

impl QuantileError {
    /// How far the measured value is from the truth, in nanoseconds.
    #[must_use]
    pub fn error_ns(&self) -> u64 {
        self.seen_ns.abs_diff(self.truth_ns)
    }

    /// Whether that is within the tolerance.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.error_ns() <= self.tolerance_ns
    }
}

impl SceneResult {
    /// Whether every request that there must be was due and answered, and none beside.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.offered == self.intended && self.answered == self.intended
    }

    /// Whether the meter told the truth in everything.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.is_complete() && self.response.iter().chain(&self.service).all(QuantileError::holds)
    }
}

impl RateTrial {
    /// Whether the schedule was kept, and every answer was right.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.lag_p99_ns <= KEPT_LAG_NS && self.sent_share >= KEPT_SHARE && self.answered_share >= KEPT_SHARE
    }
}

impl Calibration {
    /// The highest rate that was kept, below every rate that was not, in requests per second.
    #[must_use]
    pub fn highest_kept(&self) -> Option<&RateTrial> {
        let lost = self.lowest_lost();
        let is_below = |trial: &&RateTrial| trial.is_kept() && lost.is_none_or(|lost| trial.rate < lost.rate);
        self.rates.iter().filter(is_below).max_by(|a, b| a.rate.total_cmp(&b.rate))
    }

    /// The lowest rate that was not kept.
    #[must_use]
    pub fn lowest_lost(&self) -> Option<&RateTrial> {
        self.rates.iter().filter(|trial| !trial.is_kept()).min_by(|a, b| a.rate.total_cmp(&b.rate))
    }
}
