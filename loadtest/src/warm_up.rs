//! The part of a load, from its start, that is not judged: given, or to be found when the run has ended.
use crate::settings::Error;
use reports::units;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// The least time without a fault in which the end of the warm-up can be found.
pub const SHORTEST_SEARCH: Duration = Duration::from_secs(20);

/// The part of a load that is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarmUp {
    /// From clock zero for so long.
    Fixed(Duration),
    /// From clock zero until the run was steady, which shows when it has ended.
    Auto,
}

impl Default for WarmUp {
    fn default() -> Self {
        Self::Fixed(Duration::ZERO)
    }
}

impl WarmUp {
    /// Its length as far as it is known before the run.
    #[must_use]
    pub fn planned(self) -> Duration {
        match self {
            Self::Fixed(length) => length,
            Self::Auto => Duration::ZERO,
        }
    }

    /// Checks it against the load's duration and the instant from which its plan stays the same, if there is one.
    pub(crate) fn check(self, duration: Duration, level_from: Option<Duration>) -> Result<(), Error> {
        match self {
            Self::Fixed(length) => Error::unless_within("warm_up", length, duration),
            Self::Auto if level_from.is_none() => Err(Error::NeverLevel),
            Self::Auto if duration < SHORTEST_SEARCH => {
                Err(Error::TooShortToSearch { least: units::format_duration(SHORTEST_SEARCH) })
            }
            Self::Auto => Ok(()),
        }
    }
}

impl fmt::Display for WarmUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => f.pad(&units::format_duration(*length)),
            Self::Auto => f.pad("auto"),
        }
    }
}

impl FromStr for WarmUp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => units::parse_duration(text).map(Self::Fixed).map_err(|error| format!("{error}, or `auto`")),
        }
    }
}

impl Serialize for WarmUp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WarmUp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for WarmUp {
    fn schema_name() -> Cow<'static, str> {
        "WarmUp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_length_or_to_be_found() {
        assert_eq!("5s".parse(), Ok(WarmUp::Fixed(Duration::from_secs(5))));
        assert_eq!("auto".parse(), Ok(WarmUp::Auto));
        assert_eq!("automatic".parse::<WarmUp>().map_err(|error| error.ends_with("or `auto`")), Err(true));
        assert_eq!(WarmUp::Auto.to_string().parse(), Ok(WarmUp::Auto));
        assert_eq!(WarmUp::default().planned(), WarmUp::Auto.planned());
    }
}
