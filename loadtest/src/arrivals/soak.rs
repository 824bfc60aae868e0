//! A soak: a steady rate for long, that may rise and fall as days do, to see what grows, leaks or wears out.
use super::{Open, check_peak, profile::Profile, spacing::Spacing};
use crate::settings::Error;
use reports::units::{self, format_duration, format_rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The most waves of one load.
const WAVES_MAX: f64 = 10_000.0;

/// A steady rate for long, with waves if wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Soak {
    /// Mean arrivals per second after the ramp, such as "25/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub rate: f64,
    /// Time in which the rate grows from nothing to its full value, such as "1m". Default: none.
    #[serde(default, with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub ramp: Duration,
    /// Share of the rate by which it rises and falls in each wave, 0 to 1. Default: 0, a steady rate.
    #[serde(default, skip_serializing_if = "super::is_nothing")]
    pub swing: f64,
    /// Length of a wave, such as "1h". Needed when there is a swing.
    #[serde(default, with = "units::duration", skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "String")]
    pub wave: Duration,
    /// How arrivals scatter around the rate. Default: "poisson".
    #[serde(default)]
    pub spacing: Spacing,
}

impl Open for Soak {
    /// Each wave rises from the mean for a quarter, falls for two and is back after the fourth.
    fn profile(&self, duration: Duration) -> Profile {
        let mut profile = Profile::ramped(self.rate, self.ramp);
        let quarter = self.wave / 4;
        if self.swing > 0.0 && !quarter.is_zero() {
            let (high, low) = (self.rate * (1.0 + self.swing), self.rate * (1.0 - self.swing));
            while profile.length() < duration {
                profile =
                    profile.then(self.rate, high, quarter).then(high, low, quarter * 2).then(low, self.rate, quarter);
            }
        }
        profile
    }

    fn spacing(&self) -> Spacing {
        self.spacing
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        Error::unless_positive("arrivals.soak.rate", self.rate)?;
        Error::unless_within("arrivals.soak.ramp", self.ramp, duration)?;
        Error::unless_share("arrivals.soak.swing", self.swing)?;
        if self.swing > 0.0 {
            Error::unless_positive("arrivals.soak.wave", self.wave.as_secs_f64())?;
            let waves = duration.as_secs_f64() / self.wave.as_secs_f64();
            if waves > WAVES_MAX {
                return Err(Error::TooMuch {
                    key: "arrivals.soak.wave",
                    value: format!("short enough for {waves:.0} waves"),
                    limit: format!("{WAVES_MAX}"),
                });
            }
        }
        check_peak("arrivals.soak.rate", &self.profile(duration))
    }

    fn rate_mut(&mut self) -> Option<&mut f64> {
        Some(&mut self.rate)
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.spacing, format_rate(self.rate))?;
        if self.swing > 0.0 {
            write!(f, " ± {} % in waves of {}", self.swing * 100.0, format_duration(self.wave))?;
        }
        if self.ramp.is_zero() { Ok(()) } else { write!(f, ", ramp {}", format_duration(self.ramp)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(200);

    #[test]
    fn waves_leave_the_mean_as_it_is() {
        let soak: Soak = toml::from_str("rate = \"10/s\"\nramp = \"20s\"\nswing = 0.5\nwave = \"40s\"").unwrap();
        let profile = soak.profile(DAY);
        let expected = |seconds| profile.expected_before(Duration::from_secs(seconds));
        assert_eq!([20, 30, 40, 50, 60, 100].map(expected), [100.0, 225.0, 350.0, 425.0, 500.0, 900.0]);
        assert_eq!((profile.peak(), soak.to_string()), (15.0, "poisson 10/s ± 50 % in waves of 40s, ramp 20s".into()));
        assert_eq!(soak.check(DAY), Ok(()));
    }

    #[test]
    fn impossible_waves_are_refused() {
        let soak: Soak = toml::from_str("rate = \"10/s\"\nswing = 0.5").unwrap();
        assert_eq!(soak.check(DAY).unwrap_err().key(), "arrivals.soak.wave");
        let fast = Soak { wave: Duration::from_millis(1), ..soak.clone() };
        assert_eq!(fast.check(DAY).unwrap_err().key(), "arrivals.soak.wave");
        assert_eq!(Soak { swing: 1.5, ..soak }.check(DAY).unwrap_err().key(), "arrivals.soak.swing");
    }
}
