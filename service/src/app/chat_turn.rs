//! One turn of a chat.
//!
//! ```text
//!  begin:  see `chat_begin`                                                         (503 before a token is spent)
//!  run:    memory (200 ms at most) ─▶ intent ─▶ handoff? ─▶ model ─▶ tools at once ─▶ handoff? ─▶ model
//!  settle: answer, session and turn stored, memory told (later); or the failure stored
//! ```
//!
//! A turn that fails leaves the user message in the history, without an answer: the next turn goes on from there.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{App, Listener, now};
use crate::{
    dependency::Failure,
    domain::{
        agent::Agent,
        api_key::Service,
        chat::{ChatAnswer, ChatEvent, ChatRequest, FinishReason, Message, Role, ToolStatus, ToolUse, Usage},
        handoff::{ERRORS_MAX, Handoff, Situation, decide},
        intent::{self, Detected},
        known::Known,
        meta::{Degradation, Meta},
    },
    llm::{self, Piece, Prompt, PromptMessage, ToolCall},
    mcp::{Caller, memory::Memory as _},
    metrics::HandoffLabels,
    storage::{FinishedTurn, SessionState, TurnClaim},
    telemetry::spans,
};

/// Subjects of the memory that are asked for.
const RECALLED: u32 = 5;
/// Observations of the memory that the model is told.
const OBSERVATIONS_MAX: usize = 10;
/// Longest time for storing that a turn failed: its listener waits for it.
const FAIL_TIMEOUT: Duration = Duration::from_secs(1);

/// A turn that has begun: its user message is stored.
pub(crate) struct Turn {
    pub(super) app: Arc<App>,
    pub(super) llm: Arc<llm::Client>,
    pub(super) user_id: Uuid,
    pub(super) session_id: Uuid,
    /// The right to settle it, when it has an idempotency key.
    pub(super) claim: Option<TurnClaim>,
    pub(super) agent: Agent,
    /// In the session, since the last recovery.
    pub(super) errors: u32,
    pub(super) known: Known,
    pub(super) conversation: Vec<Message>,
    pub(super) request: ChatRequest,
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

/// What a turn gathers on its way.
#[derive(Default)]
struct Gathered {
    content: String,
    tool_calls: Vec<ToolUse>,
    handoffs: Vec<Handoff>,
    usage: Option<Usage>,
    finish_reason: FinishReason,
    meta: Meta,
}

impl Turn {
    /// The session it belongs to.
    pub(crate) fn session_id(&self) -> Uuid {
        self.session_id
    }

    /// Takes the turn to its answer, telling `listener` what happens on the way (but neither `Final` nor `Error`).
    ///
    /// # Errors
    /// The model fails or is late, nobody listens any more, or the service stops.
    pub(crate) async fn run(mut self, listener: &Listener) -> Result<ChatAnswer, TurnError> {
        let stop = self.app.stop_streams.clone();
        let deadline = Instant::now() + self.app.config.llm_total_timeout;
        let mut gathered = Gathered::default();
        let answering = timeout_at(deadline, self.answer(listener, deadline, &mut gathered));
        let answered = tokio::select! {
            biased;
            answered = answering => answered.unwrap_or(Err(Failure::TimedOut.into())),
            () = listener.gone() => Err(TurnError::NobodyListens),
            () = stop.cancelled() => Err(TurnError::Stopping),
        };
        match answered {
            Ok(()) => Ok(self.finish(gathered).await),
            Err(error) => {
                self.fail(&error).await;
                Err(error)
            }
        }
    }

    async fn answer(
        &mut self,
        listener: &Listener,
        deadline: Instant,
        gathered: &mut Gathered,
    ) -> Result<(), TurnError> {
        listener.tell(ChatEvent::Started { session_id: self.session_id }).await?;
        let observations = self.recall().await;
        self.hand_over(Some(self.wish()), false, listener, gathered).await?;
        let mut prompt = self.prompt(&observations);
        let calls = self.complete(&prompt, deadline, listener, gathered).await?;
        if !calls.is_empty() {
            let could_be_planned = self.known.has_flights_and_stays();
            let results = self.run_tools(&calls, listener, gathered).await?;
            let is_complete = !could_be_planned && self.known.has_flights_and_stays();
            self.hand_over(None, is_complete, listener, gathered).await?;
            prompt.messages[0] = PromptMessage::system(self.instructions(&observations));
            prompt.messages.push(PromptMessage::tool_calls(&calls));
            prompt.messages.extend(results);
            prompt.tools.clear();
            self.complete(&prompt, deadline, listener, gathered).await?;
        }
        Ok(())
    }

    /// What is known about the user, if the memory says so in time. Its failure is only counted.
    async fn recall(&self) -> Vec<String> {
        let Some(memory) = &self.app.servers.memory else { return Vec::new() };
        let caller = Caller::platform(Instant::now() + self.app.config.memory_budget);
        let recalled =
            timeout_at(caller.deadline, memory.recall(self.user_id, self.message(), RECALLED, &caller)).await;
        let memories = recalled.ok().and_then(Result::ok).unwrap_or_default();
        memories.into_iter().flat_map(|memory| memory.observations).collect()
    }

    /// What the user wants, by the newest messages.
    fn wish(&self) -> Detected {
        let said = self.conversation.iter().rev().filter(|message| message.role == Role::User);
        intent::detect(said.map(|message| message.content.as_str()))
    }

