//! Steps: a rate that rises by the same amount again and again, to find where the target breaks.
use super::{Open, check_peak, profile::Profile, spacing::Spacing};
use crate::settings::Error;
use reports::units::{self, format_duration, format_rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The most levels of one load.
const LEVELS_MAX: f64 = 1_000.0;

/// A rate that rises in equal steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Arrivals per second on the first level, such as "25/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub from: f64,
    /// Arrivals per second that are not exceeded, such as "500/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub to: f64,
    /// How much is added for each next level, such as "25/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub by: f64,
    /// How long each level lasts, such as "30s".
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub every: Duration,
    /// How arrivals scatter around the rate. Default: "poisson".
    #[serde(default)]
    pub spacing: Spacing,
}

impl Step {
    /// How many levels there are. Decimal rates are not exact in binary: a last level that is missed by that is one.
    fn level_count(&self) -> f64 {
        ((self.to - self.from) / self.by + 1e-9).floor() + 1.0
    }

    /// Rates of the levels, in order.
    fn levels(&self) -> impl Iterator<Item = f64> + '_ {
        let rate = |level| (self.from + f64::from(level) * self.by).min(self.to);
        (0..self.level_count().min(LEVELS_MAX) as u32).map(rate)
    }
}

impl Open for Step {
    fn profile(&self, _: Duration) -> Profile {
        self.levels().fold(Profile::default(), |profile, rate| profile.then(rate, rate, self.every))
    }

    fn spacing(&self) -> Spacing {
        self.spacing
    }

    fn check(&self, duration: Duration) -> Result<(), Error> {
        Error::unless_positive("arrivals.step.from", self.from)?;
        Error::unless_positive("arrivals.step.by", self.by)?;
        Error::unless_positive("arrivals.step.every", self.every.as_secs_f64())?;
        Error::unless_at_most("arrivals.step.from", self.from, self.to)?;
        Error::unless_at_most("arrivals.step.to", self.level_count(), LEVELS_MAX)?;
        check_peak("arrivals.step.to", &self.profile(duration))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, by, every, spacing } = self;
        let [from, to, by] = [from, to, by].map(|rate| format_rate(*rate));
        write!(f, "{spacing} from {from} to {to}, {by} more every {}", format_duration(*every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_lasts_and_the_last_one_holds() {
        let step: Step = toml::from_str("from = \"10/s\"\nto = \"35/s\"\nby = \"10/s\"\nevery = \"5s\"").unwrap();
        assert_eq!(step.levels().collect::<Vec<_>>(), [10.0, 20.0, 30.0]);
        let profile = step.profile(Duration::from_secs(60));
        let expected = |seconds| profile.expected_before(Duration::from_secs(seconds));
        assert_eq!([5, 10, 15, 20].map(expected), [50.0, 150.0, 300.0, 450.0]);
        assert_eq!(step.to_string(), "poisson from 10/s to 35/s, 10/s more every 5s");
        assert_eq!(step.check(Duration::from_secs(60)), Ok(()));
        let refused = |step: Step| step.check(Duration::from_secs(60)).unwrap_err().key();
        assert_eq!(refused(Step { from: 40.0, ..step.clone() }), "arrivals.step.from");
        assert_eq!(refused(Step { by: 0.001, ..step.clone() }), "arrivals.step.to");
        assert_eq!(refused(Step { every: Duration::ZERO, ..step }), "arrivals.step.every");
    }

    #[test]
    fn the_last_level_is_not_lost_to_rounding_and_as_many_are_made_as_are_allowed() {
        let step = |from, to, by| Step { from, to, by, every: Duration::from_secs(1), spacing: Spacing::default() };
        for (from, to, by, count) in
            [(0.1, 0.3, 0.1, 3), (0.1, 0.7, 0.1, 7), (1.0, 1.0, 1.0, 1), (1.0, 1.999, 1.0, 1), (1.0, 1000.0, 1.0, 1000)]
        {
            let step = step(from, to, by);
            let levels: Vec<f64> = step.levels().collect();
            assert_eq!(levels.len(), count, "{step}");
            assert!(levels.iter().all(|rate| *rate <= to), "{step}");
            assert_eq!(step.check(Duration::from_secs(60)), Ok(()), "{step}");
        }
        let refused = step(1.0, 1001.0, 1.0).check(Duration::from_secs(60)).unwrap_err();
        assert_eq!(refused.key(), "arrivals.step.to");
    }
}
