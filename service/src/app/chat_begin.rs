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
        api_key::Service,
        chat::{ChatRequest, Message, within_budget},
        known::Known,
    },
    llm,
    storage::{
        self, Conversation, FailedTurn, IdempotencyKey, KnownTurn, NewMessage, NewTurn, TurnBeginning, TurnClaim,
    },
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
        let keyed = match &key {
            Some(key) => app.storage.keyed_turn(user_id, key, now()).await?.map(earlier).transpose()?,
            None => None,
        };
        let failed = match keyed {
            Some(Earlier::Answer(answer)) => return Ok(Begun::Replay(answer)),
            Some(Earlier::Failed(turn)) => Some(turn),
            None => None,
        };
        let llm = willing(&app)?;
        let account = app.accounts.account(user_id, Service::Openai).await;
        account.secret(None).map_err(BeginError::Llm)?;
        let place = Place::of(&request, failed);
        let mut conversation = std::mem::take(&mut request.messages);
        let Continued { agent, errors, known } = place.continued(&app, user_id, &mut conversation).await?;
        // What the client tells of the past costs as much as what is stored.
        let conversation = within_budget(conversation);
        let said = conversation.last().map_or("", |message| &message.content);
        let now = now();
        let running_until = now + longest(&app);
        let claim = key.is_some().then_some(TurnClaim { id: place.turn_id, running_until });
        let new_turn = NewTurn {
            id: place.turn_id,
            user_id,
            session_id: place.session_id,
            new_session: (request.save_history && place.is_new_session).then_some(agent),
            message: (request.save_history && place.kept_message.is_none())
                .then(|| NewMessage { id: Uuid::now_v7(), content: said }),
            key,
            now,
            running_until,
        };
        match app.storage.begin_turn(new_turn).await? {
            TurnBeginning::Begun => {}
            TurnBeginning::Ended => return Err(BeginError::SessionEnded),
            TurnBeginning::Known(known) => match earlier(known)? {
                Earlier::Answer(answer) => return Ok(Begun::Replay(answer)),
                // It failed just now; the client may come again.
                Earlier::Failed(_) => return Err(BeginError::InProgress),
            },
        }
        let session_id = place.session_id;
        let turn = Self { app, llm, user_id, session_id, claim, agent, errors, known, conversation, request };
        Ok(Begun::New(Box::new(turn)))
    }
}

/// Where a turn belongs.
struct Place {
    turn_id: Uuid,
    session_id: Uuid,
    is_new_session: bool,
    /// Whether the session has a history.
    has_history: bool,
    /// What the user said, when it is stored already.
    kept_message: Option<Uuid>,
}

impl Place {
    /// Where the turn of a request belongs that has failed before, or not.
    fn of(request: &ChatRequest, failed: Option<FailedTurn>) -> Self {
        let Some(FailedTurn { id, session_id, message_id }) = failed else {
            return Self {
                turn_id: Uuid::now_v7(),
                session_id: request.session_id.unwrap_or_else(Uuid::new_v4),
                is_new_session: request.session_id.is_none(),
                has_history: request.session_id.is_some(),
                kept_message: None,
            };
        };
        Self {
            turn_id: id,
            session_id,
            is_new_session: false,
            // A session that begins with a turn that is not kept is nowhere.
            has_history: request.session_id.is_some() || request.save_history,
            kept_message: message_id,
        }
    }

    /// What the turn takes over; `messages` become the history and what is new.
    async fn continued(&self, app: &App, user_id: Uuid, messages: &mut Vec<Message>) -> Result<Continued, BeginError> {
        if !self.has_history {
            return Ok(Continued::default());
        }
        let found = app.storage.conversation(self.session_id, user_id, self.kept_message).await?;
        Continued::from(found.ok_or(BeginError::NoSession)?, messages)
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
