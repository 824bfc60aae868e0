//! The search for the highest rate that keeps a service level: which trial comes next, and what the trials prove together.
//!
//! ```text
//! ramp (×1.5 up, or down) ─▶ bisect to 2 % ─▶ confirm (twice as long, 20 windows; −3 % and again on failure) ─▶ claim
//!                                                                 └▶ prove: what is too much, where no trial has shown that yet
//! ```
//! Pure: whoever runs the trials asks [`Search::next`] and answers with [`Search::observe`].
//! Source: measurement.md D2; of 60 s trials against M/M/1, 3 % of such searches claim too much, and the median claims 0.96 of the truth.
use super::{
    claim::{Claim, End, TrialResult, Tried},
    violation::{Finding, Judgement, judge},
};
use crate::proportion::Tally;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much faster each trial of the ramp is than the one before.
const RAMP: f64 = 1.5;
/// Bisection ends when the lowest rate that was not kept is at most this many times the highest that was.
const RESOLUTION: f64 = 1.02;
/// What is left of the rate after a confirmation that failed.
const RETREAT: f64 = 0.97;
/// How much faster each trial is that looks for a rate that is proven to be too much.
const PROOF: f64 = 1.05;
/// Trials that look for it.
const MOST_PROOFS: u32 = 3;
/// Windows of a trial, and of a confirmation.
const WINDOWS: usize = 10;
const CONFIRM_WINDOWS: usize = 20;
/// How much longer a confirmation is.
const CONFIRM_LENGTH: u32 = 2;
/// How often a trial is made that turns out to be invalid.
const ATTEMPTS: u32 = 2;

/// What a search is to find, and what it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Rate of the first trial, in requests per second.
    pub start_per_second: f64,
    /// Below this nothing is worth finding, in requests per second.
    pub lowest_per_second: f64,
    /// Most that the generator can be trusted with, in requests per second: half of what it keeps against an empty server.
    pub highest_per_second: f64,
    /// Share of the requests that may violate the service level, above 0 and below 1: 0.01 for a p99. Trials that were judged already do not
    /// need it.
    pub allowed_share: f64,
    /// Length of a trial without its warm-up; confirmations take twice as long.
    #[serde(with = "crate::units::duration")]
    pub trial: Duration,
    /// Most trials, confirmations included; at least 2.
    pub most_trials: u32,
    /// Longest time under load without warm-ups; at least three trials.
    #[serde(with = "crate::units::duration")]
    pub most_load: Duration,
}

/// Why a search cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Error {
    /// The three rates are not positive, finite and in order.
    #[error(
        "the rates of a search must be positive and in order: lowest {lowest}/s, start {start}/s, highest {highest}/s"
    )]
    Rates {
        /// Lowest rate.
        lowest: f64,
        /// First rate.
        start: f64,
        /// Highest rate.
        highest: f64,
    },
    /// The share is not one that a quantile leaves.
    #[error("the share of requests that may violate the service level must lie between 0 and 1, and is {0}")]
    Share(f64),
    /// There is not even time for one trial and its confirmation.
    #[error("a search needs at least 2 trials and three times the length of one, which must not be 0")]
    Budget,
}

/// One stretch of load at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Requests per second.
    pub rate_per_second: f64,
    /// How long to measure, after the warm-up.
    #[serde(with = "crate::units::duration")]
    pub length: Duration,
    /// Windows of equal length to cut that time into.
    pub windows: usize,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a trial is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To find rates on both sides of the limit.
    Ramp,
    /// To bring them closer together.
    Bisect,
    /// To make sure of the claim.
    Confirm,
    /// To find a rate that is proven to be too much.
    Prove,
}

/// What came out of a trial.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// It can be trusted.
    Measured {
        /// Requests that violated the level, and all of them, by the window in which they were due.
        windows: Vec<Tally>,
        /// Whether requests piled up for certain, see [`Growth`](crate::steady::Growth).
        is_growing: bool,
    },
    /// It can be trusted, and was judged by whoever ran it, because there is more than one level.
    Judged {
        /// What it proves.
        judgement: Judgement,
        /// The level that decided, in words.
        by: String,
    },
    /// It cannot: which check failed.
    Invalid(String),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Ramp,
    Bisect,
    Confirm { end: End },
    Prove { left: u32 },
    Done(End),
}

