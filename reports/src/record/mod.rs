//! The run record: what a run leaves on disk, and the only place that defines it.
//!
//! The generator hands in [`Sample`]s, the chaos driver [`FaultRecord`]s; everything that is judged or drawn is read back from the folder.
mod fault;
pub mod folder;
mod machine;
mod meter;
mod outcome;
mod phase;
mod recorder;
mod run;
mod sample;

pub use fault::{FaultEffect, FaultEnd, FaultRecord, FaultWindow};
pub use folder::{Interval, RunFolder};
pub use machine::Machine;
pub use meter::{ArrivalFit, CutOff, HostUse, Meter, ModelKind, Scatter, WarmUp};
pub use outcome::Outcome;
pub use phase::{Phase, PhaseKind, cut, warm_up_until};
pub use recorder::{DIGITS, LONGEST_NS, Recorder, SECOND_NS, SecondCounts, histogram};
pub use run::{
    Counts, FORMAT, GeneratorHealth, LoadRecord, MixEntry, ProcessUsage, Run, RunEnd, RunId, ScenarioText, StepInfo,
    Target,
};
pub use sample::{Measure, Sample, Stream};
