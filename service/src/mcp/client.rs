//! Calls tools of one MCP server over streamable HTTP, with the message types and HTTP client of `rmcp`.
//!
//! Each call is one POST in the stateless manner of MCP 2026-07-28 (no handshake, no session), so there is nothing to
//! re-establish after the server was down: the next call simply works. Deadline, retry, breaker and bulkhead are those of
//! [`Dependency`], which also chooses among several instances; connections are pooled, and the pool is dropped when one of
//! them turns out dead.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use http::{HeaderName, HeaderValue};
use rmcp::{
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResult, ClientCapabilities, ClientJsonRpcMessage,
        ClientRequest, ErrorCode, ErrorData, Implementation, JsonObject, ProtocolVersion, RequestId, RequestMetaObject,
        ServerJsonRpcMessage, ServerResult,
    },
    transport::streamable_http_client::{
        StreamableHttpClient as _, StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::Instrument as _;

use crate::{
    config::McpServer,
    dependency::{Caller, Connections, Dependency, Failure, Limits, Repeat, State, Via},
    metrics::Metrics,
    telemetry::{
        outgoing,
        spans::{self, Attempts, Peer},
    },
};

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a JSON-RPC internal error is the same as.
const STATUS_INTERNAL_ERROR: u16 = 500;
const STATUS_TOO_MANY_REQUESTS: u16 = 429;
/// How `rmcp` tells of a 401 or 403 without a challenge: it keeps the status only in this text.
const UNCHALLENGED: [&str; 2] = ["HTTP 401 ", "HTTP 403 "];

/// A client of one MCP server.
pub(crate) struct Client {
    server: &'static str,
    dependency: Arc<Dependency>,
    wire: Arc<Wire>,
    metrics: Arc<Metrics>,
}

/// What a message to the server is made of.
struct Wire {
    /// One per instance.
    uris: Vec<Arc<str>>,
    peers: Vec<Peer>,
    meta: RequestMetaObject,
    last_id: AtomicI64,
    platform_key: Option<SecretString>,
}

/// What is wrong with an answer that arrived.
#[derive(Debug, thiserror::Error)]
enum BadAnswer {
    #[error("answers another request")]
    OtherId,
    #[error("is a JSON-RPC error: {0}")]
    RpcError(ErrorData),
    #[error("is not the result of a tool")]
    NotAToolResult,
    #[error("has no structured content and no text that is JSON")]
    NoContent,
    #[error("has content of another shape")]
    Shape(#[source] serde_json::Error),
}

impl Client {
    /// A client for the server named `name` in metrics; none when it has no address.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub(crate) fn new(
        name: &'static str,
        server: &McpServer,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> reqwest::Result<Option<Self>> {
        let Some((first, others)) = server.urls.split_first() else { return Ok(None) };
        let others = others.iter().map(|url| Connections::to(url.expose())).collect::<Result<Vec<_>, _>>()?;
        let first = Connections::to(first.expose())?;
        let us = Implementation::new("tripsage", env!("CARGO_PKG_VERSION"));
        Ok(Some(Self {
            server: name,
            dependency: Arc::new(Dependency::with_instances(name, limits, first, others)),
            wire: Arc::new(Wire {
                uris: server.urls.iter().map(|url| url.expose().as_str().into()).collect(),
                peers: server.urls.iter().map(|url| Peer::of(url.expose())).collect(),
                meta: RequestMetaObject::with_client_context(
                    ProtocolVersion::V_2026_07_28,
                    us,
                    ClientCapabilities::default(),
                ),
                last_id: AtomicI64::new(0),
                platform_key: server.api_key.clone(),
            }),
            metrics,
        }))
    }

    /// Its name in metrics.
    pub(crate) fn server(&self) -> &'static str {
        self.server
    }

    /// What its breaker would do with the next attempt.
    pub(crate) fn breaker_state(&self) -> State {
        self.dependency.breaker_state()
    }

    /// Whether each of its instances is ejected.
    pub(crate) fn ejected(&self) -> Vec<bool> {
        self.dependency.ejected()
    }

    /// Calls a tool and reads its structured content as `T`.
    ///
    /// # Errors
    /// Any [`Failure`] but `Absent`.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        tool: &'static str,
        arguments: &impl Serialize,
        repeat: Repeat,
        caller: &Caller,
    ) -> Result<T, Failure> {
        let arguments = match serde_json::to_value(arguments) {
            Ok(Value::Object(arguments)) => arguments,
            _ => return Err(Failure::refused("arguments are not an object")),
        };
        let attempts = Attempts::default();
        let ended = |failure: Option<&Failure>, took| {
            let failure = failure.map(Failure::label);
            attempts.ended(failure);
            self.metrics.mcp_attempt(self.server, tool, failure.unwrap_or("ok"), took);
        };
        let key = caller.account.secret(self.wire.platform_key.as_ref())?;
        if repeat == Repeat::Once {
            self.probe_if_due(tool, &arguments, caller);
        }
        let attempt = |via: Via| {
            let span = spans::tool_call(self.server, tool, self.wire.peers.get(via.instance));
            attempts.begun(&span);
            let arguments = arguments.clone();
            let answering = async move {
                let answer = self.wire.post(via, tool, arguments, key).await;
                answer.and_then(content).map_err(|failure| caller.account.owning(failure))
            };
            answering.instrument(span)
        };
        let outcome = self.dependency.call(repeat, caller.deadline, ended, attempt).await;
        caller.account.note(&outcome);
        outcome.inspect_err(|failure| {
            if matches!(failure, Failure::BreakerOpen { .. } | Failure::Saturated) {
                spans::failed(&spans::tool_call(self.server, tool, None), failure.label());
                self.metrics.mcp_refusal(self.server, tool, failure.label());
            }
        })
    }

    /// Sends a copy of a read to an ejected instance whose time is up. Nobody waits for it.
    fn probe_if_due(&self, tool: &'static str, arguments: &JsonObject, caller: &Caller) {
        let Some(turn) = self.dependency.due_probe() else { return };
        let (server, metrics) = (self.server, Arc::clone(&self.metrics));
        let (dependency, wire) = (Arc::clone(&self.dependency), Arc::clone(&self.wire));
        let (arguments, caller) = (arguments.clone(), caller.clone());
        tokio::spawn(async move {
            let ended = |failure: Option<&Failure>, took| {
                metrics.mcp_attempt(server, tool, failure.map_or("ok", Failure::label), took);
            };
            let Ok(key) = caller.account.secret(wire.platform_key.as_ref()) else { return };
            let attempt = |via| async {
                let answer = wire.post(via, tool, arguments.clone(), key).await;
                answer.and_then(content::<Value>).map_err(|failure| caller.account.owning(failure))
            };
            dependency.probe(turn, ended, attempt).await;
        });
    }
}

