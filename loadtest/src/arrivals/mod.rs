//! When users arrive: one file per model, each with its settings, its rule and its tests. Pure and seeded.
//!
//! A new model is one new file and one line in [`Arrivals`] and [`Arrivals::model`].
mod closed;
mod constant;
mod poisson;
mod ramp;

pub use closed::Closed;
pub use constant::Constant;
pub use poisson::Poisson;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The arrival model of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Open: evenly spaced.
    Constant(Constant),
    /// Open: independent users.
    Poisson(Poisson),
    /// Closed: a fixed population with pacing.
    Closed(Closed),
}

/// What an arrival model needs from the engine.
pub enum Model<'a> {
    /// Due times fixed before the first byte is sent, in nanoseconds since clock zero, ascending, without end.
    Open(Box<dyn Iterator<Item = u64> + Send>),
    /// Due times that depend on when each user was done.
    Closed(&'a Closed),
}

impl Arrivals {
    /// The due times of the model.
    #[must_use]
    pub fn model(&self, seed: u64) -> Model<'_> {
        match self {
            Self::Constant(constant) => {
                let constant = constant.clone();
                Model::Open(Box::new((0..).map(move |k| constant.due_ns(k))))
            }
            Self::Poisson(poisson) => Model::Open(Box::new(poisson.due_times(seed))),
            Self::Closed(closed) => Model::Closed(closed),
        }
    }

    /// The rate and the ramp that leads to it; `None` for a closed model, whose rate is a result.
    #[must_use]
    pub fn rate(&self) -> Option<(f64, Duration)> {
        match self {
            Self::Constant(Constant { rate, ramp }) | Self::Poisson(Poisson { rate, ramp }) => Some((*rate, *ramp)),
            Self::Closed(_) => None,
        }
    }

    /// The rate, to be changed.
    pub(crate) fn rate_mut(&mut self) -> Option<&mut f64> {
        match self {
            Self::Constant(Constant { rate, .. }) | Self::Poisson(Poisson { rate, .. }) => Some(rate),
            Self::Closed(_) => None,
        }
    }

    /// How many arrivals are expected in a duration.
    #[must_use]
    pub fn expected(&self, users: u32, duration: Duration) -> f64 {
        match self {
            Self::Constant(constant) => constant.ramped().expected_before(duration),
            Self::Poisson(poisson) => poisson.ramped().expected_before(duration),
            Self::Closed(closed) => closed.expected(users, duration) as f64,
        }
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use reports::units::{format_duration, format_rate};
        let (name, ramp) = match self {
            Self::Constant(Constant { rate, ramp }) => (format!("open, constant {}", format_rate(*rate)), ramp),
            Self::Poisson(Poisson { rate, ramp }) => (format!("open, poisson {}", format_rate(*rate)), ramp),
            Self::Closed(closed) => {
                (format!("closed, one journey per {}", format_duration(closed.pacing)), &closed.ramp)
            }
        };
        f.write_str(&name)?;
        if ramp.is_zero() { Ok(()) } else { write!(f, ", ramp {}", format_duration(*ramp)) }
    }
}
