//! One turn of a chat.
//!
//! ```text
//!  begin:  session ─▶ history ─▶ user message stored                                (503 before a token is spent)
//!  run:    memory (200 ms at most) ─▶ intent ─▶ handoff? ─▶ model ─▶ tools at once ─▶ model
//!          ─▶ answer stored ─▶ memory told (later)
//! ```

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{App, now};
use crate::{
    dependency::Failure,
    domain::{
        agent::{Agent, Handoff},
        api_key::Service,
        chat::{ChatAnswer, ChatEvent, ChatRequest, FinishReason, Message, ToolResult, Usage},
        intent,
        meta::{Degradation, Meta},
    },
    llm::{self, Piece, Prompt, PromptMessage, ToolCall},
    mcp::{Caller, memory::Memory as _},
    metrics::HandoffLabels,
    storage::{self, FinishedTurn, NewTurn},
    telemetry::spans,
};

/// Observations of the memory that the model is told.
const OBSERVATIONS_MAX: usize = 10;

/// A turn that has begun: its user message is stored.
pub(crate) struct Turn {
    app: Arc<App>,
    llm: Arc<llm::Client>,
    user_id: Uuid,
    session_id: Uuid,
    agent: Agent,
    conversation: Vec<Message>,
    request: ChatRequest,
}

