//! The head of a run's record: everything but the measures. Written as `run.json`.
use super::{Calibration, FaultRecord, Machine, Meter, Monitoring, Oracle, Phase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Version of the run folder's format that this build writes. Older ones are read where they are listed in [`Run::read_from`](super::folder::read_run).
pub const FORMAT: u32 = 1;

/// The name of a run, and of its folder: wall-clock start and a short random part, such as `2026-11-23T09-14-02Z-7f3a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Builds the name from the second at which the run was started (Unix time) and any number that tells two runs of one second apart.
    #[must_use]
    pub fn new(started_unix_seconds: i64, salt: u16) -> Self {
        let started = jiff::Timestamp::from_second(started_unix_seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(format!("{}-{salt:04x}", started.strftime("%Y-%m-%dT%H-%M-%SZ")))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RunId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// The record of one execution, without its measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of the format, [`FORMAT`] for what this build writes.
    pub format: u32,
    /// Its name.
    pub id: RunId,
    /// Version of the program that ran it.
    pub harness_version: String,
    /// The scenario as read.
    pub scenario: ScenarioText,
    /// Seed of every random decision.
    pub seed: u64,
    /// Where the load was sent, and what ran there.
    pub target: Target,
    /// The machine that ran it.
    pub machine: Machine,
    /// Wall-clock instant of the run's clock zero, RFC 3339 in UTC. Every other instant of the record is in nanoseconds since it.
    pub clock_zero: String,
    /// How long the load was planned to last, in nanoseconds.
    pub planned_ns: u64,
    /// When the last answer was in, in nanoseconds.
    pub finished_ns: u64,
    /// How it ended.
    pub end: RunEnd,
    /// The load, as planned and as it went.
    pub load: LoadRecord,
    /// The phases, in order, without gaps.
    pub phases: Vec<Phase>,
    /// The steps, in the order of their index.
    pub steps: Vec<StepInfo>,
    /// The faults, in the order of their planned start.
    pub faults: Vec<FaultRecord>,
    /// The gates as written in the scenario.
    pub gates: Vec<String>,
    /// What the generator itself used.
    pub generator: GeneratorHealth,
    /// What it noted beside the samples; empty in older records.
    #[serde(default)]
    pub meter: Meter,
    /// The last calibration of this machine; `None` when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Whether the target kept what it had acknowledged; `None` when that was not checked.
    #[serde(default)]
    pub oracle: Option<Oracle>,
    /// How the target was watched by its own metrics and alerts; `None` when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<Monitoring>,
}

/// The scenario that was run, as read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioText {
    /// Its name: the file's name without `.toml`.
    pub name: String,
    /// Its first line for people.
    pub title: String,
    /// SHA-256 of the text, in hexadecimal digits.
    pub digest: String,
    /// What was changed by flags, such as `--rate 50/s`; empty when nothing.
    pub overrides: Vec<String>,
    /// The data files that its journeys took rows from; empty when there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeders: Vec<FeederRecord>,
}

/// A data file that journeys took rows from. With the seed, it decides what arrival k asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederRecord {
    /// Its name in the scenario.
    pub name: String,
    /// The file, as the scenario names it.
    pub file: String,
    /// In which order its rows were taken: `sequential`, `shuffled` or `random`.
    pub order: String,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
}

/// Where the load was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Base URL that the generator used.
    pub url: String,
    /// Whether the harness started it.
    pub is_bundled: bool,
    /// The child processes of a bundled target, with what they used while the load ran.
    pub processes: Vec<ProcessUsage>,
    /// Settings of a bundled target that differ from the defaults.
    pub settings: BTreeMap<String, String>,
}

