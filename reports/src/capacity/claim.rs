//! What a search proves: a rate that is sustained, a rate that is too much, and nothing about those between.
use super::{
    search::{Purpose, Trial},
    violation::Judgement,
};
use crate::number;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The result of a search: an interval, and how it came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Highest rate that was confirmed, in requests per second; `None` when none was.
    pub sustained_per_second: Option<f64>,
    /// Lowest rate that was proven to be too much, in requests per second; `None` when none was.
    pub violated_per_second: Option<f64>,
    /// Highest rate that one trial kept, which is no claim, in requests per second.
    pub kept_once_per_second: Option<f64>,
    /// Why the search ended.
    pub end: End,
    /// Every trial, in order.
    pub tried: Vec<Tried>,
}

/// One trial, and what came out of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// What was asked for.
    pub trial: Trial,
    /// What came out of it.
    pub result: TrialResult,
    /// The level that decided, in words, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a trial proves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialResult {
    /// It can be trusted.
    Judged(Judgement),
    /// It cannot; why.
    Invalid(String),
}

/// Why a search ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The limit lies within the interval.
    Resolved,
    /// The highest rate that the generator can be trusted with was kept: the target's limit is above it.
    GeneratorLimit,
    /// Not even the lowest rate was kept.
    NothingKept,
    /// A rate could not be measured: its trials were invalid.
    Unmeasurable {
        /// The rate, in requests per second.
        rate_per_second: f64,
        /// The check that failed.
        reason: String,
    },
    /// The trials or the time allowed were used up before the limit was found to 2 %.
    OutOfBudget,
    /// Whoever ran the trials stopped early.
    #[default]
    Stopped,
}

impl Claim {
    /// The time under load of every trial together, without warm-ups.
    #[must_use]
    pub fn load(&self) -> Duration {
        self.tried.iter().map(|tried| tried.trial.length).sum()
    }

    /// The claim in one sentence, which says no more than is proven.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (self.sustained_per_second, self.violated_per_second) {
            (Some(kept), Some(too_much)) => format!(
                "sustains at least {} (confirmed); proven to violate at {}; between: not resolved",
                number::rate(kept),
                number::rate(too_much)
            ),
            (Some(kept), None) => {
                format!("sustains at least {} (confirmed); no rate was proven to violate", number::rate(kept))
            }
            (None, Some(too_much)) => {
                format!("no rate was confirmed{}; proven to violate at {}", self.once(), number::rate(too_much))
            }
            (None, None) => format!("no rate was confirmed{}, and none was proven to violate", self.once()),
        }
    }

    fn once(&self) -> String {
        let once = |rate| format!(" ({} was kept in one trial, which is not proof)", number::rate(rate));
        self.kept_once_per_second.map(once).unwrap_or_default()
    }

    /// Why the search ended, in one sentence, and what would show more.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.end {
            End::Resolved if self.violated_per_second.is_none() => {
                "The trials above the claim neither keep nor violate the level for certain; longer trials would."
                    .to_owned()
            }
            End::Resolved => "The limit lies in this interval; longer trials would narrow it.".to_owned(),
            End::GeneratorLimit => {
                "The generator could not be trusted with more: the limit of the target is higher. A faster \
                                    machine, or several, would find it."
                    .to_owned()
            }
            End::NothingKept => "Not even the lowest rate of the search kept the level.".to_owned(),
            End::Unmeasurable { rate_per_second, reason } => {
                format!("{} could not be measured: {reason}.", number::rate(*rate_per_second))
            }
            End::OutOfBudget => {
                "The search used up its trials or its time; more of them would narrow the interval.".to_owned()
            }
            End::Stopped => "The search was stopped before it was done.".to_owned(),
        }
    }

    /// Confirmations that failed: how often the search had claimed too much for a moment.
    #[must_use]
    pub fn failed_confirmations(&self) -> usize {
        let confirmations = self.tried.iter().filter(|tried| tried.trial.purpose == Purpose::Confirm).count();
        confirmations - usize::from(self.sustained_per_second.is_some() && confirmations > 0)
    }
}