impl Wire {
    async fn post(
        &self,
        via: Via,
        tool: &'static str,
        arguments: JsonObject,
        key: Option<&SecretString>,
    ) -> Result<CallToolResult, Failure> {
        let mut params = CallToolRequestParams::new(tool).with_arguments(arguments);
        let mut headers = headers(tool);
        let mut meta = self.meta.clone();
        for (name, value) in outgoing() {
            // Servers that are not reached by HTTP alone read it here.
            meta.0.0.insert(name.to_string(), value.to_str().unwrap_or_default().into());
            headers.insert(name, value);
        }
        params.meta = Some(meta);
        let id = RequestId::Number(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let message = ClientJsonRpcMessage::request(request, id.clone());
        let mut limits = StreamableHttpResponseLimits::default();
        limits.max_json_response_size = ANSWER_BYTES_MAX;
        limits.max_sse_event_size = ANSWER_BYTES_MAX;
        let uri = Arc::clone(&self.uris[via.instance]);
        let key = key.map(|key| key.expose_secret().to_owned());
        let posted = via.http.post_message_with_response_limits(uri, message, None, key, headers, limits).await;
        let answer = match posted.map_err(failure)? {
            StreamableHttpPostResponse::Json(answer, _) => answer,
            stream => stream.expect_initialized().await.map_err(failure)?.0,
        };
        result(answer, &id)
    }
}

fn headers(tool: &'static str) -> HashMap<HeaderName, HeaderValue> {
    HashMap::from([
        (HeaderName::from_static("mcp-protocol-version"), HeaderValue::from_static("2026-07-28")),
        (HeaderName::from_static("mcp-method"), HeaderValue::from_static("tools/call")),
        (HeaderName::from_static("mcp-name"), HeaderValue::from_static(tool)),
    ])
}

fn failure(error: StreamableHttpError<reqwest::Error>) -> Failure {
    match error {
        StreamableHttpError::Client(error) if error.is_decode() || error.is_body() => Failure::cut(error),
        StreamableHttpError::Client(error) => Failure::unreachable(error),
        StreamableHttpError::Io(error) => Failure::unreachable(error),
        StreamableHttpError::HttpStatus(error) if error.status == STATUS_TOO_MANY_REQUESTS => {
            Failure::rate_limited(error.retry_after.as_deref())
        }
        error @ (StreamableHttpError::Sse(_) | StreamableHttpError::UnexpectedEndOfStream) => Failure::cut(error),
        StreamableHttpError::HttpStatus(error) => Failure::Status { status: error.status },
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => Failure::Unauthorized,
        StreamableHttpError::UnexpectedServerResponse(text)
            if UNCHALLENGED.iter().any(|told| text.starts_with(told)) =>
        {
            Failure::Unauthorized
        }
        other => Failure::malformed(other),
    }
}

fn result(answer: ServerJsonRpcMessage, id: &RequestId) -> Result<CallToolResult, Failure> {
    match answer {
        ServerJsonRpcMessage::Response(response) if response.id != *id => Err(Failure::malformed(BadAnswer::OtherId)),
        ServerJsonRpcMessage::Response(response) => match response.result {
            ServerResult::CallToolResult(result) => Ok(result),
            _ => Err(Failure::malformed(BadAnswer::NotAToolResult)),
        },
        ServerJsonRpcMessage::Error(error) if error.error.code == ErrorCode::INVALID_PARAMS => {
            Err(Failure::refused(&error.error.message))
        }
        ServerJsonRpcMessage::Error(error) if error.error.code == ErrorCode::INTERNAL_ERROR => {
            Err(Failure::Status { status: STATUS_INTERNAL_ERROR })
        }
        ServerJsonRpcMessage::Error(error) => Err(Failure::malformed(BadAnswer::RpcError(error.error))),
        _ => Err(Failure::malformed(BadAnswer::NotAToolResult)),
    }
}

fn content<T: DeserializeOwned>(result: CallToolResult) -> Result<T, Failure> {
    let text = || result.content.iter().find_map(|block| block.as_text()).map(|text| text.text.as_str());
    if result.is_error == Some(true) {
        let code = result.structured_content.as_ref().and_then(|content| content["code"].as_str()).map(Into::into);
        return Err(Failure::Refused { code, message: text().unwrap_or("no reason given").into() });
    }
    // Servers from before structured content put the same JSON into a text.
    let parsed = match result.structured_content {
        Some(structured) => T::deserialize(structured),
        None => serde_json::from_str(text().ok_or_else(|| Failure::malformed(BadAnswer::NoContent))?),
    };
    parsed.map_err(|error| Failure::malformed(BadAnswer::Shape(error)))
}
