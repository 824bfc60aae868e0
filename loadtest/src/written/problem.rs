//! What is wrong with a journey or a feeder of a scenario file, and where.
use super::{expression, rows};
use std::ops::Range;

/// A mistake and its place in the scenario file, in bytes.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    /// Where.
    pub span: Range<usize>,
    /// What.
    #[source]
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A place cannot be filled.
    #[error(transparent)]
    Place(#[from] expression::Error),
    /// A data file cannot be used.
    #[error(transparent)]
    File(#[from] rows::Error),
    /// A name that gates, tables and places could not use.
    #[error("`{name}` is not a name: 1 to 64 letters, digits, `.`, `_` and `-`")]
    NotAName {
        /// What was written.
        name: String,
    },
    /// A name that stands for something else already.
    #[error("the name `{name}` is taken")]
    Taken {
        /// What was written.
        name: String,
    },
    /// No steps, or too many.
    #[error("a journey has 1 to {} steps, not {count}", super::STEPS_MAX)]
    StepCount {
        /// How many there are.
        count: usize,
    },
    /// The first step is due when the journey is.
    #[error("the first step is due with its arrival and cannot wait for `think`")]
    FirstThinks,
    /// Not a duration.
    #[error("{0}")]
    Think(String),
    /// Longer than anything that is measured.
    #[error("`think` is {think}, more than 10m")]
    ThinksTooLong {
        /// What was written.
        think: String,
    },
    /// Not a method that can be sent.
    #[error("unknown method `{method}`; known are `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`")]
    UnknownMethod {
        /// What was written.
        method: String,
    },
    /// Not a path on the target.
    #[error("`{path}` is not a path such as /api/v1/trips; it begins with `/` and has no spaces and no `#`")]
    NotAPath {
        /// What was written.
        path: String,
    },
    /// Not a header.
    #[error("`{name}` is not a header with a value of visible characters")]
    NotAHeader {
        /// Its name.
        name: String,
    },
    /// The generator sets this header.
    #[error("the header `{name}` is set by the generator")]
    ReservedHeader {
        /// Its name.
        name: String,
    },
    /// A status that cannot be good.
    #[error("{status} cannot be expected: 429 and 5xx have classes of their own, and statuses go from 100 to 499")]
    StatusHasAClass {
        /// What was written.
        status: u16,
    },
    /// Not a JSON pointer.
    #[error("`{at}` is not a JSON pointer such as /offers/0/id; it begins with `/` or is empty")]
    NotAPointer {
        /// What was written.
        at: String,
    },
    /// Not a regular expression.
    #[error("not a regular expression: {0}")]
    NotARegex(Box<regex::Error>),
    /// A check on what may not be there.
    #[error("what may not exist has no value, type or length")]
    MissingHasNothing,
    /// Bounds that nothing meets.
    #[error("`length` stands alone, and `length_min` is not more than `length_max`")]
    NoSuchLength,
    /// A random value in what is expected.
    #[error("a random value in what is expected would be drawn anew and could not be met")]
    DrawnAnew,
    /// Checks on a stream.
    #[error("a stream is judged by its events and has neither `expect` nor `save`")]
    StreamIsJudged,
}
