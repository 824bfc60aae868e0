//! Which requests are meant: of which step or journey, and in which part of the run.
use crate::record::{Phase, PhaseKind, SECOND_NS, StepInfo};
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

    /// What it is: `all`, `journey` or `step`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Journey(_) => "journey",
            Self::Step(_) => "step",
        }
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
    /// Every second from one to before another, such as `10s..30s`, whatever the phase. Only gates can ask for it.
    Span {
        /// First second, from clock zero.
        from_s: u64,
        /// First second after it.
        to_s: u64,
    },
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
            Self::Span { .. } => self.overlap_ns(phase, u64::MAX) > 0,
            Self::WhileFault(fault) => phase.faults.contains(fault),
            Self::Everything => true,
        }
    }

    /// Whether what was due in a second of a phase that belongs to it does.
    #[must_use]
    pub fn holds_second(&self, second: u64) -> bool {
        match self {
            Self::Span { from_s, to_s } => (*from_s..*to_s).contains(&second),
            _ => true,
        }
    }

    /// How long it is, in nanoseconds.
    #[must_use]
    pub fn length_ns(&self, phases: &[Phase]) -> u64 {
        self.length_until_ns(phases, u64::MAX)
    }

    /// How much of it lies before an instant, in nanoseconds.
    #[must_use]
    pub fn length_until_ns(&self, phases: &[Phase], end_ns: u64) -> u64 {
        phases.iter().filter(|phase| self.holds(phase)).map(|phase| self.overlap_ns(phase, end_ns)).sum()
    }

    fn overlap_ns(&self, phase: &Phase, end_ns: u64) -> u64 {
        let (from_ns, to_ns) = match self {
            Self::Span { from_s, to_s } => (from_s.saturating_mul(SECOND_NS), to_s.saturating_mul(SECOND_NS)),
            _ => (0, u64::MAX),
        };
        phase.to_ns.min(to_ns).min(end_ns).saturating_sub(phase.from_ns.max(from_ns))
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
            Self::Span { from_s, to_s } => f.pad(&format!("{from_s}s..{to_s}s")),
            Self::WhileFault(fault) => f.pad(fault),
            Self::Everything => f.pad("everything"),
        }
    }
}
