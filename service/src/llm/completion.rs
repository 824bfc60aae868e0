//! A completion as it arrives: text, tool calls, usage, end.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::BoxStream};
use sse_stream::{Sse, SseStream};
use tokio::time::{timeout, timeout_at};

use super::{
    call::Call,
    wire::{Chunk, ToolCallDelta},
};
use crate::{
    dependency::Failure,
    domain::chat::{FinishReason, Usage},
};

/// Most tool calls in one completion that are looked at; a model that wants more gets these.
const TOOL_CALLS_MAX: usize = 5;
/// Most bytes of text and tool calls in one completion.
const BYTES_MAX: usize = 1024 * 1024;
/// Most bytes read for one event.
const EVENT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest wait for the end of the body after the end of the stream.
const END_WAIT: Duration = Duration::from_millis(50);
/// What ends a stream.
const DONE: &str = "[DONE]";

type Events = BoxStream<'static, Result<Sse, sse_stream::Error>>;

/// A completion in progress. Dropping it ends the call.
pub(crate) struct Completion {
    call: Call,
    events: Events,
    /// Bytes read since the last event.
    unread_bytes: Arc<AtomicUsize>,
    /// Bytes of text and tool calls so far.
    bytes: usize,
    tool_calls: Vec<ToolCall>,
    ready: VecDeque<Piece>,
    finish_reason: Option<FinishReason>,
    is_connection_good: bool,
}

/// A part of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Some more text.
    Text(String),
    /// Tools that the model wants called; whole, once, at the end.
    ToolCalls(Vec<ToolCall>),
    /// Tokens used.
    Usage(Usage),
    /// Why it ended; last.
    End(FinishReason),
}

/// A tool call that the model wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON, as the model wrote it: maybe none.
    pub(crate) arguments: String,
}

impl ToolCall {
    /// Its arguments as JSON; null when they are none.
    pub(crate) fn parsed_arguments(&self) -> serde_json::Value {
        serde_json::from_str(&self.arguments).unwrap_or_default()
    }
}

/// What is wrong with a stream that arrived.
#[derive(Debug, thiserror::Error)]
enum BadStream {
    #[error("ended before the completion did")]
    Cut,
    #[error("breaks off, or is not a stream of events")]
    Events(#[source] sse_stream::Error),
    #[error("has a chunk of another shape")]
    Chunk(#[source] serde_json::Error),
    #[error("reports an error")]
    Reported,
    #[error("is too long")]
    TooLong,
}

impl Completion {
    pub(super) fn new(call: Call, response: reqwest::Response) -> Self {
        let unread_bytes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&unread_bytes);
        let bytes = response.bytes_stream().map(move |bytes| {
            let bytes = bytes.map_err(io::Error::other)?;
            let unread = counted.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
            if unread > EVENT_BYTES_MAX { Err(io::Error::other(BadStream::TooLong)) } else { Ok(bytes) }
        });
        Self {
            call,
            events: SseStream::from_bytes_stream(bytes).boxed(),
            unread_bytes,
            bytes: 0,
            tool_calls: Vec::new(),
            ready: VecDeque::new(),
            finish_reason: None,
            is_connection_good: false,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The stream is late, cut, or not understood; nothing comes after an error.
    pub(crate) async fn next(&mut self) -> Option<Result<Piece, Failure>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(Ok(piece));
            }
            if self.call.is_settled() {
                self.let_go().await;
                return None;
            }
            let event = timeout_at(self.call.due(), self.events.next()).await;
            self.unread_bytes.store(0, Ordering::Relaxed);
            let outcome = match event {
                Err(_) => Err(Failure::TimedOut),
                Ok(None) => self.ended(),
                Ok(Some(Err(error))) => Err(Failure::cut(BadStream::Events(error))),
                Ok(Some(Ok(event))) => self.take(event.data.as_deref().unwrap_or_default()),
            };
            if let Err(failure) = outcome {
                self.call.settle(&Err(failure.clone()));
                return Some(Err(failure));
            }
        }
    }

    /// Reads to the very end of the answer, which is usually here already: only then can the connection be used again.
    async fn let_go(&mut self) {
        if std::mem::take(&mut self.is_connection_good) {
            let _ = timeout(END_WAIT, self.events.next()).await;
        }
    }

    fn take(&mut self, data: &str) -> Result<(), Failure> {
        if data == DONE {
            return self.ended();
        }
        if data.is_empty() {
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| Failure::malformed(BadStream::Chunk(error)))?;
        if chunk.error.is_some() {
            return Err(Failure::malformed(BadStream::Reported));
        }
        if let Some(usage) = chunk.usage {
            self.call.used(usage);
            self.ready.push_back(Piece::Usage(usage));
        }
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(()) };
        if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
            self.call.begun();
            self.grow(text.len())?;
            self.ready.push_back(Piece::Text(text));
        }
        for delta in choice.delta.tool_calls.into_iter().flatten() {
            self.call.begun();
            self.add(delta)?;
        }
        self.finish_reason = choice.finish_reason.map(|reason| FinishReason::named(&reason)).or(self.finish_reason);
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Failure> {
        let reason = self.finish_reason.ok_or_else(|| Failure::cut(BadStream::Cut))?;
        self.call.settle(&Ok(()));
        self.is_connection_good = true;
        if !self.tool_calls.is_empty() {
            self.ready.push_back(Piece::ToolCalls(std::mem::take(&mut self.tool_calls)));
        }
        self.ready.push_back(Piece::End(reason));
        Ok(())
    }

    /// Counts bytes that are kept or passed on.
    fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes += bytes;
        if self.bytes > BYTES_MAX { Err(Failure::malformed(BadStream::TooLong)) } else { Ok(()) }
    }

    fn add(&mut self, delta: ToolCallDelta) -> Result<(), Failure> {
        if delta.index >= TOOL_CALLS_MAX {
            return Ok(());
        }
        self.grow(delta.bytes())?;
        if self.tool_calls.len() <= delta.index {
            self.tool_calls.resize_with(delta.index + 1, ToolCall::default);
        }
        let call = &mut self.tool_calls[delta.index];
        if let Some(id) = delta.id {
            call.id = id;
        }
        let Some(function) = delta.function else { return Ok(()) };
        call.name.push_str(function.name.as_deref().unwrap_or_default());
        call.arguments.push_str(function.arguments.as_deref().unwrap_or_default());
        Ok(())
    }
}
