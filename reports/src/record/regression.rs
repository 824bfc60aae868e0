//! What a regression gate leaves on disk, beside the runs of both variants in each of its cycles.
//!
//! ```text
//! runs/2026-11-23T09-14-02Z-7f3a/     (`….partial` until the gate has ended)
//!   gate.json                 the head: what was compared, how, where, and how each cycle went
//!   scenario.toml             the scenario as read
//!   cycle-01/baseline/        the run of each variant, as any other run's folder
//!   cycle-01/candidate/
//! ```
use super::{
    Machine, RunId, ScenarioText, Variant,
    folder::{Error, write_file},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Version of the gate folder's format that this build writes and reads.
pub const GATE_FORMAT: u32 = 1;

const GATE: &str = "gate.json";
const SCENARIO: &str = "scenario.toml";

/// One of the two programs that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// How it was named, such as a path, a URL or a revision.
    pub name: String,
    /// What it says of itself; empty when it says nothing.
    pub version: String,
}

/// The head of a regression gate's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateHead {
    /// Version of the format, [`GATE_FORMAT`] for what this build writes.
    pub format: u32,
    /// Its name.
    pub id: RunId,
    /// Version of the program that ran it.
    pub harness_version: String,
    /// The scenario whose load both variants were under.
    pub scenario: ScenarioText,
    /// Of schedule, labels and order of starting. Cycle k, counted from 0, has the schedule of this seed plus k.
    pub seed: u64,
    /// What is known.
    pub baseline: Program,
    /// What is judged.
    pub candidate: Program,
    /// Arrivals per second of both together.
    pub rate_per_second: f64,
    /// Part of each cycle, from its start, that is not compared, in nanoseconds.
    pub warm_up_ns: u64,
    /// Measured part of each cycle, in nanoseconds.
    pub cycle_ns: u64,
    /// How it decides.
    pub rules: GateRules,
    /// The machine that ran generator and, unless they are URLs, both variants.
    pub machine: Machine,
    /// Wall-clock time at the start, in RFC 3339.
    pub at: String,
    /// Every cycle that was begun, in order.
    pub cycles: Vec<CycleHead>,
    /// How it ended.
    pub end: GateEnd,
}

/// How a gate decides, as it was asked to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRules {
    /// Chance of error on either side, over all looks.
    pub alpha: f64,
    /// Cycles of a gate that looks once; `None` looks after 8, 12, 16, 24 and 32.
    pub fixed_cycles: Option<usize>,
    /// What a failed request counts for, in nanoseconds.
    pub timeout_ns: u64,
    /// Share by which a latency may be worse, whatever its percentile; `None` is the usual margin of each.
    pub margin: Option<f64>,
    /// Steps that are compared, beside all requests together.
    pub steps: Vec<String>,
}

/// How a cycle went, beside what its runs measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CycleHead {
    /// Which variant was started first, by a seeded coin.
    pub first: Variant,
    /// Whether both variants were started for it.
    pub is_restarted: bool,
    /// Why it measured nothing; its runs may then be missing.
    pub broken: Option<String>,
}

/// How a gate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateEnd {
    /// It made as many cycles as it needed, or as it had planned.
    Completed,
    /// The next look could not be reached in the time that it may take.
    OutOfTime,
    /// Somebody stopped it; also the state of one that still runs.
    Interrupted,
}

/// The folder of one cycle, counted from 0, below that of its gate.
#[must_use]
pub fn cycle_folder(gate: &Path, cycle_index: usize) -> PathBuf {
    gate.join(format!("cycle-{:02}", cycle_index + 1))
}

/// The name of a variant's run in the folder of its cycle.
#[must_use]
pub fn arm_name(variant: Variant) -> &'static str {
    match variant {
        Variant::Baseline => "baseline",
        Variant::Candidate => "candidate",
    }
}

/// Whether a folder is that of a gate.
#[must_use]
pub fn is_gate(folder: &Path) -> bool {
    folder.join(GATE).is_file()
}

/// A gate's folder that is being written.
#[derive(Debug)]
pub struct GateFolder {
    partial: PathBuf,
    finished: PathBuf,
}

impl GateFolder {
    /// Makes the folder under a temporary name; a gate that is killed stays readable.
    ///
    /// # Errors
    /// When the folder or its first files cannot be written.
    pub fn create(root: &Path, head: &GateHead, scenario: &str) -> Result<Self, Error> {
        let finished = root.join(head.id.as_str());
        let partial = root.join(format!("{}.partial", head.id));
        fs::create_dir_all(&partial).map_err(|source| Error::Write { path: partial.clone(), source })?;
        let folder = Self { partial, finished };
        write_file(&folder.partial.join(SCENARIO), scenario.as_bytes())?;
        folder.write_head(head)?;
        Ok(folder)
    }

    /// Where the folder is now.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Writes the head again, with what is known by now.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_head(&self, head: &GateHead) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(head).expect("a head has only text keys");
        text.push(b'\n');
        write_file(&self.partial.join(GATE), &text)
    }

    /// Gives the folder its final name.
    ///
    /// # Errors
    /// When the head cannot be written or the folder cannot be renamed; it then stays under its temporary name.
    pub fn finish(self, head: &GateHead) -> Result<PathBuf, Error> {
        self.write_head(head)?;
        let renamed = fs::rename(&self.partial, &self.finished);
        renamed.map_err(|source| Error::Write { path: self.finished.clone(), source })?;
        Ok(self.finished)
    }
}

/// Reads the head of a gate.
///
/// # Errors
/// When the file cannot be read, is not a head, or has another format.
pub fn read_gate(folder: &Path) -> Result<GateHead, Error> {
    let path = folder.join(GATE);
    let text = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let head: GateHead = serde_json::from_slice(&text).map_err(|source| Error::Head { path: path.clone(), source })?;
    if head.format == GATE_FORMAT {
        return Ok(head);
    }
    let found = format!("format {}, this program reads {GATE_FORMAT}", head.format);
    Err(Error::Read { path, source: io::Error::new(io::ErrorKind::InvalidData, found) })
}
