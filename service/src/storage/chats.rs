//! Chat sessions and their messages.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Error, Storage,
    row::{Value, json},
};
use crate::domain::{
    agent::Agent,
    chat::{HISTORY_MESSAGES_MAX, Message, Role, ToolResult, recent},
};

/// A session as a turn needs it.
pub(crate) struct Session {
    /// Who answers in it at present.
    pub(crate) agent: Agent,
}

/// The begin of a turn: what the user said.
pub(crate) struct NewTurn<'a> {
    pub(crate) session_id: Uuid,
    pub(crate) user_id: Uuid,
    /// Whether the session begins with this turn.
    pub(crate) is_new_session: bool,
    pub(crate) agent: Agent,
    pub(crate) content: &'a str,
    pub(crate) now: Timestamp,
}

/// The end of a turn: what was answered, and by whom.
pub(crate) struct FinishedTurn<'a> {
    pub(crate) message_id: Uuid,
    pub(crate) session_id: Uuid,
    pub(crate) agent: Agent,
    pub(crate) content: &'a str,
    pub(crate) tool_calls: &'a [ToolResult],
    pub(crate) now: Timestamp,
}

impl Storage {
    /// The session, if it is that user's and has not ended.
    pub(crate) async fn session(&self, id: Uuid, user_id: Uuid) -> Result<Option<Session>, Error> {
        let mut connection = self.read().await?;
        let row = connection
            .fetch_optional(
                "SELECT agent FROM chat_sessions WHERE id = $1 AND user_id = $2 AND ended_at IS NULL",
                &[id.into(), user_id.into()],
            )
            .await?;
        row.map(|row| Ok(Session { agent: row.parsed("agent", Agent::named)? })).transpose()
    }

    /// The newest messages of a session that fit the model's context, oldest first.
    pub(crate) async fn history(&self, session_id: Uuid) -> Result<Vec<Message>, Error> {
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all(
                "SELECT role, content FROM chat_messages WHERE session_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
                &[session_id.into(), i64::from(HISTORY_MESSAGES_MAX).into()],
            )
            .await?;
        let messages: Result<Vec<_>, Error> = rows
            .iter()
            .map(|row| Ok(Message { role: row.parsed("role", Role::named)?, content: row.text("content")? }))
            .collect();
        Ok(recent(messages?))
    }

    /// Stores what the user said, and the session when it is new, all or nothing.
    pub(crate) async fn begin_turn(&self, turn: NewTurn<'_>) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let session = [turn.session_id.into(), turn.user_id.into(), turn.agent.as_str().into(), turn.now.into()];
        if turn.is_new_session {
            transaction
                .execute(
                    "INSERT INTO chat_sessions (id, user_id, agent, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
                    &session,
                )
                .await?;
        }
        let values = [Uuid::now_v7().into(), turn.session_id.into(), turn.content.into(), turn.now.into()];
        transaction
            .execute(
                "INSERT INTO chat_messages (id, session_id, role, content, created_at) VALUES ($1, $2, 'user', $3, $4)",
                &values,
            )
            .await?;
        transaction.commit().await
    }

    /// Stores what was answered, and which agent the session is with.
    pub(crate) async fn finish_turn(&self, turn: FinishedTurn<'_>) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let metadata = if turn.tool_calls.is_empty() { Value::OptionalText(None) } else { json(&turn.tool_calls) };
        transaction
            .execute(
                "INSERT INTO chat_messages (id, session_id, role, content, metadata, created_at) VALUES ($1, $2, 'assistant', $3, $4, $5)",
                &[turn.message_id.into(), turn.session_id.into(), turn.content.into(), metadata, turn.now.into()],
            )
            .await?;
        transaction
            .execute(
                "UPDATE chat_sessions SET agent = $1, updated_at = $2 WHERE id = $3",
                &[turn.agent.as_str().into(), turn.now.into(), turn.session_id.into()],
            )
            .await?;
        transaction.commit().await
    }
}
