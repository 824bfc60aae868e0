//! What a gate says.
use super::Abort;
use crate::{
    record::{Measure, Outcome},
    summary::Window,
};
use std::{cmp::Ordering, fmt, ops::Range};

/// One bound on one number, as read from a line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The line as written, without the space around it.
    pub text: String,
    /// The number and its bound.
    pub rule: Rule,
    /// The step or journey it is put on; all when `None`.
    pub name: Option<Word<String>>,
    /// The only class that counts, for latencies.
    pub class: Option<Outcome>,
    /// The part of the run it is put on.
    pub window: Word<Window>,
    /// Whether it may end the run.
    pub abort: Option<Abort>,
}

/// Something read from the line, and where it stood: byte positions, empty at the end when it was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<T> {
    /// What was read.
    pub value: T,
    /// Where.
    pub range: Range<usize>,
}

/// A gap between two pieces of text that is longer is a stall, in nanoseconds.
pub const STALL_NS: u64 = 1_000_000_000;

/// A number of the run and its bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A quantile of a latency.
    Quantile {
        /// Which latency.
        measure: Measure,
        /// Between 0 and 1, both excluded.
        quantile: f64,
        /// Never [`Comparison::Equal`].
        comparison: Comparison,
        /// In nanoseconds.
        limit_ns: u64,
    },
    /// The slowest request: exact.
    Max {
        /// Which latency.
        measure: Measure,
        /// Never [`Comparison::Equal`].
        comparison: Comparison,
        /// In nanoseconds.
        limit_ns: u64,
    },
    /// The share of the requests that belong to a group.
    Share {
        /// Which requests.
        group: Group,
        /// Never [`Comparison::Equal`].
        comparison: Comparison,
        /// Between 0 and 1, both excluded.
        limit: f64,
    },
    /// How many requests belong to a group: exact.
    Count {
        /// Which requests.
        group: Group,
        /// Any.
        comparison: Comparison,
        /// How many.
        limit: u64,
    },
    /// The share of the arrivals that were sent: exact.
    AchievedRate {
        /// Never [`Comparison::Equal`].
        comparison: Comparison,
        /// Between 0 and 1.
        limit: f64,
    },
    /// Requests with an outcome, per second of the window: exact.
    Rate {
        /// Which requests.
        group: Group,
        /// Never [`Comparison::Equal`].
        comparison: Comparison,
        /// Per second.
        limit: f64,
    },
    /// The most requests that were out at the end of any second: exact.
    InFlight {
        /// Any.
        comparison: Comparison,
        /// How many.
        limit: u64,
    },
    /// Gaps of streams longer than [`STALL_NS`]: exact.
    Stalls {
        /// Any.
        comparison: Comparison,
        /// How many.
        limit: u64,
    },
    /// What faults did to a journey, the worst of those meant: as it was in this run.
    Impact {
        /// Which figure.
        figure: ImpactFigure,
        /// [`Comparison::Below`] or [`Comparison::AtMost`].
        comparison: Comparison,
        /// In the unit of the figure.
        limit: f64,
    },
    /// Arrivals of the whole run that the generator gave up: exact.
    Dropped {
        /// Any.
        comparison: Comparison,
        /// How many.
        limit: u64,
    },
}

impl Rule {
    /// How the number is to stand to its bound.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        match self {
            Self::Quantile { comparison, .. }
            | Self::Max { comparison, .. }
            | Self::Share { comparison, .. }
            | Self::Count { comparison, .. }
            | Self::AchievedRate { comparison, .. }
            | Self::Rate { comparison, .. }
            | Self::InFlight { comparison, .. }
            | Self::Stalls { comparison, .. }
            | Self::Impact { comparison, .. }
            | Self::Dropped { comparison, .. } => *comparison,
        }
    }

    /// The latency that it is put on, if it is.
    #[must_use]
    pub fn measure(&self) -> Option<Measure> {
        match self {
            Self::Quantile { measure, .. } | Self::Max { measure, .. } => Some(*measure),
            Self::Stalls { .. } => Some(Measure::Gap),
            _ => None,
        }
    }
}

/// A figure of what faults did to a journey, or of how soon they were told; see [`resilience`](crate::resilience).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImpactFigure {
    /// Time from the end of the last fault until it was back, in nanoseconds.
    Recovery,
    /// Largest fall of the share of requests answered well and in time, between 0 and 1.
    Depth,
    /// Good answers that there would have been, had all been as usual.
    Lost,
    /// Times as fast as would use up the error budget exactly.
    Burn,
    /// Time from the beginning of a fault until an alert told of it, in nanoseconds; see [`alerts`](crate::alerts).
    Detection,
}

impl ImpactFigure {
    /// Each with its word.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Recovery, "recovery"),
        (Self::Depth, "depth"),
        (Self::Lost, "lost"),
        (Self::Burn, "burn"),
        (Self::Detection, "detection"),
    ];
}

/// How a number is to stand to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

impl Comparison {
    /// Each with its sign.
    pub const ALL: [(Self, &'static str); 5] =
        [(Self::Below, "<"), (Self::AtMost, "<="), (Self::Equal, "="), (Self::AtLeast, ">="), (Self::Above, ">")];

    /// Whether a number that stands so to its bound is within.
    #[must_use]
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Below => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::AtLeast => ordering.is_ge(),
            Self::Above => ordering.is_gt(),
        }
    }

    /// Whether the bound is from above: `<`, `<=` and `=`.
    #[must_use]
    pub fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost | Self::Equal)
    }
}

/// Requests that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Every request, those refused by an intended limit too.
    Requests,
    /// Full or degraded.
    Good,
    /// Neither good nor refused by an intended limit.
    Errors,
    /// One class.
    Class(Outcome),
}

impl Group {
    /// Whether a request of this class belongs to it.
    #[must_use]
    pub fn holds(self, outcome: Outcome) -> bool {
        match self {
            Self::Requests => true,
            Self::Good => outcome.is_good(),
            Self::Errors => outcome.is_error(),
            Self::Class(class) => outcome == class,
        }
    }

    /// Whether a request of this class is in the denominator of the group's share: intended limits are left out, unless they are asked for.
    #[must_use]
    pub fn is_share_of(self, outcome: Outcome) -> bool {
        outcome != Outcome::Limited || self == Self::Class(Outcome::Limited)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Requests => "requests",
            Self::Good => "good",
            Self::Errors => "errors",
            Self::Class(class) => class.name(),
        })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
