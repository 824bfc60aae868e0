//! What a run leaves: its record, its verdict, its pages.
//!
//! ```text
//! run folder ─▶ record ─▶ summary ─▶ validity, gate ─▶ verdict ─▶ story ─▶ render ─▶ report.html, report.md, summary.json
//! ```
pub mod number;
pub mod record;
pub mod units;

pub mod distribution;
pub mod proportion;

pub mod gate;
pub mod oracle;
pub mod resilience;
pub mod steady;
pub mod summary;
pub mod validity;

pub mod history;
pub mod regression;

pub mod delta;

pub mod calibration;
pub mod capacity;

pub mod alerts;

pub mod verdict;

pub mod story;

pub mod report;

pub mod matrix;

pub mod readiness;

pub mod render;
