//! What reading every acknowledged write back has shown.
use super::RecordKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Violations of each kind that are kept with their details; all of them are counted.
pub const EXAMPLES_MAX: usize = 5;

/// What the data oracle found: whether the target kept what it had acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Oracle {
    /// Writes that the target acknowledged, changes included.
    pub acknowledged: u64,
    /// Of those, read back by their owner after the load.
    pub verified: u64,
    /// Writes without a known outcome (time-out, broken connection, error of the server): each may exist, once.
    pub unknown: u64,
    /// Of those, new records that were found to exist.
    pub landed: u64,
    /// Chats that were sent: no list shows what was said in them, so that a second one, or one that was not answered, is not looked for.
    /// 0 in records of before.
    #[serde(default)]
    pub unlisted: u64,
    /// Writes of chats that are among `unknown`: whether they landed is not looked for. 0 in records of before.
    #[serde(default)]
    pub unlisted_unknown: u64,
    /// Events that did not reach the journal.
    pub journal_lost: u64,
    /// How many times each promise was broken; promises that held are left out.
    pub violations: BTreeMap<Violation, u64>,
    /// The first few of each.
    pub examples: Vec<ViolationExample>,
    /// How long reading back took, in nanoseconds.
    pub took_ns: u64,
    /// Why not everything was read back; `None` when it was.
    pub incomplete: Option<String>,
}

/// A broken promise about data, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// Acknowledged, and not there.
    Lost,
    /// Sent once, and there twice.
    Duplicated,
    /// There, and never sent, or refused.
    Invented,
    /// There, with content that was never acknowledged.
    Changed,
    /// There, with content from before the last acknowledged change, after the load or in a user's own read.
    Stale,
    /// A booking that says it is booked, without a provider's confirmation.
    Unconfirmed,
    /// A booking that fell behind a status which its owner had been shown, or has another confirmation.
    Reverted,
    /// Acknowledged, or a list, and answered again and again with neither it nor that it is not there, while other reads worked.
    Unreadable,
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ViolationExample {
    /// Which promise.
    pub violation: Violation,
    /// What kind of record.
    pub kind: RecordKind,
    /// Number of the user who owns it.
    pub owner: u32,
    /// What it is known by.
    pub reference: String,
    /// Its id, or ids, where known.
    pub ids: Vec<String>,
    /// The status with which it was answered, where that is what is wrong; not in records of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Oracle {
    /// Whether a promise about data was broken.
    #[must_use]
    pub fn is_violated(&self) -> bool {
        self.violations.values().any(|count| *count > 0)
    }

    /// How often a promise was broken.
    #[must_use]
    pub fn count(&self, violation: Violation) -> u64 {
        self.violations.get(&violation).copied().unwrap_or(0)
    }

    /// Counts a broken promise, and keeps it if it is one of the first.
    pub fn add(&mut self, example: ViolationExample) {
        let count = self.violations.entry(example.violation).or_default();
        *count += 1;
        if *count <= EXAMPLES_MAX as u64 {
            self.examples.push(example);
        }
    }
}

impl Violation {
    /// Every one, worst first.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Duplicated,
        Self::Invented,
        Self::Changed,
        Self::Stale,
        Self::Unconfirmed,
        Self::Reverted,
        Self::Unreadable,
    ];

    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Invented => "invented",
            Self::Changed => "changed",
            Self::Stale => "stale",
            Self::Unconfirmed => "unconfirmed",
            Self::Reverted => "reverted",
            Self::Unreadable => "unreadable",
        }
    }
}
