//! What became of a request: the classes that every sample falls into.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The class of one answer, decided by looking into it, not by its status alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything that was asked for, from live or fresh data.
    Full,
    /// Less than was asked for, and the answer says so (`meta.degraded`).
    Degraded,
    /// Refused by an intended rate limit (429).
    Limited,
    /// Refused because the service protects itself (503, shed).
    Shed,
    /// The service says that something it depends on failed (502, 503, 504).
    DependencyError,
    /// No complete answer before the client's own deadline.
    Timeout,
    /// The connection failed: refused, reset, closed in the middle, not HTTP.
    Transport,
    /// An answer that cannot be right: bad schema, wrong values, unexpected status, broken stream.
    Wrong,
    /// A degraded answer that does not say that it is degraded.
    Undeclared,
}

impl Outcome {
    /// Every class, best first; the order of tables and stacks.
    pub const ALL: [Self; 9] = [
        Self::Full,
        Self::Degraded,
        Self::Limited,
        Self::Shed,
        Self::DependencyError,
        Self::Timeout,
        Self::Transport,
        Self::Wrong,
        Self::Undeclared,
    ];

    /// The class as written in files, flags and gates.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Degraded => "degraded",
            Self::Limited => "limited",
            Self::Shed => "shed",
            Self::DependencyError => "dependency_error",
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::Wrong => "wrong",
            Self::Undeclared => "undeclared",
        }
    }

    /// Whether the user got an answer to use: full, or less and said so.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Full | Self::Degraded)
    }

    /// Whether it counts as an error: everything but good answers and intended rate limits.
    #[must_use]
    pub fn is_error(self) -> bool {
        !self.is_good() && self != Self::Limited
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Outcome {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == text).ok_or(())
    }
}
