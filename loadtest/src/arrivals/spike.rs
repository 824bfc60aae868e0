//! A spike: a steady rate, then suddenly many more, then as before.
use super::{Open, check_peak, profile::Profile, spacing::Spacing};
use crate::settings::Error;
use reports::units::{self, format_duration, format_rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A steady rate with one spike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// Arrivals per second before and after it, such as "25/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub base: f64,
    /// Arrivals per second at its height, such as "500/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub peak: f64,
    /// When the rate begins to rise, such as "20s".
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub at: Duration,
    /// How long it stays at its height, such as "10s".
    #[serde(rename = "for", with = "units::duration")]
    #[schemars(with = "String")]
    pub length: Duration,
    /// How long the rise and the fall take, each. Default: none.
    #[serde(default, with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub ramp: Duration,
    /// How arrivals scatter around the rate. Default: "poisson".
    #[serde(default)]
    pub spacing: Spacing,
}

impl Open for Spike {
    fn profile(&self, _: Duration) -> Profile {
        Profile::default()
            .then(self.base, self.base, self.at)
            .then(self.base, self.peak, self.ramp)
            .then(self.peak, self.peak, self.length)
            .then(self.peak, self.base, self.ramp)
    }

    fn spacing(&self) -> Spacing {
        self.spacing
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        Error::unless_positive("arrivals.spike.peak", self.peak)?;
        Error::unless_within("arrivals.spike.for", self.profile(duration).length(), duration)?;
        check_peak("arrivals.spike.peak", &self.profile(duration))
    }
}

impl fmt::Display for Spike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, peak, at, length, spacing, .. } = self;
        let (base, peak) = (format_rate(*base), format_rate(*peak));
        write!(f, "{spacing} {base}, spike of {peak} at {} for {}", format_duration(*at), format_duration(*length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_stays_and_falls() {
        let spike: Spike =
            toml::from_str("base = \"10/s\"\npeak = \"110/s\"\nat = \"20s\"\nfor = \"5s\"\nramp = \"2s\"").unwrap();
        let profile = spike.profile(Duration::from_secs(60));
        let expected = |seconds| profile.expected_before(Duration::from_secs(seconds));
        assert_eq!([20, 22, 27, 29, 39].map(expected), [200.0, 320.0, 870.0, 990.0, 1_090.0]);
        assert_eq!(spike.to_string(), "poisson 10/s, spike of 110/s at 20s for 5s");
        assert_eq!(spike.check(Duration::from_secs(30)), Ok(()));
        assert!(spike.check(Duration::from_secs(29)).is_err(), "it must be over before the end");
    }
}
