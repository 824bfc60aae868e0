//! Poisson arrivals: independent users, the gaps between them exponential.
use super::{Open, profile::Profile, spacing::Spacing, stages::Rates};
use crate::settings::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Arrivals of independent users.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Poisson(pub Rates);

impl Open for Poisson {
    fn profile(&self, _: Duration) -> Profile {
        self.0.profile()
    }

    fn spacing(&self) -> Spacing {
        Spacing::Poisson
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        self.0.check(duration)
    }

    fn rate_mut(&mut self) -> Option<&mut f64> {
        self.0.rate_mut()
    }
}

impl fmt::Display for Poisson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "poisson {}", self.0.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_thins_the_start() {
        let ramped = Poisson(Rates { rate: 1_000.0, ramp: Duration::from_secs(10), stages: Vec::new() });
        let dues: Vec<u64> =
            ramped.due_times(1, Duration::from_secs(10)).take_while(|due| *due < 10_000_000_000).collect();
        let first_half = dues.iter().filter(|due| **due < 5_000_000_000).count();
        // 5 000 expected in the ramp, a quarter of them in its first half; five standard deviations.
        assert!(
            (4_650..5_350).contains(&dues.len()) && (1_070..1_430).contains(&first_half),
            "{} {first_half}",
            dues.len()
        );
    }
}
