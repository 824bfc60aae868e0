//! The begin of a chat turn: whether it is a new one, and everything that must be sure before a token is spent.
//!
//! ```text
//!  key known? ─▶ stored answer, or "still in progress"
//!      └ no, or it failed ─▶ model would answer? ─▶ session, history ─▶ user message stored ─▶ Turn
//! ```

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;
use uuid::Uuid;

use super::{App, Turn, now};
use crate::{
    dependency::Failure,
    domain::{
        agent::Agent,
        chat::{ChatRequest, Message},
        known::Known,
    },
    llm,
    storage::{self, Beginning, Conversation, FailedTurn, IdempotencyKey, KnownTurn, NewMessage, NewTurn},
};

/// How much longer than a turn may take its key is held, for what comes after its last token.
const SETTLE_TIME: SignedDuration = SignedDuration::from_secs(10);

/// A turn that has begun, or the answer of the same turn at an earlier time.
pub(crate) enum Begun {
    /// Its user message is stored.
    New(Box<Turn>),
    /// What was answered then, as JSON.
    Replay(Value),
}

/// Why a turn cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    /// The session does not exist, or is someone else's.
    #[error("no such session")]
    NoSession,
    /// The session has ended.
    #[error("session has ended")]
    SessionEnded,
    /// The turn with that key is still in progress.
    #[error("turn is in progress")]
    InProgress,
    /// The key stands for another request.
    #[error("key was used for another request")]
    KeyTaken,
    /// The database failed.
    #[error("turn cannot be stored")]
    Storage(#[from] storage::Error),
    /// The model would not be asked.
    #[error("language model is not available")]
    Llm(#[source] Failure),
}

impl Turn {
    /// Finds the session and stores what the user said.
    ///
    /// # Errors
    /// Before anything is spent: no such session, a key in use, a database that fails, a model that would not be asked.
    pub(crate) async fn begin(
        app: Arc<App>,
        user_id: Uuid,
        mut request: ChatRequest,
        key: Option<&str>,
    ) -> Result<Begun, BeginError> {
        let key = key.map(|key| IdempotencyKey { key, fingerprint: request.fingerprint() });
        let mut failed = None;
        if let Some(key) = &key
            && let Some(known) = app.storage.keyed_turn(user_id, key, now()).await?
        {
            match earlier(known)? {
                Earlier::Answer(answer) => return Ok(Begun::Replay(answer)),
                Earlier::Failed(turn) => failed = Some(turn),
            }
        }
        let llm = willing(&app)?;
        let (turn_id, has_key) = (failed.as_ref().map_or_else(Uuid::now_v7, |turn| turn.id), key.is_some());
        let known_session = failed.as_ref().map(|turn| turn.session_id).or(request.session_id);
        let kept_message = failed.as_ref().and_then(|turn| turn.message_id);
        let session_id = known_session.unwrap_or_else(Uuid::new_v4);
        let is_new_session = request.session_id.is_none() && failed.is_none();
        let mut messages = std::mem::take(&mut request.messages);
        let mut session = Continued::default();
        // A session that began with a turn whose history is not kept is none.
        if !is_new_session && (request.session_id.is_some() || request.save_history) {
            let found = app.storage.conversation(session_id, user_id, kept_message).await?;
            session = Continued::from(found.ok_or(BeginError::NoSession)?, &mut messages)?;
        }
        let content = messages.last().map_or("", |message| &message.content);
        let message =
            (request.save_history && kept_message.is_none()).then(|| NewMessage { id: Uuid::now_v7(), content });
        let now = now();
        let begun = NewTurn {
            id: turn_id,
            user_id,
            session_id,
            new_session: (is_new_session && request.save_history).then_some(session.agent),
            message,
            key,
            now,
            running_until: now + longest(&app),
        };
        match app.storage.begin_turn(begun).await? {
            Beginning::Begun => {}
            Beginning::Ended => return Err(BeginError::SessionEnded),
            Beginning::Known(known) => match earlier(known)? {
                Earlier::Answer(answer) => return Ok(Begun::Replay(answer)),
                // It failed just now; the client may come again.
                Earlier::Failed(_) => return Err(BeginError::InProgress),
            },
        }
        let Continued { agent, errors, known } = session;
        let keyed_id = has_key.then_some(turn_id);
        Ok(Begun::New(Box::new(Self {
            app,
            llm,
            user_id,
            session_id,
            keyed_id,
            agent,
            errors,
            known,
            conversation: messages,
            request,
        })))
    }
}

/// What a turn takes over from its session.
struct Continued {
    agent: Agent,
    errors: u32,
    known: Known,
}

/// What came of a turn with the same key.
enum Earlier {
    Answer(Value),
    Failed(FailedTurn),
}

impl Default for Continued {
    fn default() -> Self {
        Self { agent: Agent::General, errors: 0, known: Known::default() }
    }
}

impl Continued {
    /// From the session as it is; `messages` become its history and the newest message.
    fn from(found: Conversation, messages: &mut Vec<Message>) -> Result<Self, BeginError> {
        let Conversation { has_ended, agent, errors, known, history } = found;
        if has_ended {
            return Err(BeginError::SessionEnded);
        }
        if !history.is_empty() {
            // What is stored stands; of what the client sent, only the newest message is new.
            messages.drain(..messages.len() - 1);
            messages.splice(..0, history);
        }
        Ok(Self { agent, errors, known })
    }
}

fn earlier(known: KnownTurn) -> Result<Earlier, BeginError> {
    match known {
        KnownTurn::Done(answer) => Ok(Earlier::Answer(answer)),
        KnownTurn::Failed(turn) => Ok(Earlier::Failed(turn)),
        KnownTurn::Running => Err(BeginError::InProgress),
        KnownTurn::Clash => Err(BeginError::KeyTaken),
    }
}

/// The model, if it would be asked now.
fn willing(app: &App) -> Result<Arc<llm::Client>, BeginError> {
    let llm = app.llm.clone().ok_or(BeginError::Llm(Failure::Absent))?;
    llm.refusal().map_or(Ok(llm), |refusal| Err(BeginError::Llm(refusal)))
}

/// After how long a turn that is not settled never will be.
fn longest(app: &App) -> SignedDuration {
    SignedDuration::try_from(app.config.llm_total_timeout).unwrap_or(SignedDuration::from_hours(1)) + SETTLE_TIME
}
