//! Turns of a chat: what the user said, and what came of it.
//!
//! A turn with an idempotency key has a row of its own: `running` until it is `done` or `failed`. One whose service died
//! stays `running`; it counts as failed after the longest time that a turn takes. A failed turn may be taken again, and
//! is then the same turn: its user message is not stored twice.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Error, Storage,
    connection::Connection,
    idempotency::{Claim, IdempotencyKey, KEY_LIFE, claim, standing},
    row::{Value, json},
};
use crate::domain::{
    agent::Agent,
    chat::{ChatAnswer, ToolUse},
    known::Known,
};

/// The operation of the idempotency keys here.
const OPERATION: &str = "chat.turn";

/// The begin of a turn.
pub(crate) struct NewTurn<'a> {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) session_id: Uuid,
    /// Who answers, when the session begins with this turn.
    pub(crate) new_session: Option<Agent>,
    /// What the user said, unless it is not to be kept or is kept already.
    pub(crate) message: Option<NewMessage<'a>>,
    /// The client's name for the turn.
    pub(crate) key: Option<IdempotencyKey<'a>>,
    pub(crate) now: Timestamp,
    /// When it must have ended.
    pub(crate) running_until: Timestamp,
}

/// What the user said.
pub(crate) struct NewMessage<'a> {
    pub(crate) id: Uuid,
    pub(crate) content: &'a str,
}

/// What came of the begin of a turn.
pub(crate) enum TurnBeginning {
    /// It has begun.
    Begun,
    /// The session has ended meanwhile.
    Ended,
    /// Another request with the key came first.
    Known(KnownTurn),
}

/// What a key stands for.
pub(crate) enum KnownTurn {
    /// A turn with this answer, as JSON.
    Done(serde_json::Value),
    /// A turn in progress.
    Running,
    /// A turn that failed and may be taken again.
    Failed(FailedTurn),
    /// Something else.
    Clash,
}

/// A turn that failed.
pub(crate) struct FailedTurn {
    pub(crate) id: Uuid,
    pub(crate) session_id: Uuid,
    /// What the user said, if it is kept.
    pub(crate) message_id: Option<Uuid>,
}

/// How a session is after a turn.
pub(crate) struct SessionState<'a> {
    pub(crate) id: Uuid,
    pub(crate) agent: Agent,
    pub(crate) errors: u32,
    pub(crate) known: &'a Known,
}

/// The right to settle a turn with a key, until another request takes the turn again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TurnClaim {
    /// The turn.
    pub(crate) id: Uuid,
    /// Until when it was taken; who takes it again has another time.
    pub(crate) running_until: Timestamp,
}

/// The end of a turn that was answered.
pub(crate) struct FinishedTurn<'a> {
    /// What the session is to keep of it, if anything.
    pub(crate) kept: Option<(SessionState<'a>, &'a [ToolUse])>,
    /// The right to settle it, when it has a key.
    pub(crate) claim: Option<TurnClaim>,
    pub(crate) answer: &'a ChatAnswer,
}

impl Storage {
    /// The turn that a key stands for, if any.
    pub(crate) async fn keyed_turn(
        &self,
        user_id: Uuid,
        key: &IdempotencyKey<'_>,
        now: Timestamp,
    ) -> Result<Option<KnownTurn>, Error> {
        let mut connection = self.read().await?;
        match standing(&mut connection, (user_id, OPERATION), key, now).await? {
            None | Some(Claim::Taken) => Ok(None),
            Some(Claim::Clash) => Ok(Some(KnownTurn::Clash)),
            Some(Claim::Replay(id)) => find(&mut connection, id, now).await.map(Some),
        }
    }

    /// Stores what the user said, the session when it is new, and the turn when it has a key, all or nothing.
    pub(crate) async fn begin_turn(&self, turn: NewTurn<'_>) -> Result<TurnBeginning, Error> {
        if turn.key.is_none() && turn.new_session.is_none() {
            // The common case is one statement.
            let Some(message) = &turn.message else { return Ok(TurnBeginning::Begun) };
            let rows = self.write_once(SAY, &said(&turn, message)).await?;
            return Ok(if rows == 0 { TurnBeginning::Ended } else { TurnBeginning::Begun });
        }
        let mut transaction = self.write().await?;
        if let Some(key) = &turn.key
            && let Some(known) = take(&mut transaction, &turn, key).await?
        {
            return Ok(TurnBeginning::Known(known));
        }
        if let (Some(agent), Some(_)) = (turn.new_session, &turn.message) {
            transaction
                .execute(
                    "INSERT INTO chat_sessions (id, user_id, agent, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
                    &[turn.session_id.into(), turn.user_id.into(), agent.as_str().into(), turn.now.into()],
                )
                .await?;
        }
        if let Some(message) = &turn.message
            && transaction.execute(SAY, &said(&turn, message)).await? == 0
        {
            return Ok(TurnBeginning::Ended);
        }
        transaction.commit().await?;
        Ok(TurnBeginning::Begun)
    }