/// What one process used between the first and the last request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// Its part in the stack: `service`, `providers`, `links`.
    pub name: String,
    /// User and system time, in seconds of one CPU.
    pub cpu_seconds: f64,
    /// Largest resident set seen, in bytes.
    pub rss_max_bytes: u64,
    /// Why it ended before the run did; `None` when it lived to the end.
    pub died: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// The whole plan was carried out.
    Completed,
    /// Somebody stopped it (Ctrl-C, SIGTERM).
    Interrupted,
    /// A gate that may abort the run did not hold.
    Aborted {
        /// The gate as written.
        rule: String,
        /// When the run was told to end, in nanoseconds since clock zero.
        at_ns: u64,
    },
    /// It could not go on; why.
    Broken(String),
}

/// The load, as planned and as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadRecord {
    /// One line for people, such as `open, poisson 25/s, ramp 5s`.
    pub description: String,
    /// How users were connected, such as `HTTP/1.1, one connection per user`; empty in older records.
    #[serde(default)]
    pub connection: String,
    /// Virtual users: the size of the pool (open) or the population (closed).
    pub users: u32,
    /// Journeys with the weight that the scenario gave them, and how often each arrived.
    pub mix: Vec<MixEntry>,
    /// What became of the planned arrivals.
    pub counts: Counts,
    /// What it takes to plan it again; empty in older records.
    #[serde(default)]
    pub origin: Origin,
}

/// What it takes, beside scenario, flags and seed, to plan the same load again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Day of the plan, to which dates in payloads are relative, such as `2026-11-23`.
    pub day: String,
    /// Digest of the plan: of every due time, journey and fault.
    pub plan: String,
    /// Folder of the scenario file, to which the files that it names are relative.
    pub folder: String,
    /// Where recorded arrivals came from; `None` for other models. A copy of them is in the run's folder.
    pub recorded: Option<RecordedArrivals>,
}

/// Arrivals read from a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedArrivals {
    /// The file, or the earlier run.
    pub source: String,
    /// SHA-256 of the file in hexadecimal digits, or the digest of the earlier run's plan.
    pub digest: String,
    /// How many there are.
    pub count: u64,
    /// How they were read, for people.
    pub note: String,
}

/// One journey of the mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixEntry {
    /// The journey.
    pub journey: String,
    /// Its weight relative to the others.
    pub weight: u32,
    /// How often it arrived.
    pub arrivals: u64,
}

/// What became of the requests. `offered = completed + dropped + unfinished`; `lost` samples are missing from the measures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Arrivals in the plan.
    pub planned: u64,
    /// Arrivals that became due before the run ended; each begins a journey of one or more requests.
    pub arrived: u64,
    /// Requests that became due before the run ended, later steps of journeys included.
    pub offered: u64,
    /// Requests whose outcome is known, timeouts and failed connections included.
    pub completed: u64,
    /// Arrivals given up by the generator because its queue was full.
    pub dropped: u64,
    /// Requests still without an outcome when the run was ended.
    pub unfinished: u64,
    /// Of the unfinished, arrivals that were never sent.
    pub unsent: u64,
    /// Samples that did not reach the recorder.
    pub lost: u64,
}

/// One request of a journey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Its name, such as `flights.search`.
    pub name: String,
    /// The journey that it belongs to, such as `flight-search`.
    pub journey: String,
    /// Whether its answer is a stream of events.
    pub is_streamed: bool,
}

impl StepInfo {
    /// What the measures of a step are tagged with: its name, and its journey where several journeys have a step of that name, as in
    /// `flights.search@traveller`.
    #[must_use]
    pub fn tag(&self, steps: &[Self]) -> String {
        let is_shared = steps.iter().any(|other| other.name == self.name && other.journey != self.journey);
        if is_shared { format!("{}@{}", self.name, self.journey) } else { self.name.clone() }
    }
}

/// What the generator itself used, to tell its own limits from the target's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorHealth {
    /// User and system time between the first and the last request, in seconds of one CPU.
    pub cpu_seconds: f64,
    /// Largest resident set, in bytes.
    pub rss_max_bytes: u64,
    /// Largest difference seen between the monotonic and the wall clock's advance, in nanoseconds: a suspended or stepped clock.
    pub clock_jump_ns: u64,
    /// Connections that it could not open, because the machine had no local port or file descriptor left.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unopened: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}
