//! Whether a candidate is slower than a baseline: the statistics behind a regression gate, from cycles to a verdict.
//!
//! ```text
//! cycles ─▶ series: one difference per cycle and metric ─▶ signed rank, shift ─▶ Holm ─▶ finding ─▶ judgement (at each look)
//!                                                                                     self-checks ─┘
//! ```
//! The unit of replication is the cycle: both variants freshly started, warmed up, and loaded by one schedule whose requests a balanced
//! coin sends to either. Everything here is pure: it reads no clock, no file and no random source.
//! Source: measurement.md B.
pub mod cycle;
pub mod finding;
pub mod judgement;
pub mod metric;
pub mod percentile;
pub mod settings;

pub mod holm;
pub mod sequential;
pub mod shift;
pub mod signed_rank;

pub mod checks;
pub mod power;

pub mod past;
pub mod read;
pub mod stored;

pub mod self_test;

pub mod comparison;
