//! Why settings cannot be carried out, and at which key.
use reports::units;
use std::time::Duration;

/// Why settings cannot be carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A value must be more than nothing.
    #[error("`{key}` must be more than 0")]
    Zero {
        /// The key.
        key: &'static str,
    },
    /// A value is beyond what is supported.
    #[error("`{key}` is {value}, more than {limit}")]
    TooMuch {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The largest value.
        limit: String,
    },
    /// A part of the run is longer than the run.
    #[error("`{key}` ({value}) must be shorter than `duration` ({duration})")]
    NotWithinDuration {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The duration.
        duration: String,
    },
    /// Not one arrival is expected.
    #[error("`arrivals` brings no user within `duration` ({duration})")]
    NoArrivals {
        /// The duration.
        duration: String,
    },
    /// A rate was given for a closed model.
    #[error("`arrivals` is closed: its rate follows from `users` and `pacing` and cannot be set")]
    ClosedHasNoRate,
    /// A rate was given for a model with more than one.
    #[error("`arrivals` has more than one rate: change them in the scenario file")]
    NoSingleRate,
    /// Nobody makes such a journey.
    #[error("unknown journey `{name}`; known are {known}")]
    UnknownJourney {
        /// What was written.
        name: String,
        /// What could be.
        known: String,
    },
    /// The end of the warm-up cannot be found in a load that is never the same.
    #[error(
        "`warm_up` cannot be \"auto\": the planned rate changes all along, so no part of the run is steady; give it a length"
    )]
    NeverLevel,
    /// The end of the warm-up cannot be found in so short a load.
    #[error("`warm_up` cannot be \"auto\": at least {least} without a fault are needed to find its end")]
    TooShortToSearch {
        /// The least time.
        least: String,
    },
    /// A journey takes more users than there are.
    #[error("`users` is {users}, but journey `{journey}` takes {needed}: its user meets others")]
    TooFewUsers {
        /// Users.
        users: u32,
        /// The journey.
        journey: String,
        /// Users that it takes at least.
        needed: u32,
    },
    /// Something that a key needs is not there.
    #[error("`{key}` needs {what}")]
    Needs {
        /// The key.
        key: &'static str,
        /// What it needs.
        what: &'static str,
    },
    /// Two keys that say the same were given.
    #[error("`{key}` cannot be given together with `{other}`")]
    Exclusive {
        /// The key.
        key: &'static str,
        /// The other key.
        other: &'static str,
    },
}

impl Error {
    /// The key that the error is about, below `load` in the scenario file.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Zero { key }
            | Self::TooMuch { key, .. }
            | Self::NotWithinDuration { key, .. }
            | Self::Needs { key, .. }
            | Self::Exclusive { key, .. } => key,
            Self::UnknownJourney { .. } => "mix",
            Self::NeverLevel | Self::TooShortToSearch { .. } => "warm_up",
            Self::TooFewUsers { .. } => "users",
            Self::NoArrivals { .. } | Self::ClosedHasNoRate | Self::NoSingleRate => "arrivals",
        }
    }

    pub(crate) fn unless_positive(key: &'static str, value: f64) -> Result<(), Self> {
        if value > 0.0 { Ok(()) } else { Err(Self::Zero { key }) }
    }

    pub(crate) fn unless_at_most<T: PartialOrd + ToString>(key: &'static str, value: T, limit: T) -> Result<(), Self> {
        if value > limit {
            return Err(Self::TooMuch { key, value: value.to_string(), limit: limit.to_string() });
        }
        Ok(())
    }

    pub(crate) fn unless_share(key: &'static str, value: f64) -> Result<(), Self> {
        if value.is_nan() || value < 0.0 { Err(Self::Zero { key }) } else { Self::unless_at_most(key, value, 1.0) }
    }

    pub(crate) fn unless_within(key: &'static str, value: Duration, duration: Duration) -> Result<(), Self> {
        if value < duration {
            return Ok(());
        }
        let (value, duration) = (units::format_duration(value), units::format_duration(duration));
        Err(Self::NotWithinDuration { key, value, duration })
    }
}