/// Why a turn cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    /// The session does not exist, has ended, or is someone else's.
    #[error("no such session")]
    NoSession,
    /// The database failed.
    #[error("turn cannot be stored")]
    Storage(#[from] storage::Error),
    /// The model would not be asked.
    #[error("language model is not available")]
    Llm(#[source] Failure),
}

/// Why a turn that began has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    /// The model failed.
    #[error("language model failed")]
    Llm(#[from] Failure),
    /// Nobody listens any more.
    #[error("listener has left")]
    NobodyListens,
    /// The service stops.
    #[error("service is stopping")]
    Stopping,
}

/// Who hears what happens during a turn.
pub(crate) enum Listener {
    /// Only the answer counts.
    Nobody,
    /// Every event, as it happens.
    Stream(mpsc::Sender<ChatEvent>),
}

/// What a turn gathers on its way.
#[derive(Default)]
struct Gathered {
    content: String,
    tool_results: Vec<ToolResult>,
    usage: Option<Usage>,
    finish_reason: FinishReason,
    meta: Meta,
}

impl Listener {
    /// Tells an event, waiting for a slow listener.
    ///
    /// # Errors
    /// [`TurnError::NobodyListens`].
    pub(crate) async fn tell(&self, event: ChatEvent) -> Result<(), TurnError> {
        match self {
            Self::Nobody => Ok(()),
            Self::Stream(events) => events.send(event).await.map_err(|_| TurnError::NobodyListens),
        }
    }

    /// Ready when the listener has left.
    async fn gone(&self) {
        match self {
            Self::Nobody => std::future::pending().await,
            Self::Stream(events) => events.closed().await,
        }
    }
}

impl Turn {
    /// Finds the session and stores what the user said.
    ///
    /// # Errors
    /// Before anything is spent: no such session, a database that fails, a model that would not be asked.
    pub(crate) async fn begin(app: Arc<App>, user_id: Uuid, mut request: ChatRequest) -> Result<Self, BeginError> {
        let llm = app.llm.clone().ok_or(BeginError::Llm(Failure::Absent))?;
        if let Some(refusal) = llm.refusal() {
            return Err(BeginError::Llm(refusal));
        }
        let account = app.accounts.account(user_id, Service::Openai).await;
        account.secret(None).map_err(BeginError::Llm)?;
        let session_id = request.session_id.unwrap_or_else(Uuid::new_v4);
        let mut agent = Agent::General;
        let mut conversation = std::mem::take(&mut request.messages);
        if request.session_id.is_some() {
            agent = app.storage.session(session_id, user_id).await?.ok_or(BeginError::NoSession)?.agent;
            let history = app.storage.history(session_id).await?;
            if !history.is_empty() {
                // What is stored stands; of what the client sent, only the newest message is new.
                conversation.drain(..conversation.len() - 1);
                conversation.splice(..0, history);
            }
        }
        if request.save_history {
            let content = conversation.last().map_or("", |message| &message.content);
            let is_new_session = request.session_id.is_none();
            app.storage.begin_turn(NewTurn { session_id, user_id, is_new_session, agent, content, now: now() }).await?;
        }
        Ok(Self { app, llm, user_id, session_id, agent, conversation, request })
    }

    /// The session it belongs to.
    pub(crate) fn session_id(&self) -> Uuid {
        self.session_id
    }

    /// Takes the turn to its answer, telling `listener` what happens on the way (but neither `Final` nor `Error`).
    ///
    /// # Errors
    /// The model fails or is late, nobody listens any more, or the service stops.
    pub(crate) async fn run(self, listener: &Listener) -> Result<ChatAnswer, TurnError> {
        let stop = self.app.stop_streams.clone();
        let deadline = Instant::now() + self.app.config.llm_total_timeout;
        tokio::select! {
            biased;
            answer = timeout_at(deadline, self.answer(listener, deadline)) => answer.unwrap_or(Err(Failure::TimedOut.into())),
            () = listener.gone() => Err(TurnError::NobodyListens),
            () = stop.cancelled() => Err(TurnError::Stopping),
        }
    }

    async fn answer(mut self, listener: &Listener, deadline: Instant) -> Result<ChatAnswer, TurnError> {
        listener.tell(ChatEvent::Started { session_id: self.session_id }).await?;
        let observations = self.recall().await;
        let handoff = self.hand_over(listener).await?;
        let mut gathered = Gathered::default();
        let mut prompt = self.prompt(&observations);
        let calls = self.complete(&prompt, deadline, listener, &mut gathered).await?;
        if !calls.is_empty() {
            prompt.messages.push(PromptMessage::tool_calls(&calls));
            prompt.messages.extend(self.run_tools(&calls, listener, &mut gathered).await?);
            prompt.tools.clear();
            self.complete(&prompt, deadline, listener, &mut gathered).await?;
        }
        Ok(self.finish(handoff, gathered).await)
    }

    /// What is known about the user, if the memory says so in time. Its failure is only counted.
    async fn recall(&self) -> Vec<String> {
        let Some(memory) = &self.app.servers.memory else { return Vec::new() };
        let caller = Caller::platform(Instant::now() + self.app.config.memory_budget);
        let recalled = timeout_at(caller.deadline, memory.recall(self.user_id, self.message(), &caller)).await;
        recalled.ok().and_then(Result::ok).unwrap_or_default()
    }

    async fn hand_over(&mut self, listener: &Listener) -> Result<Option<Handoff>, TurnError> {
        let started = Instant::now();
        let Some(handoff) = self.agent.hand_over(intent::detect(self.message())) else { return Ok(None) };
        self.agent = handoff.to;
        let Handoff { from, to, trigger, confidence } = handoff;
        let span = spans::handoff(from.as_str(), to.as_str(), trigger.as_str());
        let event = ChatEvent::Handoff { from, to, trigger, confidence };
        let told = listener.tell(event).instrument(span.clone()).await;
        let result = if told.is_ok() { "success" } else { "abandoned" };
        span.record("result", result);
        let labels = HandoffLabels { from: from.as_str(), to: to.as_str(), trigger: trigger.as_str(), result };
        self.app.metrics.handoffs.get_or_create(&labels).inc();
        self.app.metrics.handoff_seconds.observe(started.elapsed().as_secs_f64());
        told.map(|()| Some(handoff))
    }

    fn prompt(&self, observations: &[String]) -> Prompt {
        let mut instructions = self.agent.instructions().to_owned();
        if !observations.is_empty() {
            instructions.push_str("\nKnown about the traveller:");
            for observation in observations.iter().take(OBSERVATIONS_MAX) {
                instructions.push_str("\n- ");
                instructions.push_str(observation);
            }
        }
        let conversation = self.conversation.iter().cloned().map(PromptMessage::from);
        Prompt {
            messages: std::iter::once(PromptMessage::system(instructions)).chain(conversation).collect(),
            tools: self.app.tools.offered(&self.request),
            temperature: self.request.temperature,
            max_tokens: self.request.max_tokens,
        }
    }

    /// One completion: its text goes on, the tools it wants come back.
    async fn complete(
        &self,
        prompt: &Prompt,
        deadline: Instant,
        listener: &Listener,
        gathered: &mut Gathered,
    ) -> Result<Vec<ToolCall>, TurnError> {
        // Looked up for each completion: a key that was deleted during the turn is not used again.
        let caller = self.app.caller(self.user_id, Service::Openai, deadline).await;
        let mut completion = self.llm.complete(prompt, &caller).await?;
        let mut calls = Vec::new();
        while let Some(piece) = completion.next().await {
            match piece? {
                Piece::Text(content) => {
                    gathered.content.push_str(&content);
                    listener.tell(ChatEvent::Delta { content }).await?;
                }
                Piece::ToolCalls(wanted) => calls = wanted,
                Piece::End(reason) => gathered.finish_reason = reason,
                Piece::Usage(used) => gathered.usage = Some(gathered.usage.unwrap_or_default().plus(used)),
            }
        }
        Ok(calls)
    }

    async fn run_tools(
        &self,
        calls: &[ToolCall],
        listener: &Listener,
        gathered: &mut Gathered,
    ) -> Result<Vec<PromptMessage>, TurnError> {
        for call in calls {
            let args = serde_json::from_str(&call.arguments).unwrap_or_default();
            listener.tell(ChatEvent::ToolCall { id: call.id.clone(), name: call.name.clone(), args }).await?;
        }
        let mut messages = Vec::with_capacity(calls.len());
        for (result, meta) in join_all(calls.iter().map(|call| self.app.tools.run(call, self.user_id))).await {
            gathered.meta.absorb(meta);
            messages.push(PromptMessage::tool_result(&result.id, result.result.to_string()));
            listener.tell(ChatEvent::ToolResult(result.clone())).await?;
            gathered.tool_results.push(result);
        }
        Ok(messages)
    }

    async fn finish(self, handoff: Option<Handoff>, mut gathered: Gathered) -> ChatAnswer {
        let (id, now) = (Uuid::now_v7(), now());
        if self.request.save_history {
            let turn = FinishedTurn {
                message_id: id,
                session_id: self.session_id,
                agent: self.agent,
                content: &gathered.content,
                tool_calls: &gathered.tool_results,
                now,
            };
            if let Err(error) = self.app.storage.finish_turn(turn).await {
                tracing::warn!(session = %self.session_id, error = %error, "answer of a chat is not in its history");
                gathered.meta.degrade(Degradation::HistoryNotSaved);
            }
            self.app.memory_writer.remember(self.user_id, format!("asked: {}", self.message()));
        }
        ChatAnswer {
            id,
            session_id: self.session_id,
            content: gathered.content,
            tool_calls: gathered.tool_results,
            finish_reason: gathered.finish_reason,
            usage: gathered.usage,
            routed_to: handoff.map(|handoff| handoff.to),
            handoffs: handoff.into_iter().collect(),
            created_at: now,
            meta: gathered.meta,
        }
    }

    /// What the user said.
    fn message(&self) -> &str {
        self.conversation.last().map_or("", |message| &message.content)
    }
}
