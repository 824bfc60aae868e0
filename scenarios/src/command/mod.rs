//! One file per command; each returns how the program ends.
mod baseline;
mod calibrate;
mod capacity;
mod compare;
mod execute;
mod export;
mod faults;
mod gate;
mod history;
mod import;
mod matrix;
mod outputs;
mod plan;
mod readiness;
mod replay;
mod report;
mod run;
mod scenario;
mod serve;

pub use execute::execute;
pub(crate) use report::find as find_run;
