//! What the settings of faults have in common: how sizes, rates and times are read, and why a setting is refused.
use std::time::Duration;

use reports::units::format_duration;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Why the settings of a fault cannot be brought about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A time is finer than the HTTP API can say.
    #[error("`{name}` is {}, but fault proxies count in whole {unit}", format_duration(*value))]
    TooFine {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: Duration,
        /// The unit that the value must be a multiple of.
        unit: &'static str,
    },
    /// A rate is finer than the HTTP API can say.
    #[error("`rate` is {bytes_per_second} B/s, but fault proxies count in whole KB/s (1000 bytes)")]
    RateTooFine {
        /// What was written.
        bytes_per_second: u64,
    },
    /// A share of packets is more than all.
    #[error("`per_mille` is {per_mille}, but must be at most 1000")]
    PerMille {
        /// What was written.
        per_mille: u64,
    },
    /// The settings would do nothing.
    #[error("{0}")]
    NoEffect(&'static str),
    /// A setting is beyond what it may be, in words.
    #[error("{0}")]
    Impossible(&'static str),
    /// A setting is beyond what it may be.
    #[error("`{name}` is {value}, but must be {must}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: String,
        /// What it may be.
        must: &'static str,
    },
}

/// Reads a size with a unit, such as `64KiB`, for `#[serde(deserialize_with)]`.
pub(super) fn read_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    reports::units::parse_size(&text).map_err(D::Error::custom)
}

/// Writes a size with a unit, for `#[serde(serialize_with)]`.
pub(super) fn write_size<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&reports::units::format_size(*bytes))
}

/// Reads a byte rate with a unit, such as `100KB/s`, for `#[serde(deserialize_with)]`.
pub(super) fn read_byte_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    reports::units::parse_byte_rate(&text).map_err(D::Error::custom)
}

/// Writes a byte rate with a unit, for `#[serde(serialize_with)]`.
pub(super) fn write_byte_rate<S: Serializer>(bytes_per_second: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{}/s", reports::units::format_size(*bytes_per_second)))
}

/// The duration as whole milliseconds of an attribute.
pub(super) fn whole_millis(name: &'static str, value: Duration) -> Result<u64, Error> {
    whole(name, value, 1_000_000, "milliseconds")
}

/// The duration as whole microseconds of an attribute.
pub(super) fn whole_micros(name: &'static str, value: Duration) -> Result<u64, Error> {
    whole(name, value, 1_000, "microseconds")
}

fn whole(name: &'static str, value: Duration, unit_ns: u128, unit: &'static str) -> Result<u64, Error> {
    let too_fine = Error::TooFine { name, value, unit };
    if !value.as_nanos().is_multiple_of(unit_ns) {
        return Err(too_fine);
    }
    u64::try_from(value.as_nanos() / unit_ns).map_err(|_| too_fine)
}
