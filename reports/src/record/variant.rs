//! The two that a regression gate compares.
use serde::{Deserialize, Serialize};

/// One of the two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// What is known: the main branch, or the last release.
    Baseline,
    /// What is judged.
    Candidate,
}
