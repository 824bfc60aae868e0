//! The journal of a run: every write that was sent, and what the target said to it, one JSON line each, in the order of the events.
//!
//! Written as `journal.ndjson` while the run goes on, so that a killed run leaves it too. A write without an answer stays `sent`: it may
//! have landed, but only once.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One event of one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When, in nanoseconds since clock zero.
    pub at_ns: u64,
    /// Number of the user who owns the record, and can read it back.
    pub owner: u32,
    /// What is written.
    pub kind: RecordKind,
    /// What the record is known by in lists; a write puts it into what it sends. Unique among the owner's records of this kind.
    pub reference: String,
    /// What happened.
    pub event: JournalEvent,
    /// The record's id, once it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Id of the trip that an item or a share belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Number of the user that a trip is shared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<u32>,
    /// Digest of the acknowledged content, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Status of a booking, as acknowledged or seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The provider's confirmation of a booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A trip.
    Trip,
    /// A booking.
    Booking,
    /// An item of a trip's itinerary.
    Item,
    /// The right of another user to a trip.
    Share,
    /// A question with its answer, in a chat session of its own.
    Chat,
}

/// What happened to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalEvent {
    /// A new record is about to be sent.
    Sent,
    /// The target said that it has it.
    Acknowledged,
    /// The target said that it has it not, or it was never reached.
    Refused,
    /// A change of the record is about to be sent.
    ChangeSent,
    /// The target said that it has the change.
    ChangeAcknowledged,
    /// The target said that it has it not, or it was never reached.
    ChangeRefused,
    /// Its owner read it, and was shown this status.
    Seen,
    /// Its owner read it after an acknowledged write, and was shown what was there before.
    Stale,
}

impl RecordKind {
    /// Its name, as in the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trip => "trip",
            Self::Booking => "booking",
            Self::Item => "item",
            Self::Share => "share",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
