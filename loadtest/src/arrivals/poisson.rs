//! Poisson arrivals: independent users, the gaps between them exponential.
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

/// Arrivals of independent users.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Poisson {
    /// Mean arrivals per second, such as "25/s". Needed unless there are stages.
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

impl Poisson {
    fn rates(&self) -> Rates<'_> {
        Rates { rate: self.rate, ramp: self.ramp, stages: &self.stages }
    }
}

impl Open for Poisson {
    fn profile(&self, _: Duration) -> Profile {
        self.rates().profile()
    }

    fn spacing(&self) -> Spacing {
        Spacing::Poisson
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        self.rates().check(duration)
    }

    fn rate_mut(&mut self) -> Option<&mut f64> {
        self.stages.is_empty().then_some(&mut self.rate)
    }
}

impl fmt::Display for Poisson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "poisson {}", self.rates().text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_thins_the_start() {
        let ramped = Poisson { rate: 1_000.0, ramp: Duration::from_secs(10), stages: Vec::new() };
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
