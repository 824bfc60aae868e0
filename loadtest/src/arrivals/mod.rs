//! When users arrive: one file per model, each with its settings, its rule and its tests. Pure and seeded.
//!
//! A new model is one new file and one line in [`Arrivals`], in `open` and in `open_mut`.
mod bursts;
mod closed;
mod constant;
mod law;
mod poisson;
mod profile;
mod recorded;
mod soak;
mod spacing;
mod spike;
mod stages;
mod step;

use crate::settings::{Error, RATE_MAX};
pub use bursts::Bursts;
pub use closed::Closed;
pub use constant::Constant;
pub use law::{GapWatch, Law};
pub use poisson::Poisson;
use profile::Profile;
pub use recorded::{ARRIVALS_MAX, Recorded, spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use soak::Soak;
pub use spacing::Spacing;
pub use spike::Spike;
pub use stages::{Rates, Stage};
use std::{fmt, time::Duration};
pub use step::Step;

/// The arrival model of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Open: evenly spaced.
    Constant(Constant),
    /// Open: independent users.
    Poisson(Poisson),
    /// Open: a steady rate with one spike.
    Spike(Spike),
    /// Open: a rate that rises in steps, to find where the target breaks.
    Step(Step),
    /// Open: a steady rate for long, that may rise and fall as days do.
    Soak(Soak),
    /// Open: many users at once, again and again.
    Bursts(Bursts),
    /// Open: those of an earlier run or of an access log.
    Recorded(Recorded),
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

/// An open model: due times that do not depend on the answers. Its text is what follows "open, ".
trait Open: fmt::Display {
    /// The expected rate over a load of that duration.
    fn profile(&self, duration: Duration) -> Profile;

    /// How arrivals scatter around that rate.
    fn spacing(&self) -> Spacing;

    /// Checks what the types cannot say.
    fn check(&self, duration: Duration) -> Result<(), Error>;

    /// When arrivals 0, 1, 2 … are due, in nanoseconds since clock zero, ascending.
    fn due_times(&self, seed: u64, duration: Duration) -> Box<dyn Iterator<Item = u64> + Send> {
        self.spacing().due_times(self.profile(duration), seed)
    }

    /// How many arrivals are expected.
    fn expected(&self, duration: Duration) -> f64 {
        self.profile(duration).expected_before(duration)
    }

    /// The law of its gaps; `None` when they have none.
    fn law(&self, duration: Duration) -> Option<Law> {
        Some(Law::new(self.profile(duration), self.spacing()))
    }

    /// The one rate that it has, in arrivals per second, to be changed.
    fn rate_mut(&mut self) -> Option<&mut f64> {
        None
    }
}

impl Arrivals {
    fn open(&self) -> Result<&dyn Open, &Closed> {
        match self {
            Self::Constant(constant) => Ok(constant),
            Self::Poisson(poisson) => Ok(poisson),
            Self::Spike(spike) => Ok(spike),
            Self::Step(step) => Ok(step),
            Self::Soak(soak) => Ok(soak),
            Self::Bursts(bursts) => Ok(bursts),
            Self::Recorded(recorded) => Ok(recorded),
            Self::Closed(closed) => Err(closed),
        }
    }

    fn open_mut(&mut self) -> Option<&mut dyn Open> {
        match self {
            Self::Constant(constant) => Some(constant),
            Self::Poisson(poisson) => Some(poisson),
            Self::Spike(spike) => Some(spike),
            Self::Step(step) => Some(step),
            Self::Soak(soak) => Some(soak),
            Self::Bursts(bursts) => Some(bursts),
            Self::Recorded(recorded) => Some(recorded),
            Self::Closed(_) => None,
        }
    }

    /// The due times of the model, for a load of that duration.
    #[must_use]
    pub fn model(&self, seed: u64, duration: Duration) -> Model<'_> {
        self.open().map_or_else(Model::Closed, |open| Model::Open(open.due_times(seed, duration)))
    }

    /// The law of the gaps between arrivals; `None` when they have none, or when each user comes when it is done.
    #[must_use]
    pub fn law(&self, duration: Duration) -> Option<Law> {
        self.open().ok().and_then(|open| open.law(duration))
    }

    /// From when on the plan is the same to its end: one rate, or one population; `None` when it never is.
    #[must_use]
    pub fn level_from(&self, duration: Duration) -> Option<Duration> {
        match self.open() {
            Ok(open) => open.law(duration)?.level_from(),
            Err(closed) => Some(closed.all_there()),
        }
    }

    /// Arrivals per second of an open model that has exactly one rate; `None` for any other.
    #[must_use]
    pub fn single_rate(&self) -> Option<f64> {
        self.clone().open_mut()?.rate_mut().map(|rate| *rate)
    }

    /// Changes the rate.
    ///
    /// # Errors
    /// The model has not exactly one.
    pub(crate) fn set_rate(&mut self, per_second: f64) -> Result<(), Error> {
        let open = self.open_mut().ok_or(Error::ClosedHasNoRate)?;
        *open.rate_mut().ok_or(Error::NoSingleRate)? = per_second;
        Ok(())
    }

    pub(crate) fn check(&self, duration: Duration) -> Result<(), Error> {
        self.open().map_or_else(|closed| closed.check(duration), |open| open.check(duration))
    }

    /// How many arrivals are expected in a duration.
    #[must_use]
    pub fn expected(&self, users: u32, duration: Duration) -> f64 {
        self.open().map_or_else(|closed| closed.expected(users, duration) as f64, |open| open.expected(duration))
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open() {
            Ok(open) => write!(f, "open, {open}"),
            Err(closed) => write!(f, "closed, {closed}"),
        }
    }
}

fn check_peak(key: &'static str, profile: &Profile) -> Result<(), Error> {
    Error::unless_positive(key, profile.peak())?;
    Error::unless_at_most(key, profile.peak(), RATE_MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_nothing(number: &f64) -> bool {
    *number == 0.0
}
