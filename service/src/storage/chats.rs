//! Chat sessions and their messages.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Error, Storage,
    row::{Row, Value, json},
};
use crate::domain::{
    agent::Agent,
    chat::{HISTORY_MESSAGES_MAX, Message, Role, recent},
    chat_session::{ENDED_LIFE, IDLE_LIFE, Session, StoredMessage},
    known::Known,
    page::{Page, Slice},
};

/// A session as a turn needs it.
pub(crate) struct Conversation {
    pub(crate) has_ended: bool,
    /// Who answers in it at present.
    pub(crate) agent: Agent,
    /// Since the last recovery.
    pub(crate) errors: u32,
    pub(crate) known: Known,
    /// The newest messages that fit the model's context, oldest first.
    pub(crate) history: Vec<Message>,
}

impl Storage {
    /// A session of that user with its history, but for the message `without`.
    pub(crate) async fn conversation(
        &self,
        id: Uuid,
        user_id: Uuid,
        without: Option<Uuid>,
    ) -> Result<Option<Conversation>, Error> {
        let mut connection = self.read().await?;
        let row = connection
            .fetch_optional(
                "SELECT agent, errors, known, ended_at FROM chat_sessions WHERE id = $1 AND user_id = $2",
                &[id.into(), user_id.into()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let rows = connection
            .fetch_all(
                "SELECT id, role, content FROM chat_messages WHERE session_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
                &[id.into(), i64::from(HISTORY_MESSAGES_MAX).into()],
            )
            .await?;
        let mut messages = Vec::with_capacity(rows.len());
        for row in rows {
            if Some(row.id("id")?) != without {
                messages.push(Message { role: row.parsed("role", Role::named)?, content: row.text("content")? });
            }
        }
        Ok(Some(Conversation {
            has_ended: row.optional_instant("ended_at")?.is_some(),
            agent: row.parsed("agent", Agent::named)?,
            errors: u32::try_from(row.integer("errors")?).unwrap_or_default(),
            known: row.optional_json("known")?.unwrap_or_default(),
            history: recent(messages),
        }))
    }

    /// Stores a new session.
    pub(crate) async fn create_session(&self, session: &Session, user_id: Uuid) -> Result<(), Error> {
        let metadata = session.metadata.as_ref().map_or(Value::OptionalText(None), json);
        let trip_id = session.trip_id.map(|id| id.to_string());
        self.write_once(
            "INSERT INTO chat_sessions (id, user_id, agent, title, metadata, trip_id, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
            &[
                session.id.into(),
                user_id.into(),
                session.agent.as_str().into(),
                session.title.as_deref().into(),
                metadata,
                trip_id.as_deref().into(),
                session.created_at.into(),
            ],
        )
        .await
        .map(drop)
    }

    /// The sessions of that user that were used last, newest first.
    pub(crate) async fn sessions(&self, user_id: Uuid, limit: u32) -> Result<Vec<Session>, Error> {
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all(
                "SELECT id, title, metadata, trip_id, agent, created_at, updated_at, ended_at, \
                   (SELECT COUNT(*) FROM chat_messages WHERE session_id = chat_sessions.id) AS message_count, \
                   (SELECT MAX(created_at) FROM chat_messages WHERE session_id = chat_sessions.id) AS last_message_at \
                 FROM chat_sessions WHERE user_id = $1 ORDER BY updated_at DESC LIMIT $2",
                &[user_id.into(), i64::from(limit).into()],
            )
            .await?;
        rows.iter().map(session).collect()
    }

    /// A slice of the messages of a session of that user, oldest first.
    pub(crate) async fn messages(
        &self,
        session_id: Uuid,
        user_id: Uuid,
        slice: Slice,
    ) -> Result<Option<Page<StoredMessage>>, Error> {
        let mut connection = self.read().await?;
        let count = connection
            .fetch_optional(
                "SELECT (SELECT COUNT(*) FROM chat_messages WHERE session_id = chat_sessions.id) AS total \
                 FROM chat_sessions WHERE id = $1 AND user_id = $2",
                &[session_id.into(), user_id.into()],
            )
            .await?;
        let Some(count) = count else { return Ok(None) };
        let rows = connection
            .fetch_all(
                "SELECT id, role, content, metadata, created_at FROM chat_messages WHERE session_id = $1 \
                 ORDER BY created_at, id LIMIT $2 OFFSET $3",
                &[session_id.into(), i64::from(slice.limit).into(), i64::from(slice.skip).into()],
            )
            .await?;
        Ok(Some(Page {
            items: rows.iter().map(message).collect::<Result<_, _>>()?,
            total: u64::try_from(count.integer("total")?).unwrap_or_default(),
            skip: slice.skip,
            limit: slice.limit,
        }))
    }

    /// Ends a session of that user, unless it has ended already; none when there is no such session.
    pub(crate) async fn end_session(&self, id: Uuid, user_id: Uuid, now: Timestamp) -> Result<Option<Session>, Error> {
        let mut transaction = self.write().await?;
        transaction
            .execute(
                "UPDATE chat_sessions SET ended_at = $1, updated_at = $1 WHERE id = $2 AND user_id = $3 AND ended_at IS NULL",
                &[now.into(), id.into(), user_id.into()],
            )
            .await?;
        let row = transaction
            .fetch_optional(
                "SELECT id, title, metadata, trip_id, agent, created_at, updated_at, ended_at, \
                   (SELECT COUNT(*) FROM chat_messages WHERE session_id = chat_sessions.id) AS message_count, \
                   (SELECT MAX(created_at) FROM chat_messages WHERE session_id = chat_sessions.id) AS last_message_at \
                 FROM chat_sessions WHERE id = $1 AND user_id = $2",
                &[id.into(), user_id.into()],
            )
            .await?;
        transaction.commit().await?;
        row.map(|row| session(&row)).transpose()
    }

    /// Ends sessions that have been idle for long, and deletes those that ended long ago.
    pub(super) async fn purge_chats(&self, now: Timestamp) -> Result<u64, Error> {
        let ended = self
            .write_in_steps(
                "UPDATE chat_sessions SET ended_at = $1 WHERE id IN \
                 (SELECT id FROM chat_sessions WHERE ended_at IS NULL AND updated_at < $2 LIMIT 50)",
                &[now.into(), (now - IDLE_LIFE).into()],
            )
            .await?;
        // Their messages go with them.
        let deleted = self
            .write_in_steps(
                "DELETE FROM chat_sessions WHERE id IN (SELECT id FROM chat_sessions WHERE ended_at < $1 LIMIT 50)",
                &[(now - ENDED_LIFE).into()],
            )
            .await?;
        Ok(ended + deleted)
    }
}

fn session(row: &Row) -> Result<Session, Error> {
    let trip_id = row.optional_text("trip_id")?.map(|id| id.parse().map_err(|_| Error::Corrupt { column: "trip_id" }));
    Ok(Session {
        id: row.id("id")?,
        title: row.optional_text("title")?,
        metadata: row.optional_json("metadata")?,
        trip_id: trip_id.transpose()?,
        agent: row.parsed("agent", Agent::named)?,
        message_count: u64::try_from(row.integer("message_count")?).unwrap_or_default(),
        last_message_at: row.optional_instant("last_message_at")?,
        created_at: row.instant("created_at")?,
        updated_at: row.instant("updated_at")?,
        ended_at: row.optional_instant("ended_at")?,
    })
}

fn message(row: &Row) -> Result<StoredMessage, Error> {
    Ok(StoredMessage {
        id: row.id("id")?,
        role: row.parsed("role", Role::named)?,
        content: row.text("content")?,
        tool_calls: row.optional_json("metadata")?.unwrap_or_default(),
        created_at: row.instant("created_at")?,
    })
}
