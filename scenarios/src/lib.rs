//! What to run: scenario files, the plan, and the program `harness`.
//!
//! ```text
//! scenario file ─▶ Scenario ─▶ Plan ─▶ Stack (child processes) ─▶ load + chaos ─▶ run folder ─▶ verdict ─▶ exit code
//! ```
mod calibration;
mod capacity;
pub mod cli;
pub mod command;
mod commit;
mod digest;
pub mod exit;
mod export;
pub mod gate;
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
pub mod stored;
