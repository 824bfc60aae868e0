//! Which requests are meant: of which step or journey, and in which part of the run.
use crate::record::{Phase, PhaseKind, StepInfo};
use std::{fmt, str::FromStr};

/// Whose requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every request.
    All,
    /// Every request of one journey.
    Journey(String),
    /// One step.
    Step(String),
}

impl Scope {
    /// Finds a step or, failing that, a journey of this name.
    #[must_use]
    pub fn named(name: &str, steps: &[StepInfo]) -> Option<Self> {
        if steps.iter().any(|step| step.name == name) {
            return Some(Self::Step(name.to_owned()));
        }
        steps.iter().any(|step| step.journey == name).then(|| Self::Journey(name.to_owned()))
    }

    /// Whether a step belongs to it.
    #[must_use]
    pub fn holds(&self, step: &StepInfo) -> bool {
        match self {
            Self::All => true,
            Self::Journey(journey) => step.journey == *journey,
            Self::Step(name) => step.name == *name,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("all"),
            Self::Journey(name) | Self::Step(name) => f.pad(name),
        }
    }
}

/// Which part of the run, by the instant at which a request was due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// Everything but the warm-up, written `run`: what is judged when nothing else is said.
    Run,
    /// Every phase of a kind, such as `during`.
    Kind(PhaseKind),
    /// The one phase of this label, such as `during-2`.
    Label(String),
    /// Every phase in which the fault of this name was on. Cannot be written in a gate.
    WhileFault(String),
    /// Everything, the warm-up too. Cannot be written in a gate.
    Everything,
}

impl Window {
    /// Whether a phase belongs to it.
    #[must_use]
    pub fn holds(&self, phase: &Phase) -> bool {
        match self {
            Self::Run => phase.kind != PhaseKind::WarmUp,
            Self::Kind(kind) => phase.kind == *kind,
            Self::Label(label) => phase.label == *label,
            Self::WhileFault(fault) => phase.faults.contains(fault),
            Self::Everything => true,
        }
    }

    /// How long it is, in nanoseconds.
    #[must_use]
    pub fn length_ns(&self, phases: &[Phase]) -> u64 {
        phases.iter().filter(|phase| self.holds(phase)).map(|phase| phase.to_ns.saturating_sub(phase.from_ns)).sum()
    }
}

impl FromStr for Window {
    type Err = std::convert::Infallible;

    /// `run`, a kind of phase, or else the label of one phase. A kind's own word means all of that kind.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match (text, text.parse()) {
            ("run", _) => Self::Run,
            (_, Ok(kind)) => Self::Kind(kind),
            (label, Err(())) => Self::Label(label.to_owned()),
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.pad("run"),
            Self::Kind(kind) => f.pad(kind.name()),
            Self::Label(label) => f.pad(label),
            Self::WhileFault(fault) => f.pad(fault),
            Self::Everything => f.pad("everything"),
        }
    }
}
