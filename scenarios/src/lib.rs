//! What to run: scenario files, the plan, and the program `harness`.
//!
//! ```text
//! scenario file ─▶ Scenario ─▶ Plan ─▶ Stack (child processes) ─▶ load + chaos ─▶ run folder ─▶ verdict ─▶ exit code
//! ```
mod calibration;
pub mod cli;
pub mod command;
mod digest;
pub mod exit;
mod export;
mod hosts;
mod import;
mod live;
pub mod monitoring;
pub mod output;
pub mod plan;
mod progress;
mod record;
mod recorded;
pub mod scenario;
mod signals;
mod stack;
