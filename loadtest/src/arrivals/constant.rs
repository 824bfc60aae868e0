//! Constant arrivals: evenly spaced, one every `1 / rate`.
use super::{Open, profile::Profile, spacing::Spacing, stages::Rates};
use crate::settings::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Evenly spaced arrivals.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Constant(pub Rates);

impl Open for Constant {
    fn profile(&self, _: Duration) -> Profile {
        self.0.profile()
    }

    fn spacing(&self) -> Spacing {
        Spacing::Constant
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        self.0.check(duration)
    }

    fn rate_mut(&mut self) -> Option<&mut f64> {
        self.0.rate_mut()
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "constant {}", self.0.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rate: f64, ramp_s: u64, dues_ms: &[(usize, f64)]) {
        let constant = Constant(Rates { rate, ramp: Duration::from_secs(ramp_s), stages: Vec::new() });
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
