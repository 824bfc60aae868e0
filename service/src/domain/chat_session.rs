//! Chat sessions: conversations that go on from turn to turn until they end.

use garde::Validate;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    agent::Agent,
    chat::{Role, ToolUse},
};

/// A session without a turn for so long has ended.
pub(crate) const IDLE_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// A session that ended so long ago is deleted.
pub(crate) const ENDED_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
const METADATA_BYTES_MAX: usize = 8_192;

/// A request for a new session.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionDraft {
    #[serde(default)]
    #[garde(length(chars, min = 1, max = 200))]
    pub(crate) title: Option<String>,
    /// The client's own notes; kept as given, at most 8 KiB as JSON.
    #[serde(default)]
    #[garde(custom(is_short))]
    #[schema(value_type = Option<Object>)]
    pub(crate) metadata: Option<Map<String, Value>>,
    /// The trip that it is about; it must be visible to the user.
    #[serde(default)]
    #[garde(skip)]
    pub(crate) trip_id: Option<Uuid>,
}

/// A session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) metadata: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trip_id: Option<Uuid>,
    /// Who answers in it at present.
    pub(crate) agent: Agent,
    pub(crate) message_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_message_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// When it ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Timestamp>,
}

/// A message as it is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StoredMessage {
    pub(crate) id: Uuid,
    pub(crate) role: Role,
    pub(crate) content: String,
    /// What tools were used for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_calls: Vec<ToolUse>,
    pub(crate) created_at: Timestamp,
}

impl SessionDraft {
    /// The session it becomes.
    pub(crate) fn into_session(self, id: Uuid, now: Timestamp) -> Session {
        Session {
            id,
            title: self.title,
            metadata: self.metadata,
            trip_id: self.trip_id,
            agent: Agent::General,
            message_count: 0,
            last_message_at: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
        }
    }
}

#[expect(clippy::ref_option, reason = "the signature is garde's")]
fn is_short(metadata: &Option<Map<String, Value>>, (): &()) -> garde::Result {
    let bytes = metadata.as_ref().map_or(0, |metadata| Value::from(metadata.clone()).to_string().len());
    if bytes > METADATA_BYTES_MAX { Err(garde::Error::new("is longer than 8192 bytes")) } else { Ok(()) }
}
