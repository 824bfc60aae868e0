//! A server to be broken: MCP with answers in JSON (`/json`) or as events (`/sse`), and a model (`/v1`).
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The tokens of the model's answer.
pub(crate) const TOKENS: usize = 5;

/// What the server has been asked.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<AtomicU64>);

impl Asked {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

pub(crate) async fn start() -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .route("/json", post(async |State(asked): State<Asked>, body: Bytes| mcp(&asked, &body, false)))
        .route("/sse", post(async |State(asked): State<Asked>, body: Bytes| mcp(&asked, &body, true)))
        .route("/v1/chat/completions", post(completion))
        .route("/v1/models", get(async || Json(json!({"object": "list", "data": []}))))
        .with_state(asked.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, asked)
}

/// What a tool finds.
pub(crate) fn content() -> Value {
    json!({"offers": [{"id": "off_1", "total_amount": 120.5, "total_currency": "EUR", "departure_time": "2027-01-31T08:00:00Z"}]})
}

fn mcp(asked: &Asked, body: &[u8], is_streamed: bool) -> Response {
    asked.0.fetch_add(1, Relaxed);
    let message: Value = serde_json::from_slice(body).unwrap();
    let result = match message["method"].as_str().unwrap() {
        "initialize" => json!({"protocolVersion": "2025-11-25", "capabilities": {}}),
        "tools/list" => json!({"tools": [{"name": "search", "inputSchema": {"type": "object"}}, {"name": "book"}]}),
        "tools/call" => json!({"content": [{"type": "text", "text": content().to_string()}],
            "structuredContent": content(), "isError": false}),
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    let session = [("mcp-session-id", "session-1")];
    if !is_streamed {
        return (session, Json(answer)).into_response();
    }
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
    let events = [format!(": open\n\ndata: {progress}\n\n"), format!("id: 5\ndata: {answer}\n\n")];
    (session, events_of(events.into())).into_response()
}

async fn completion(State(asked): State<Asked>, headers: HeaderMap, body: Bytes) -> Response {
    asked.0.fetch_add(1, Relaxed);
    assert!(headers.contains_key(header::CONTENT_TYPE));
    let message: Value = serde_json::from_slice(&body).unwrap();
    let token = |number: usize| json!({"choices": [{"index": 0, "delta": {"content": format!("t{number} ")}}]});
    if message["stream"] != true {
        return Json(json!({"choices": [{"message": {"content": "whole"}}]})).into_response();
    }
    let tokens = (0..TOKENS).map(|number| format!("data: {}\n\n", token(number)));
    events_of(tokens.chain(["data: [DONE]\n\n".to_owned()]).collect())
}

fn events_of(events: Vec<String>) -> Response {
    let body = axum::body::Body::from_stream(stream::iter(events.into_iter().map(Ok::<_, Infallible>)));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
