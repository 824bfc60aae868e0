//! What a check says, and the list of all of them.
use super::{
    arrivals, clock, conservation, faults_happened, faults_lifted, growth, headroom, host, littles_law, mix,
    record_whole, samples, schedule, target, warm_up, writes_verified,
};
use crate::{record::Run, summary::Summary};
use schemars::JsonSchema;
use serde::Serialize;

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// As it must be.
    Pass,
    /// Not as it must be: the run is invalid.
    Fail,
    /// Not as one would like it: a label on the run, which stays valid.
    Warn,
    /// There was nothing to check.
    NotApplicable,
}

/// One check of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What is checked, in words.
    pub name: &'static str,
    /// What became of it.
    pub outcome: CheckOutcome,
    /// What was seen.
    pub figure: String,
    /// What is required.
    pub threshold: String,
}

impl Check {
    /// Whether it says that nothing can be trusted.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.outcome == CheckOutcome::Fail
    }

    /// A check that passes when a condition holds.
    pub(crate) fn new(name: &'static str, passes: bool, figure: String, threshold: impl Into<String>) -> Self {
        let outcome = if passes { CheckOutcome::Pass } else { CheckOutcome::Fail };
        Self { name, outcome, figure, threshold: threshold.into() }
    }

    /// A check that is only a label when its condition does not hold.
    pub(crate) fn label(name: &'static str, passes: bool, figure: String, threshold: impl Into<String>) -> Self {
        let outcome = if passes { CheckOutcome::Pass } else { CheckOutcome::Warn };
        Self { outcome, ..Self::new(name, passes, figure, threshold) }
    }

    /// A check that has nothing to look at.
    pub(crate) fn not_applicable(name: &'static str, why: &str, threshold: impl Into<String>) -> Self {
        Self { name, outcome: CheckOutcome::NotApplicable, figure: why.to_owned(), threshold: threshold.into() }
    }
}

/// Every check, in the order in which they are shown.
const CHECKS: [fn(&Run, &Summary) -> Check; 17] = [
    record_whole::check,
    samples::check,
    conservation::check,
    littles_law::since_due,
    littles_law::since_sent,
    schedule::check,
    arrivals::check,
    mix::check,
    warm_up::check,
    growth::check,
    headroom::check,
    host::check,
    clock::check,
    target::check,
    faults_happened::check,
    faults_lifted::check,
    writes_verified::check,
];

/// What a check says that needs more than an older record has.
pub(super) const NOT_NOTED: &str = "not noted in this record";

/// Makes every check.
#[must_use]
pub fn check_all(run: &Run, summary: &Summary) -> Vec<Check> {
    CHECKS.iter().map(|check| check(run, summary)).collect()
}
