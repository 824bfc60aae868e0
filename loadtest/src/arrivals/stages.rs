//! Stages: a rate that goes from one value to the next, for the models that have a single rate otherwise.
use super::{check_peak, profile::Profile};
use crate::settings::Error;
use reports::units::{self, format_duration, format_rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A part of the time in which the rate goes linearly from where it was (at first: nothing) to another value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Arrivals per second at its end, such as "50/s".
    #[serde(with = "units::rate")]
    #[schemars(with = "String")]
    pub rate: f64,
    /// How long it takes, such as "1m"; "0s" is a jump.
    #[serde(rename = "for", with = "units::duration")]
    #[schemars(with = "String")]
    pub length: Duration,
}

/// One rate with its ramp, or stages: the settings of the models that differ by their spacing alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Arrivals per second (where they scatter: on average), such as "25/s". Needed unless there are stages.
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

impl Rates {
    pub(super) fn profile(&self) -> Profile {
        if self.stages.is_empty() {
            return Profile::ramped(self.rate, self.ramp);
        }
        let stage =
            |(profile, from): (Profile, f64), stage: &Stage| (profile.then(from, stage.rate, stage.length), stage.rate);
        self.stages.iter().fold((Profile::default(), 0.0), stage).0
    }

    pub(super) fn check(&self, duration: Duration) -> Result<(), Error> {
        if self.stages.is_empty() {
            Error::unless_positive("arrivals.rate", self.rate)?;
            Error::unless_within("arrivals.ramp", self.ramp, duration)?;
        } else if self.rate != 0.0 || !self.ramp.is_zero() {
            return Err(Error::Exclusive { key: "arrivals.stages", other: "rate` or `ramp" });
        } else if self.profile().length() > duration {
            let value = format!("{} long", format_duration(self.profile().length()));
            let limit = format!("the duration ({})", format_duration(duration));
            return Err(Error::TooMuch { key: "arrivals.stages", value, limit });
        }
        check_peak("arrivals.rate", &self.profile())
    }

    /// The one rate, where there are no stages.
    pub(super) fn rate_mut(&mut self) -> Option<&mut f64> {
        self.stages.is_empty().then_some(&mut self.rate)
    }

    /// Such as `25/s, ramp 5s` or `stages 50/s in 1m, 50/s for 5m, 0/s in 30s`.
    pub(super) fn text(&self) -> String {
        if self.stages.is_empty() {
            let ramp =
                if self.ramp.is_zero() { String::new() } else { format!(", ramp {}", format_duration(self.ramp)) };
            return format!("{}{ramp}", format_rate(self.rate));
        }
        let mut from = 0.0;
        let stage = |stage: &Stage| {
            let (rate, length) = (format_rate(stage.rate), format_duration(stage.length));
            let is_level = stage.rate.total_cmp(&std::mem::replace(&mut from, stage.rate)).is_eq();
            match (is_level, stage.length.is_zero()) {
                (true, _) => format!("{rate} for {length}"),
                (false, true) => format!("{rate} at once"),
                (false, false) => format!("{rate} in {length}"),
            }
        };
        format!("stages {}", self.stages.iter().map(stage).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(text: &str) -> Vec<Stage> {
        #[derive(Deserialize)]
        struct File {
            stages: Vec<Stage>,
        }
        toml::from_str::<File>(text).unwrap().stages
    }

    #[test]
    fn each_stage_leads_from_where_the_last_one_ended() {
        let stages = stages(
            r#"stages = [{ rate = "50/s", for = "10s" }, { rate = "50/s", for = "20s" }, { rate = "90/s", for = "0s" }, { rate = "0/s", for = "4s" }]"#,
        );
        let rates = Rates { rate: 0.0, ramp: Duration::ZERO, stages };
        let profile = rates.profile();
        let expected = |seconds| profile.expected_before(Duration::from_secs(seconds));
        assert_eq!([5, 10, 30, 34, 60].map(expected), [62.5, 250.0, 1_250.0, 1_430.0, 1_430.0]);
        assert_eq!(rates.text(), "stages 50/s in 10s, 50/s for 20s, 90/s at once, 0/s in 4s");
        assert_eq!(rates.check(Duration::from_secs(34)), Ok(()));
        let error = rates.check(Duration::from_secs(33)).unwrap_err().to_string();
        assert_eq!(error, "`arrivals.stages` is 34s long, more than the duration (33s)");
        let both = Rates { rate: 1.0, ..rates }.check(Duration::from_secs(40)).unwrap_err().to_string();
        assert_eq!(both, "`arrivals.stages` cannot be given together with `rate` or `ramp`");
    }
}
