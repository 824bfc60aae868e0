//! Journeys that a scenario file writes down, with data feeders, correlation and checks.
//!
//! ```text
//! settings ─▶ read: files, names, places, checks ─▶ journeys ─▶ per arrival: facts ─▶ request ─▶ answer ─▶ class, saved values
//! ```
//! Everything that can be wrong is found when the file is read. What is sent follows from the seed, the number of the arrival, the
//! data files and the answers alone.
mod answer;
mod body;
mod expression;
mod facts;
mod feeder;
mod journey;
mod number;
mod problem;
mod read;
mod reader;
mod rows;
mod settings;
mod step;
mod template;

pub use expression::Error as PlaceError;
pub use feeder::{FeederSettings, RowOrder};
pub use problem::{Error, Problem};
pub use read::{Written, read};
pub use rows::Error as FileError;
pub use settings::{Expect, JourneySettings, JsonCheck, JsonType, Save, StepSettings};

/// The most steps of one journey: think times are numbered so far apart.
pub const STEPS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{expression::tests::names, problem::Error, reader::read_step, step::Step};

    /// One step of a journey without a login, as a scenario file writes it.
    pub(super) fn step(text: &str) -> Result<Step, Vec<Error>> {
        read_step(&toml::from_str(text).unwrap(), &names(), false)
    }
}
