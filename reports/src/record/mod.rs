//! The run record: what a run leaves on disk, and the only place that defines it.
//!
//! The generator hands in [`Sample`]s, the chaos driver [`FaultRecord`]s; everything that is judged or drawn is read back from the folder.
pub mod arrivals;
mod fault;
pub mod folder;
mod machine;
mod outcome;
mod phase;
mod recorder;
mod run;
mod sample;

pub use fault::{FaultEffect, FaultEnd, FaultRecord, FaultWindow};
pub use folder::{Interval, RunFolder};
pub use machine::Machine;
pub use outcome::Outcome;
pub use phase::{Phase, PhaseKind, cut};
pub use recorder::{DIGITS, LONGEST_NS, Recorder, SECOND_NS, SecondCounts, histogram};
pub use run::{
    Counts, FORMAT, GeneratorHealth, LoadRecord, MixEntry, Origin, ProcessUsage, RecordedArrivals, Run, RunEnd, RunId,
    ScenarioText, StepInfo, Target,
};
pub use sample::{Connecting, Measure, Sample, Stream};
