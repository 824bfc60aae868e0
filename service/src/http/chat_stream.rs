//! A chat turn as a stream: `data:` lines, one event each, then `data: [DONE]`.
//!
//! ```text
//!  started  (handoff | tool_call | tool_result | delta)*  (final | error)  [DONE]
//! ```

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
};
use futures_util::{Stream, StreamExt as _, stream};
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

use crate::{app::Listener, domain::chat::ChatEvent};

/// Events that wait for a slow reader before the model has to wait too.
const EVENTS_WAITING: usize = 64;
/// Longest wait for a reader to take the last event.
const LAST_EVENT_WAIT: Duration = Duration::from_secs(1);
const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// The sending end of a stream.
pub(super) struct Events(mpsc::Sender<ChatEvent>);

/// Opens a stream: its sending end, and the answer that carries it. A slow reader holds back the sender alone.
pub(super) fn open() -> (Events, Response) {
    let (events, waiting) = mpsc::channel(EVENTS_WAITING);
    (Events(events), response(ReceiverStream::new(waiting).map(|event| line(&event))))
}

/// A turn that was answered before, as the stream that it was, its text in one piece.
pub(super) fn replay(answer: Value) -> Response {
    let mut events = vec![json!({"type": "started", "session_id": answer["session_id"]})];
    let each = |name: &str| answer[name].as_array().into_iter().flatten();
    events.extend(each("handoffs").map(|handoff| typed("handoff", handoff.clone())));
    let calls = each("tool_calls");
    events.extend(
        calls.map(|call| json!({"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]})),
    );
    events.extend(each("tool_calls").map(|call| {
        json!({"type": "tool_result", "id": call["id"], "name": call["name"], "status": call["status"],
            "result": call["result"]})
    }));
    if answer["content"] != "" {
        events.push(json!({"type": "delta", "content": answer["content"]}));
    }
    events.push(typed("final", answer));
    response(stream::iter(events).map(|event| line(&event)))
}

impl Events {
    /// Who sends on it while the turn runs.
    pub(super) fn listener(&self) -> Listener {
        Listener::Stream(self.0.clone())
    }

    /// Sends the last event. A reader that takes nothing for a second does not get it; the stream still ends.
    pub(super) async fn end(self, last: ChatEvent) {
        let _ = timeout(LAST_EVENT_WAIT, self.0.send(last)).await;
    }
}

fn response(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let lines = lines.chain(stream::iter([DONE]));
    (headers, Body::from_stream(lines.map(Ok::<_, Infallible>))).into_response()
}

fn typed(kind: &str, mut event: Value) -> Value {
    event["type"] = kind.into();
    event
}

fn line(event: &impl Serialize) -> Bytes {
    let mut line = Vec::with_capacity(128);
    line.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut line, event).expect("events have only string keys");
    line.extend_from_slice(b"\n\n");
    line.into()
}
