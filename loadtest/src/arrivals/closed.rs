//! Closed arrivals: a fixed population, each user due again one pacing after it was last due, or as soon as it is done when that is
//! later.
//!
//! A slow target slows such users down: that is what a closed model is, and why its rate is a result and not a setting. Iteration i of
//! user u is arrival `i * users + u`, so mix and payloads are those of the arrival's number, as in the open models.
use crate::{
    draw::{Draw, Purpose},
    settings::Error,
};
use reports::units::{self, format_duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A population of users with pacing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// Mean time from one journey's due instant to the next, such as "4s".
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub pacing: Duration,
    /// Share of the pacing by which each single one may be shorter or longer, 0 to 1. Default: 0.25.
    #[serde(default = "quarter")]
    pub jitter: f64,
    /// Time over which the users arrive, evenly spread, such as "5s". Default: one pacing.
    #[serde(default, with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub ramp: Duration,
}

fn quarter() -> f64 {
    0.25
}

impl Closed {
    pub(super) fn check(&self, duration: Duration) -> Result<(), Error> {
        Error::unless_positive("arrivals.closed.pacing", self.pacing.as_secs_f64())?;
        Error::unless_share("arrivals.closed.jitter", self.jitter)?;
        Error::unless_within("arrivals.closed.ramp", self.ramp, duration)
    }

    /// When every user has arrived.
    pub(super) fn all_there(&self) -> Duration {
        if self.ramp.is_zero() { self.pacing } else { self.ramp }
    }

    /// When a user is first due, in nanoseconds since clock zero.
    #[must_use]
    pub fn first_due_ns(&self, user: u32, users: u32) -> u64 {
        let share = self.all_there().as_nanos() * u128::from(user) / u128::from(users.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// When a user is due after arrival `k`, which was due at `due_ns` and done at `done_ns`.
    #[must_use]
    pub fn next_due_ns(&self, seed: u64, k: u64, due_ns: u64, done_ns: u64) -> u64 {
        let stray = 1.0 + self.jitter * (2.0 * Draw::new(seed, Purpose::Pacing, k).unit() - 1.0);
        let pacing_ns = (self.pacing.as_nanos() as f64 * stray) as u64;
        due_ns.saturating_add(pacing_ns).max(done_ns)
    }

    /// The number of arrivals in a duration if no journey outlasts its pacing, and no pacing strays.
    #[must_use]
    pub fn expected(&self, users: u32, duration: Duration) -> u64 {
        let dues = |user| {
            let left = (duration.as_nanos() as u64).saturating_sub(self.first_due_ns(user, users));
            left.div_ceil((self.pacing.as_nanos() as u64).max(1))
        };
        (0..users).map(dues).sum()
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one journey per {}", format_duration(self.pacing))?;
        if self.ramp.is_zero() { Ok(()) } else { write!(f, ", ramp {}", format_duration(self.ramp)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACED: Closed = Closed { pacing: Duration::from_secs(4), jitter: 0.25, ramp: Duration::ZERO };

    #[test]
    fn a_user_is_due_one_pacing_after_it_was_due_not_after_it_was_done() {
        let even = Closed { jitter: 0.0, ..PACED };
        assert_eq!(even.next_due_ns(1, 0, 1_000, 2_000_000_000), 4_000_001_000);
        assert_eq!(even.next_due_ns(1, 0, 1_000, 9_000_000_000), 9_000_000_000, "a late user is due when it is done");
    }

    #[test]
    fn pacings_stray_evenly_within_the_jitter() {
        let pacings: Vec<f64> = (0..10_000).map(|k| PACED.next_due_ns(9, k, 0, 0) as f64 / 1e9).collect();
        let mean = pacings.iter().sum::<f64>() / 10_000.0;
        assert!(pacings.iter().all(|pacing| (3.0..5.0).contains(pacing)), "all within a quarter");
        // The standard deviation of the mean is 1 / sqrt(3) / sqrt(10 000) = 6 ms.
        assert!((mean - 4.0).abs() < 0.03, "mean {mean}");
    }

    #[test]
    fn users_arrive_evenly_spread_over_the_ramp_or_one_pacing() {
        assert_eq!([0, 1, 3].map(|user| PACED.first_due_ns(user, 4)), [0, 1_000_000_000, 3_000_000_000]);
        let slow = Closed { ramp: Duration::from_secs(40), ..PACED };
        assert_eq!(slow.first_due_ns(3, 4), 30_000_000_000);
        assert_eq!(PACED.expected(4, Duration::from_secs(8)), 8);
        assert_eq!(PACED.expected(4, Duration::from_millis(500)), 1);
    }
}
