//! What went wrong on purpose: the faults of a run, when each was really on, and what it touched.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a fault was on, in nanoseconds since the run's clock zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultWindow {
    /// First instant.
    pub from_ns: u64,
    /// First instant after it.
    pub to_ns: u64,
}

/// How a fault came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultEnd {
    /// The driver lifted it at its time and read back that it is gone.
    Lifted,
    /// The driver lifted it early, because the run was stopped, and read back that it is gone.
    LiftedEarly,
    /// Nobody renewed it in time, so its lease ended it.
    LeaseExpired,
    /// It was never on; `error` says why.
    NeverOn,
    /// It could not be lifted, or could not be seen to be gone.
    LeftBehind,
}

/// What a fault touched, counted by the link while it was on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultEffect {
    /// Connections on which it took hold (or that it refused or cut).
    pub connections: u64,
    /// Chunks of bytes delayed, dropped or cut.
    pub chunks: u64,
    /// Bytes in those chunks.
    pub bytes: u64,
    /// Sum of the delays added, in microseconds.
    pub delayed_us: u64,
    /// Requests that it hit, of a fault that acts on single requests; older records have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// Connections that the driver tried while the link refused them, all refused: those of others the kernel does not count. 0 in older
    /// records.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub probes_refused: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a fault did to a part of the target, as the system shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartEffect {
    /// The part, such as `service`.
    pub part: String,
    /// What shows that the fault happened and that it ended, in words: process ids, states, limits and times as read from the system.
    pub proof: String,
    /// When undoing it began, in nanoseconds since the run's clock zero. From then until the end of the window, the part took its own
    /// time, for example to start. `None` when it never was on.
    pub undone_from_ns: Option<u64>,
    /// How many it hit (connections, statements, probes: the proof says which); `None` when there is nothing to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
}

/// One fault of the timeline: as planned, and as it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultRecord {
    /// Unique name within the run, such as `mcp.flights latency`.
    pub name: String,
    /// The link it acts on; empty for a fault on a part of the target.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// The part of the target that it acts on, and what it did there; `None` for a fault on a link, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartEffect>,
    /// Its kind, such as `latency`.
    pub kind: String,
    /// All of it in one line for people: "latency 1.5s ± 100ms downstream, every connection".
    pub description: String,
    /// When it was meant to be on.
    pub planned: FaultWindow,
    /// When it was really on, measured; `None` when it never was.
    pub window: Option<FaultWindow>,
    /// How it ended.
    pub end: FaultEnd,
    /// What it touched; `None` when the link cannot count (a foreign proxy), and for a fault on a part.
    pub effect: Option<FaultEffect>,
    /// What went wrong with the fault itself.
    pub error: Option<String>,
}
