//! The spans of traces, with the names and attributes of the OpenTelemetry semantic conventions.
//!
//! Without a collector none of them is made. Nothing of what users say is in an attribute.

use std::sync::{Mutex, PoisonError};

use http::Method;
use opentelemetry::Context;
use tracing::{Span, field::Empty, info_span};

/// What sets these spans apart from the rest of `tracing`.
pub(crate) const TARGET: &str = "tripsage_trace";

/// Methods whose names are told.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    host: String,
    port: u16,
}

/// The span of a request, in the extensions of the request.
#[derive(Clone)]
pub(crate) struct OfRequest(pub(crate) Span);

/// The span of the attempt in progress: attempts that run out of time are ended from outside.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<Option<Span>>);

impl Peer {
    /// The server of a URL.
    pub(crate) fn of(url: &reqwest::Url) -> Self {
        Self { host: url.host_str().unwrap_or_default().into(), port: url.port_or_known_default().unwrap_or_default() }
    }
}

impl Attempts {
    /// The next attempt has begun.
    pub(crate) fn begun(&self, span: &Span) {
        if !span.is_disabled() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(span.clone());
        }
    }

    /// It has ended, with a failure of that name or without.
    pub(crate) fn ended(&self, failure: Option<&'static str>) {
        let span = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(span), Some(failure)) = (span, failure) {
            failed(&span, failure);
        }
    }
}

/// A request of the API, from its arrival to the end of its answer.
pub(crate) fn request<B>(
    request: &http::Request<B>,
    route: &str,
    scheme: &'static str,
    request_id: &str,
    remote: Option<&Context>,
) -> Span {
    let _parent = remote.map(|context| context.clone().attach());
    let known = METHODS.iter().find(|known| *known == request.method()).map(Method::as_str);
    info_span!(
        target: TARGET,
        "request",
        otel.name = %format_args!("{} {route}", known.unwrap_or("HTTP")),
        otel.kind = "server",
        otel.status_code = Empty,
        "http.request.method" = known.unwrap_or("_OTHER"),
        "http.route" = route,
        "http.response.status_code" = Empty,
        "url.path" = request.uri().path(),
        "url.scheme" = scheme,
        "tripsage.request_id" = request_id,
        "error.type" = Empty,
    )
}

/// One attempt to call a tool of an MCP server.
pub(crate) fn tool_call(server: &'static str, tool: &'static str, to: Option<&Peer>) -> Span {
    info_span!(
        target: TARGET,
        "tools/call",
        otel.name = %format_args!("tools/call {tool}"),
        otel.kind = "client",
        otel.status_code = Empty,
        "mcp.method.name" = "tools/call",
        "mcp.protocol.version" = "2026-07-28",
        "gen_ai.operation.name" = "execute_tool",
        "gen_ai.tool.name" = tool,
        "network.transport" = "tcp",
        "server.address" = to.map(|to| to.host.as_str()),
        "server.port" = to.map(|to| to.port),
        "tripsage.mcp.server" = server,
        "error.type" = Empty,
    )
}

/// A completion of the language model, to its last token.
pub(crate) fn completion(model: &str, to: &Peer, temperature: Option<f64>, max_tokens: Option<u32>) -> Span {
    info_span!(
        target: TARGET,
        "chat",
        otel.name = %format_args!("chat {model}"),
        otel.kind = "client",
        otel.status_code = Empty,
        "gen_ai.operation.name" = "chat",
        "gen_ai.provider.name" = "openai",
        "gen_ai.request.model" = model,
        "gen_ai.request.temperature" = temperature,
        "gen_ai.request.max_tokens" = max_tokens,
        "gen_ai.usage.input_tokens" = Empty,
        "gen_ai.usage.output_tokens" = Empty,
        "server.address" = to.host.as_str(),
        "server.port" = to.port,
        "error.type" = Empty,
    )
}

/// A conversation that goes from one agent to another.
pub(crate) fn handoff(from: &'static str, to: &'static str, trigger: &'static str) -> Span {
    info_span!(target: TARGET, "agent_handoff", from, to, trigger, result = Empty)
}

/// A statement of the database.
pub(crate) fn statement(system: &'static str, sql: &'static str) -> Span {
    let operation = || sql.split_ascii_whitespace().next().unwrap_or_default();
    info_span!(
        target: TARGET,
        "statement",
        otel.name = operation(),
        otel.kind = "client",
        otel.status_code = Empty,
        "db.system.name" = system,
        "db.operation.name" = operation(),
        "db.query.text" = sql,
        "error.type" = Empty,
    )
}

/// Ends a span now, and not when it was last worked in, once nobody keeps it any more.
pub(crate) fn ended(span: &Span) {
    span.in_scope(|| ());
}

/// Notes a failure by its name.
pub(crate) fn failed(span: &Span, failure: &'static str) {
    span.record("error.type", failure);
    span.record("otel.status_code", "ERROR");
}