    /// Stores what was answered, how the session is now, and what a repetition of the request gets, all or nothing.
    /// Nothing, and `false`, when another request has taken the turn again.
    pub(crate) async fn finish_turn(&self, turn: FinishedTurn<'_>) -> Result<bool, Error> {
        let FinishedTurn { kept, claim, answer } = turn;
        if kept.is_none() && claim.is_none() {
            return Ok(true);
        }
        let mut transaction = self.write().await?;
        if let Some((state, tool_calls)) = kept {
            let metadata = if tool_calls.is_empty() { Value::OptionalText(None) } else { json(&tool_calls) };
            transaction
                .execute(
                    "INSERT INTO chat_messages (id, session_id, role, content, metadata, created_at) VALUES ($1, $2, 'assistant', $3, $4, $5)",
                    &[answer.id.into(), state.id.into(), answer.content.as_str().into(), metadata, answer.created_at.into()],
                )
                .await?;
            update_session(&mut transaction, &state, answer.created_at).await?;
        }
        if let Some(TurnClaim { id, running_until }) = claim {
            let rows = transaction
                .execute(
                    "UPDATE chat_turns SET status = 'done', answer = $1 WHERE id = $2 AND running_until = $3",
                    &[json(answer), id.into(), running_until.into()],
                )
                .await?;
            if rows == 0 {
                return Ok(false);
            }
        }
        transaction.commit().await.map(|()| true)
    }

    /// Stores that a turn has no answer, and how the session is now, all or nothing. Nothing when another request has
    /// taken the turn again.
    pub(crate) async fn fail_turn(
        &self,
        state: Option<SessionState<'_>>,
        claim: Option<TurnClaim>,
        now: Timestamp,
    ) -> Result<(), Error> {
        if state.is_none() && claim.is_none() {
            return Ok(());
        }
        let mut transaction = self.write().await?;
        if let Some(state) = state {
            update_session(&mut transaction, &state, now).await?;
        }
        if let Some(TurnClaim { id, running_until }) = claim {
            let rows = transaction
                .execute(
                    "UPDATE chat_turns SET status = 'failed' WHERE id = $1 AND status = 'running' AND running_until = $2",
                    &[id.into(), running_until.into()],
                )
                .await?;
            if rows == 0 {
                return Ok(());
            }
        }
        transaction.commit().await
    }

    /// Forgets turns whose keys are forgotten.
    pub(super) async fn purge_turns(&self, now: Timestamp) -> Result<u64, Error> {
        // A turn that was taken again under a key is as old as the key.
        let oldest = now - KEY_LIFE;
        let sql = "DELETE FROM chat_turns WHERE id IN (SELECT id FROM chat_turns WHERE created_at < $1 LIMIT 50)";
        self.write_in_steps(sql, &[oldest.into()]).await
    }
}

/// Stores a message of the user in a session that has not ended.
const SAY: &str = "INSERT INTO chat_messages (id, session_id, role, content, created_at) \
     SELECT CAST($1 AS TEXT), id, 'user', CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM chat_sessions \
     WHERE id = $4 AND user_id = $5 AND ended_at IS NULL";

fn said<'a>(turn: &NewTurn<'_>, message: &NewMessage<'a>) -> [Value<'a>; 5] {
    [message.id.into(), message.content.into(), turn.now.into(), turn.session_id.into(), turn.user_id.into()]
}

/// Takes the turn's key; what it stands for when someone else has it.
async fn take(
    transaction: &mut Connection,
    turn: &NewTurn<'_>,
    key: &IdempotencyKey<'_>,
) -> Result<Option<KnownTurn>, Error> {
    match claim(transaction, (turn.user_id, OPERATION), key, turn.id, turn.now).await? {
        Claim::Taken => {
            let message_id = turn.message.as_ref().map(|message| message.id.to_string());
            transaction
                .execute(
                    "INSERT INTO chat_turns (id, user_id, session_id, message_id, status, running_until, created_at) \
                     VALUES ($1, $2, $3, $4, 'running', $5, $6)",
                    &[
                        turn.id.into(),
                        turn.user_id.into(),
                        turn.session_id.into(),
                        message_id.as_deref().into(),
                        turn.running_until.into(),
                        turn.now.into(),
                    ],
                )
                .await?;
            Ok(None)
        }
        Claim::Clash => Ok(Some(KnownTurn::Clash)),
        Claim::Replay(id) => {
            // Of several that take a failed turn again, one finds it failed.
            let rows = transaction
                .execute(
                    "UPDATE chat_turns SET status = 'running', running_until = $1 \
                     WHERE id = $2 AND (status = 'failed' OR (status = 'running' AND running_until < $3))",
                    &[turn.running_until.into(), id.into(), turn.now.into()],
                )
                .await?;
            if rows == 1 && id == turn.id {
                return Ok(None);
            }
            find(transaction, id, turn.now).await.map(Some)
        }
    }
}

async fn find(connection: &mut Connection, id: Uuid, now: Timestamp) -> Result<KnownTurn, Error> {
    let row = connection
        .fetch_optional(
            "SELECT session_id, message_id, status, running_until, answer FROM chat_turns WHERE id = $1",
            &[id.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(KnownTurn::Clash) };
    match row.text("status")?.as_str() {
        "done" => row.json("answer").map(KnownTurn::Done),
        "running" if row.instant("running_until")? >= now => Ok(KnownTurn::Running),
        _ => Ok(KnownTurn::Failed(FailedTurn {
            id,
            session_id: row.id("session_id")?,
            message_id: row
                .optional_text("message_id")?
                .map(|id| id.parse().map_err(|_| Error::Corrupt { column: "message_id" }))
                .transpose()?,
        })),
    }
}

async fn update_session(transaction: &mut Connection, state: &SessionState<'_>, now: Timestamp) -> Result<(), Error> {
    let known = if state.known.is_empty() { Value::OptionalText(None) } else { json(state.known) };
    transaction
        .execute(
            "UPDATE chat_sessions SET agent = $1, errors = $2, known = $3, updated_at = $4 WHERE id = $5",
            &[state.agent.as_str().into(), i64::from(state.errors).into(), known, now.into(), state.id.into()],
        )
        .await
        .map(drop)
}
