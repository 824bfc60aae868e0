//! A linear ramp from nothing to the full rate, for every model with a rate.
//!
//! Arrivals are first placed on a scale where one arrival is expected per unit, then carried over to time with the inverse of the
//! expected number of arrivals: `rate t² / (2 ramp)` during the ramp, `rate (t - ramp / 2)` after it.
use std::time::Duration;

/// A rate with the ramp that leads to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ramp {
    pub(super) per_second: f64,
    pub(super) length: Duration,
}

impl Ramp {
    /// The instant at which `expected` arrivals are expected, in nanoseconds since clock zero; saturates.
    pub(super) fn instant_of(&self, expected: f64) -> u64 {
        let length = self.length.as_secs_f64();
        let during_ramp = self.per_second * length / 2.0;
        // Square root and division are exact to the last bit on every machine (IEEE 754).
        let seconds = if expected < during_ramp {
            (2.0 * length * expected / self.per_second).sqrt()
        } else {
            expected / self.per_second + length / 2.0
        };
        (seconds * 1e9) as u64
    }

    /// How many arrivals are expected before an instant.
    pub(super) fn expected_before(&self, instant: Duration) -> f64 {
        let (at, length) = (instant.as_secs_f64(), self.length.as_secs_f64());
        if at < length { self.per_second * at * at / (2.0 * length) } else { self.per_second * (at - length / 2.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(per_second: f64, ramp_ms: u64, at_ms: u64, expected: f64) {
        let ramp = Ramp { per_second, length: Duration::from_millis(ramp_ms) };
        let seen = ramp.expected_before(Duration::from_millis(at_ms));
        assert!((seen - expected).abs() < 1e-9, "{seen} instead of {expected}");
        let back_ms = ramp.instant_of(expected) as f64 / 1e6;
        assert!((back_ms - at_ms as f64).abs() < 1e-3, "{back_ms} ms instead of {at_ms} ms");
    }

    #[test]
    fn the_expected_number_and_its_inverse_agree() {
        check(100.0, 0, 0, 0.0);
        check(100.0, 0, 1_000, 100.0);
        check(100.0, 10_000, 5_000, 125.0);
        check(100.0, 10_000, 10_000, 500.0);
        check(100.0, 10_000, 20_000, 1_500.0);
        check(0.5, 4_000, 60_000, 29.0);
    }
}