/// A search, between two trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    settings: Settings,
    stage: Stage,
    rate: f64,
    attempts: u32,
    /// Highest rate that one trial kept, and lowest that one did not; the proofs are not among them.
    kept: Option<f64>,
    not_kept: Option<f64>,
    claim: Claim,
}

impl Search {
    /// A search that has not begun.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let Settings { lowest_per_second: lowest, start_per_second: start, highest_per_second: highest, .. } = settings;
        if !(lowest > 0.0 && lowest <= start && start <= highest && highest.is_finite()) {
            return Err(Error::Rates { lowest, start, highest });
        }
        if !(settings.allowed_share > 0.0 && settings.allowed_share < 1.0) {
            return Err(Error::Share(settings.allowed_share));
        }
        let least = settings.trial.saturating_mul(1 + CONFIRM_LENGTH);
        if settings.trial.is_zero() || settings.most_trials < 2 || settings.most_load < least {
            return Err(Error::Budget);
        }
        Ok(Self {
            settings,
            stage: Stage::Ramp,
            rate: start,
            attempts: 0,
            kept: None,
            not_kept: None,
            claim: Claim::default(),
        })
    }

    /// The trial to make now; `None` when the search is over. Does not change until it is answered by [`observe`](Self::observe).
    #[must_use]
    pub fn next(&self) -> Option<Trial> {
        let (purpose, length, windows) = match &self.stage {
            Stage::Ramp => (Purpose::Ramp, self.settings.trial, WINDOWS),
            Stage::Bisect => (Purpose::Bisect, self.settings.trial, WINDOWS),
            Stage::Confirm { .. } => (Purpose::Confirm, self.confirmation(), CONFIRM_WINDOWS),
            Stage::Prove { .. } => (Purpose::Prove, self.settings.trial, WINDOWS),
            Stage::Done(_) => return None,
        };
        Some(Trial { rate_per_second: self.rate, length, windows, purpose })
    }

    /// Takes what came out of the trial that [`next`](Self::next) asked for. After the end of the search nothing is taken.
    pub fn observe(&mut self, observed: Observed) {
        let Some(trial) = self.next() else { return };
        match observed {
            Observed::Measured { windows, is_growing } => {
                let mut judgement = judge(&windows, self.settings.allowed_share);
                if is_growing && judgement.finding != Finding::Violated {
                    judgement.finding = Finding::Growing;
                }
                self.take(trial, judgement, None);
            }
            Observed::Judged { judgement, by } => self.take(trial, judgement, Some(by)),
            Observed::Invalid(reason) => {
                self.attempts += 1;
                self.claim.tried.push(Tried { trial, result: TrialResult::Invalid(reason.clone()), by: None });
                if self.attempts >= ATTEMPTS {
                    self.give_up(reason);
                }
            }
        }
        self.keep_to_budget();
    }

    /// What is proven so far; final when [`next`](Self::next) is `None`.
    #[must_use]
    pub fn finish(mut self) -> Claim {
        self.claim.kept_once_per_second = self.kept;
        self.claim.end = match self.stage {
            Stage::Done(end) => end,
            _ => End::Stopped,
        };
        self.claim
    }

    fn take(&mut self, trial: Trial, judgement: Judgement, by: Option<String>) {
        self.attempts = 0;
        self.claim.tried.push(Tried { trial, result: TrialResult::Judged(judgement), by });
        if judgement.finding.is_proof_against() {
            self.claim.violated_per_second =
                Some(self.claim.violated_per_second.map_or(self.rate, |lowest| lowest.min(self.rate)));
        }
        self.advance(judgement.finding);
    }

    fn advance(&mut self, finding: Finding) {
        let is_kept = finding == Finding::Kept;
        match self.stage.clone() {
            Stage::Ramp | Stage::Bisect => {
                if is_kept {
                    self.kept = Some(self.rate)
                } else {
                    self.not_kept = Some(self.rate)
                }
                self.narrow();
            }
            Stage::Confirm { end } if is_kept => {
                self.claim.sustained_per_second = Some(self.rate);
                let top = self.not_kept.unwrap_or(self.rate);
                match self.claim.violated_per_second {
                    None if end == End::Resolved && top < self.settings.highest_per_second => {
                        self.prove(top, MOST_PROOFS)
                    }
                    _ => self.stage = Stage::Done(end),
                }
            }
            Stage::Confirm { end } => {
                self.not_kept = Some(self.not_kept.map_or(self.rate, |lowest| lowest.min(self.rate)));
                // A rate that failed is a limit of the target, whatever ended the search for it.
                let end = if end == End::GeneratorLimit { End::Resolved } else { end };
                match self.rate * RETREAT {
                    lower if lower >= self.settings.lowest_per_second => self.rate = lower,
                    _ if self.rate > self.settings.lowest_per_second => self.rate = self.settings.lowest_per_second,
                    _ => return self.stage = Stage::Done(End::NothingKept),
                }
                self.stage = Stage::Confirm { end };
            }
            Stage::Prove { left } => match self.claim.violated_per_second {
                None if left > 1 && self.rate < self.settings.highest_per_second => self.prove(self.rate, left - 1),
                _ => self.stage = Stage::Done(End::Resolved),
            },
            Stage::Done(_) => {}
        }
    }

    /// The next rate while the limit is looked for.
    fn narrow(&mut self) {
        let Settings { lowest_per_second: lowest, highest_per_second: highest, .. } = self.settings;
        match (self.kept, self.not_kept) {
            (Some(kept), Some(not_kept)) if not_kept / kept <= RESOLUTION => self.confirm(End::Resolved),
            (Some(kept), Some(not_kept)) => (self.stage, self.rate) = (Stage::Bisect, (kept * not_kept).sqrt()),
            (Some(kept), None) if kept >= highest => self.confirm(End::GeneratorLimit),
            (Some(kept), None) => self.rate = (kept * RAMP).min(highest),
            (None, Some(not_kept)) if not_kept <= lowest => self.stage = Stage::Done(End::NothingKept),
            (None, Some(not_kept)) => self.rate = (not_kept / RAMP).max(lowest),
            (None, None) => {}
        }
    }

    /// Goes on to the confirmation of the highest rate that was kept.
    fn confirm(&mut self, end: End) {
        self.attempts = 0;
        match self.kept {
            Some(kept) => (self.stage, self.rate) = (Stage::Confirm { end }, kept),
            None => self.stage = Stage::Done(end),
        }
    }

    fn prove(&mut self, above: f64, left: u32) {
        self.rate = (above * PROOF).min(self.settings.highest_per_second);
        self.stage = Stage::Prove { left };
    }

    /// After as many invalid trials at one rate as are made.
    fn give_up(&mut self, reason: String) {
        let end = End::Unmeasurable { rate_per_second: self.rate, reason };
        match self.stage {
            Stage::Ramp | Stage::Bisect => self.confirm(end),
            Stage::Confirm { .. } => self.stage = Stage::Done(end),
            Stage::Prove { .. } => self.stage = Stage::Done(End::Resolved),
            Stage::Done(_) => {}
        }
    }

    /// Goes straight to the confirmation while there is still time for it, and ends when there is not.
    fn keep_to_budget(&mut self) {
        if matches!(self.stage, Stage::Ramp | Stage::Bisect) {
            let reserve = if self.kept.is_some() { (1, self.confirmation()) } else { (0, Duration::ZERO) };
            if !self.affords(1 + reserve.0, self.settings.trial + reserve.1) {
                self.confirm(End::OutOfBudget);
            }
        }
        match &self.stage {
            Stage::Confirm { .. } if !self.affords(1, self.confirmation()) => {
                self.stage = Stage::Done(End::OutOfBudget)
            }
            Stage::Prove { .. } if !self.affords(1, self.settings.trial) => self.stage = Stage::Done(End::Resolved),
            _ => {}
        }
    }

    fn affords(&self, trials: usize, load: Duration) -> bool {
        self.claim.tried.len() + trials <= self.settings.most_trials as usize
            && self.claim.load() + load <= self.settings.most_load
    }

    fn confirmation(&self) -> Duration {
        self.settings.trial.saturating_mul(CONFIRM_LENGTH)
    }
}