    /// Hands over to another agent when the rules say so.
    async fn hand_over(
        &mut self,
        wish: Option<Detected>,
        is_complete: bool,
        listener: &Listener,
        gathered: &mut Gathered,
    ) -> Result<(), TurnError> {
        let started = Instant::now();
        let situation = Situation { agent: self.agent, wish, errors: self.errors, is_complete, known: &self.known };
        let handoff = decide(situation);
        let Some(handoff) = handoff else { return Ok(()) };
        self.agent = handoff.to;
        let (from, to, trigger) = (handoff.from.as_str(), handoff.to.as_str(), handoff.trigger.as_str());
        let span = spans::handoff(from, to, trigger);
        let told = listener.tell(ChatEvent::Handoff(handoff.clone())).instrument(span.clone()).await;
        let result = if told.is_ok() { "success" } else { "abandoned" };
        span.record("result", result);
        self.app.metrics.handoff(&HandoffLabels { from, to, trigger, result }, started.elapsed());
        gathered.handoffs.push(handoff);
        told
    }

    fn prompt(&self, observations: &[String]) -> Prompt {
        let conversation = self.conversation.iter().cloned().map(PromptMessage::from);
        let instructions = PromptMessage::system(self.instructions(observations));
        Prompt {
            messages: std::iter::once(instructions).chain(conversation).collect(),
            tools: self.app.tools.offered(self.agent, &self.request),
            temperature: self.request.temperature,
            max_tokens: self.request.max_tokens,
        }
    }

    /// What the agent is told: who it is, what is known about the user, what was found before.
    fn instructions(&self, observations: &[String]) -> String {
        let mut instructions = self.agent.instructions().to_owned();
        if !observations.is_empty() {
            instructions.push_str("\nKnown about the traveller:");
            for observation in observations.iter().take(OBSERVATIONS_MAX) {
                instructions.push_str("\n- ");
                instructions.push_str(observation);
            }
        }
        for (topic, found) in self.known.about(self.agent.topics()) {
            instructions.push_str(&format!("\nFound earlier, {}: {found}", topic.as_str()));
        }
        instructions
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
        &mut self,
        calls: &[ToolCall],
        listener: &Listener,
        gathered: &mut Gathered,
    ) -> Result<Vec<PromptMessage>, TurnError> {
        for call in calls {
            let args = call.parsed_arguments();
            listener.tell(ChatEvent::ToolCall { id: call.id.clone(), name: call.name.clone(), args }).await?;
        }
        let offered = self.app.tools.offered(self.agent, &self.request);
        let running = calls.iter().map(|call| self.app.tools.run(call, self.user_id, &offered));
        let mut messages = Vec::with_capacity(calls.len());
        for (call, (result, topic, meta)) in calls.iter().zip(join_all(running).await) {
            gathered.meta.absorb(meta);
            match (result.status, topic) {
                (ToolStatus::Error, _) => self.errors = self.errors.saturating_add(1),
                (ToolStatus::Success, Some(topic)) => self.known.learn(topic, &result.result),
                (ToolStatus::Success, None) => {}
            }
            messages.push(PromptMessage::tool_result(&result.id, result.result.to_string()));
            listener.tell(ChatEvent::ToolResult(result.clone())).await?;
            gathered.tool_calls.push(result.with_args(call.parsed_arguments()));
        }
        Ok(messages)
    }

    /// Stores the answer. One that cannot be stored is an answer all the same, and says so.
    async fn finish(mut self, gathered: Gathered) -> ChatAnswer {
        self.settle_errors();
        let Gathered { content, tool_calls, handoffs, usage, finish_reason, meta } = gathered;
        let mut answer = ChatAnswer {
            id: Uuid::now_v7(),
            session_id: self.session_id,
            content,
            tool_calls,
            finish_reason,
            usage,
            routed_to: handoffs.last().map(|handoff| handoff.to),
            handoffs,
            created_at: now(),
            meta,
        };
        let kept = self.state().map(|state| (state, answer.tool_calls.as_slice()));
        let finished = FinishedTurn { kept, claim: self.claim, answer: &answer };
        let is_stored = match self.app.storage.finish_turn(finished).await {
            Ok(is_stored) => is_stored,
            Err(error) => {
                tracing::warn!(session = %self.session_id, error = %error, "answer of a chat is not in its history");
                false
            }
        };
        if !is_stored {
            answer.meta.degrade(Degradation::HistoryNotSaved);
        }
        if self.request.save_history {
            // Whether there is room for it is counted there.
            let _ = self.app.memory_writer.remember(self.user_id, vec![format!("asked: {}", self.message())]);
        }
        answer
    }

    /// Stores that there is no answer.
    async fn fail(&mut self, error: &TurnError) {
        if matches!(error, TurnError::Llm(_)) {
            self.errors = self.errors.saturating_add(1);
        }
        self.settle_errors();
        let failing = timeout(FAIL_TIMEOUT, self.app.storage.fail_turn(self.state(), self.claim, now())).await;
        if !matches!(failing, Ok(Ok(()))) {
            tracing::warn!(session = %self.session_id, "failure of a chat turn is not stored, its key stays in use for a while");
        }
    }

    /// What the planner takes over is mended, and what it already has needs no handoff.
    fn settle_errors(&mut self) {
        if self.agent == Agent::General && self.errors >= ERRORS_MAX {
            self.errors = 0;
        }
    }

    /// How the session is now, if it is kept.
    fn state(&self) -> Option<SessionState<'_>> {
        let Self { session_id: id, agent, errors, known, .. } = self;
        self.request.save_history.then_some(SessionState { id: *id, agent: *agent, errors: *errors, known })
    }

    /// What the user said.
    fn message(&self) -> &str {
        self.conversation.last().map_or("", |message| &message.content)
    }
}
