//! Constant arrivals: evenly spaced, one every `1 / rate`.
use super::ramp::Ramp;
use reports::units;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Evenly spaced arrivals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// Arrivals per second, such as "25/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub rate: f64,
    /// Time in which the rate grows from nothing to its full value, such as "5s". Default: none.
    #[serde(default, with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub ramp: Duration,
}

impl Constant {
    /// When arrival `k` is due, in nanoseconds since clock zero; arrival 0 at zero.
    #[must_use]
    pub fn due_ns(&self, k: u64) -> u64 {
        self.ramped().instant_of(k as f64)
    }

    pub(super) fn ramped(&self) -> Ramp {
        Ramp { per_second: self.rate, length: self.ramp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rate: f64, ramp_s: u64, dues_ms: &[(u64, f64)]) {
        let constant = Constant { rate, ramp: Duration::from_secs(ramp_s) };
        for (k, due_ms) in dues_ms {
            let seen_ms = constant.due_ns(*k) as f64 / 1e6;
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
