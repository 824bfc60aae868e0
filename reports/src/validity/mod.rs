//! Whether the measurement can be trusted at all: one named check per file, each with its figure and its threshold.
//!
//! A run that fails any of them is invalid, whatever its gates say; a few only put a label on it. Source: measurement.md D3.
mod arrivals;
mod check;
mod clock;
mod conservation;
mod faults_happened;
mod faults_lifted;
pub(crate) mod growth;
mod headroom;
mod host;
mod littles_law;
pub(crate) mod mix;
mod record_whole;
mod samples;
pub(crate) mod schedule;
mod target;
pub(crate) mod warm_up;
mod writes_verified;

pub use check::{Check, CheckOutcome, check_all};
