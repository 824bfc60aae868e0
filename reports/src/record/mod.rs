//! The run record: what a run leaves on disk, and the only place that defines it.
//!
//! The generator hands in [`Sample`]s, the chaos driver [`FaultRecord`]s; everything that is judged or drawn is read back from the folder.
pub mod arrivals;
mod calibration;
mod condition;
mod fault;
pub mod folder;
mod journal;
mod live;
mod machine;
mod measures;
mod meter;
mod metrics;
mod oracle;
mod outcome;
mod phase;
mod point;
mod recorder;
pub mod regression;
mod run;
mod sample;
pub mod store;
mod variant;

pub use calibration::{Calibration, ClockFigures, KEPT_LAG_NS, KEPT_SHARE, QuantileError, RateTrial, SceneResult};
pub use condition::{Aspect, Condition, Difference, conditions, differences, obstacles};
pub use fault::{FaultEffect, FaultEnd, FaultRecord, FaultWindow, PartEffect};
pub use folder::RunFolder;
pub use journal::{JournalEntry, JournalEvent, RecordKind};
pub use live::{LiveSecond, Place, Round, Watcher};
pub use machine::Machine;
pub use measures::Interval;
pub use meter::{ArrivalFit, CutOff, HostUse, Meter, ModelKind, Scatter, WarmUp};
pub use metrics::{Labels, MetricSeries, MetricValue, Metrics, Monitoring, PromtoolAnswer, parse_selector};
pub use oracle::{EXAMPLES_MAX, Oracle, Violation, ViolationExample};
pub use outcome::Outcome;
pub use phase::{Phase, PhaseKind, cut, warm_up_until};
pub use point::{Commit, Point, PointFigure};
pub use recorder::{DIGITS, LONGEST_NS, Recorder, SECOND_NS, SecondCounts, histogram};
pub use regression::{CycleHead, GateEnd, GateFolder, GateHead, GateRules, Program};
pub use run::{
    Counts, FORMAT, FeederRecord, GeneratorHealth, LoadRecord, MixEntry, Origin, ProcessUsage, RecordedArrivals, Run,
    RunEnd, RunId, ScenarioText, StepInfo, Target,
};
pub use sample::{Connecting, Measure, Sample, Stream};
pub use variant::Variant;
