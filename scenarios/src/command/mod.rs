//! One file per command; each returns how the program ends.
mod calibrate;
mod execute;
mod export;
mod faults;
mod import;
mod matrix;
mod plan;
mod replay;
mod report;
mod run;
mod scenario;
mod serve;

pub use execute::execute;
pub(crate) use report::find as find_run;
