//! How a figure went from commit to commit, and where it changed.
//!
//! The gate is the fast detector; this is the slow and accurate one, which needs eight to ten points after a change. Pure.
//! Source: measurement.md C.
pub mod change_point;
pub mod critical;
mod stored;
mod taking;
pub mod trend;
pub mod two_samples;

pub use stored::{StoredMetric, stored_metrics, what_it_is_worth};
pub use taking::{Untrusted, take};
