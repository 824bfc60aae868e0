//! Constant arrivals: evenly spaced, one every `1 / rate`.
use super::{
    Open,
    profile::Profile,
    spacing::Spacing,
    stages::{Rates, Stage},
};
use crate::settings::Error;
use reports::units;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Evenly spaced arrivals.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Constant {
    /// Arrivals per second, such as "25/s". Needed unless there are stages.
    #[serde(with = "units::rate", skip_serializing_if = "super::is_nothing")]
    #[schemars(with = "String")]
    pub rate: f64,
    /// Time in which the rate grows from nothing to its full value, such as "5s". Default: none.
    #[serde(with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub ramp: Duration,
    /// Instead of one rate: rates one after the other, such as [{ rate = "50/s", for = "1m" }, { rate = "0/s", for = "10s" }].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
}

impl Constant {
    fn rates(&self) -> Rates<'_> {
        Rates { rate: self.rate, ramp: self.ramp, stages: &self.stages }
    }
}

impl Open for Constant {
    fn profile(&self, _: Duration) -> Profile {
        self.rates().profile()
    }

    fn spacing(&self) -> Spacing {
        Spacing::Constant
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        self.rates().check(duration)
    }

    fn rate_mut(&mut self) -> Option<&mut f64> {
        self.stages.is_empty().then_some(&mut self.rate)
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "constant {}", self.rates().text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rate: f64, ramp_s: u64, dues_ms: &[(usize, f64)]) {
        let constant = Constant { rate, ramp: Duration::from_secs(ramp_s), stages: Vec::new() };
        for (k, due_ms) in dues_ms {
            let due = constant.due_times(0, Duration::from_secs(60)).nth(*k).unwrap();
            let seen_ms = due as f64 / 1e6;
            assert!((seen_ms - due_ms).abs() < 1e-3, "arrival {k} at {seen_ms} ms instead of {due_ms} ms");
        }
    }

    #[test]
    fn arrivals_are_evenly_spaced_after_the_ramp() {
        check(100.0, 0, &[(0, 0.0), (1, 10.0), (150, 1_500.0)]);
        // 100/s after 2 s: half of 200 arrivals in the ramp, the k-th at sqrt(2 * 2 * k / 100).
        check(100.0, 2, &[(0, 0.0), (1, 200.0), (25, 1_000.0), (100, 2_000.0), (101, 2_010.0)]);
        check(0.1, 0, &[(1, 10_000.0)]);
    }
}
