//! One file per command; each returns how the program ends.
mod calibrate;
mod capacity;
mod execute;
mod import;
mod plan;
mod readiness;
mod replay;
mod report;
mod run;
mod scenario;
mod serve;

pub use execute::execute;
pub(crate) use report::find as find_run;
