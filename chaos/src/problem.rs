//! What can be wrong with the faults of a scenario, and how it is said.
use std::{ops::Range, time::Duration};

use reports::units::format_duration;

use crate::{fault, forward::Protocol};

/// A lease shorter than this cannot be renewed in time on a busy machine.
pub(crate) const SHORTEST_LEASE: Duration = Duration::from_millis(100);

/// A mistake in the faults of a scenario, and where it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    /// What is wrong.
    #[source]
    pub problem: Problem,
    /// The bytes of the scenario file that say it.
    pub span: Range<usize>,
}

/// What is wrong with a fault of a scenario.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is no such link.
    #[error("there is no link `{link}`{}; the links are {}", suggestion(nearest), known.join(", "))]
    UnknownLink {
        /// As written.
        link: String,
        /// The known name that is most like it, if one is alike.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// There is no such part.
    #[error("there is no part `{part}`{}; the parts are {}", suggestion(nearest), known.join(", "))]
    UnknownPart {
        /// As written.
        part: String,
        /// The known name that is most like it, if one is alike.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// The part is there, but the fault acts on others.
    #[error("`{kind}` acts on another part: {parts}")]
    OtherPart {
        /// The kind of fault.
        kind: &'static str,
        /// The parts that it acts on.
        parts: String,
    },
    /// It says on what it acts not at all, or twice.
    #[error(
        "a fault names one `link`, such as \"mcp.flights\", or several `links`, or one `part`, such as \"service\""
    )]
    OnePlace,
    /// A fault on parts was given a link.
    #[error("`{kind}` acts on a part of the target, not on a link: write part = \"{part}\"")]
    NeedsPart {
        /// The kind of fault.
        kind: &'static str,
        /// The part that it acts on.
        part: &'static str,
    },
    /// A fault on links was given a part.
    #[error("`{kind}` acts on a link, not on a part of the target: write link = \"client\" for the one to the service")]
    NeedsLink {
        /// The kind of fault.
        kind: &'static str,
    },
    /// Clients crowd the link to the service.
    #[error("`{kind}` crowds the service: it acts on the link `client`")]
    NeedsClient {
        /// The kind of fault.
        kind: &'static str,
    },
    /// A part, or a crowd, is touched as a whole.
    #[error("`{kind}` has no `share`, `direction` or `connections`: leave them out")]
    IsWhole {
        /// The kind of fault.
        kind: &'static str,
    },
    /// Two faults are on the same part at the same time.
    #[error("the fault overlaps `{other}`, which is on the same part")]
    PartOverlap {
        /// The fault that begins first.
        other: String,
    },
    /// It lasts no time.
    #[error("a fault that lasts no time does nothing")]
    ZeroLength,
    /// It begins or ends after the run has ended.
    #[error("the fault is on until {}, but the run ends at {}", format_duration(*off), format_duration(*run))]
    OutsideRun {
        /// When the fault would go off.
        off: Duration,
        /// How long the run is.
        run: Duration,
    },
    /// The same kind of fault is on the same link and direction at the same time.
    #[error("the fault overlaps `{other}`, which is the same kind of fault on the same link")]
    Overlap {
        /// The fault that begins first.
        other: String,
    },
    /// Two faults have the same name.
    #[error("there are two faults named `{name}`; names must differ, and the default is \"<link or part> <kind>\"")]
    SameName {
        /// The name.
        name: String,
    },
    /// The share is not in (0, 1].
    #[error("the share is {share}, but must be above 0 and at most 1")]
    Share {
        /// As written.
        share: f64,
    },
    /// New connections are refused as a whole.
    #[error("`{kind}` acts on the whole link: leave `share`, `direction` and `connections` out")]
    WholeLink {
        /// The kind of the fault.
        kind: &'static str,
    },
    /// The link does not speak what the fault breaks.
    #[error("faults of {protocol} requests act on links named `{protocol}` or `{protocol}.…`, which `{link}` is not")]
    OtherProtocol {
        /// What the fault breaks.
        protocol: Protocol,
        /// The link as written.
        link: String,
    },
    /// A rule acts on requests with their answers, whatever carries them.
    #[error("a fault of requests chooses `requests`: leave `direction` and `connections` out")]
    RequestsAreNoBytes,
    /// Bytes are no requests.
    #[error("only faults of requests (`mcp`, `llm`) choose `requests`")]
    BytesAreNoRequests,
    /// The numbers contradict one another.
    #[error("no request is meant: `nth`, `first` and `every` contradict one another")]
    NoRequest,
    /// Both directions are touched anyway.
    #[error("`{kind}` acts on both directions: leave `direction` out")]
    BothDirections {
        /// The kind of the fault.
        kind: &'static str,
    },
    /// The lease could not be renewed in time.
    #[error("the lease is {}, but must be at least {}", format_duration(*lease), format_duration(SHORTEST_LEASE))]
    ShortLease {
        /// As written.
        lease: Duration,
    },
    /// The settings of the fault cannot be brought about.
    #[error(transparent)]
    Fault(#[from] fault::Error),
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
