//! A chat turn as a stream: `data:` lines, one event each, then `data: [DONE]`.
//!
//! ```text
//!  started  (handoff | tool_call | tool_result | delta)*  (final | error)  [DONE]
//! ```

use std::convert::Infallible;

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
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{app::Listener, domain::chat::ChatEvent};

/// Events that wait for a slow reader before the model has to wait too.
const EVENTS_WAITING: usize = 64;
const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// The sending end of a stream.
pub(super) struct Events {
    sender: mpsc::Sender<ChatEvent>,
    /// The place of the last event, so that a reader that takes nothing for a while gets it all the same.
    last: mpsc::OwnedPermit<ChatEvent>,
}

/// Opens a stream: its sending end, and the answer that carries it. A slow reader holds back the sender alone.
pub(super) fn open() -> (Events, Response) {
    let (sender, waiting) = mpsc::channel(EVENTS_WAITING + 1);
    let last = sender.clone().try_reserve_owned().expect("a new channel is empty and its reader is here");
    (Events { sender, last }, response(ReceiverStream::new(waiting).map(|event| line(&event))))
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
        Listener::Stream(self.sender.clone())
    }

    /// Sends the last event, and ends the stream behind it.
    pub(super) fn end(self, last: ChatEvent) {
        self.last.send(last);
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_reader_that_took_nothing_still_gets_the_last_event() {
        let (events, response) = open();
        let Listener::Stream(sender) = events.listener() else { panic!("not a stream") };
        let delta = || ChatEvent::Delta { content: "word".into() };
        let told = std::iter::repeat_with(|| sender.try_send(delta())).take_while(Result::is_ok).count();
        assert_eq!(told, EVENTS_WAITING);
        drop(sender);
        events.end(ChatEvent::Error { code: "LATE", message: "late", status: 504, session_id: Uuid::nil() });
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let lines: Vec<_> = text.split_terminator("\n\n").collect();
        assert_eq!(lines.len(), EVENTS_WAITING + 2, "{text}");
        assert!(lines[EVENTS_WAITING].contains("LATE"), "{text}");
        assert_eq!(lines[EVENTS_WAITING + 1], "data: [DONE]");
    }
}
