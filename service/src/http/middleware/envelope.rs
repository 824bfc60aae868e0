//! What every answer has: its request id, the headers for browsers, and the body of an error.

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, header::CONTENT_TYPE};
use opentelemetry::context::FutureExt as _;
use tracing::{Instrument as _, Span, field::Empty};
use uuid::Uuid;

use super::security_headers::{self, Kind};
use crate::{
    http::error::ApiError,
    telemetry::{self, spans},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API: &str = "/api/";
/// A longer id from outside is replaced.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// What is true of all answers of one listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope {
    pub(crate) is_tls: bool,
}

/// Takes or makes the request id, answers it in `X-Request-Id`, adds the security headers, and writes the body of an
/// [`ApiError`].
pub(crate) async fn envelope(State(of): State<Envelope>, mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let kind = Kind::of(request.uri().path());
    let remote = telemetry::remote(request.headers());
    let span = match route(&request) {
        Some(route) => {
            let scheme = if of.is_tls { "https" } else { "http" };
            spans::request(&request, route, scheme, &id, remote.as_ref())
        }
        None => Span::none(),
    };
    if !span.is_disabled() {
        request.extensions_mut().insert(spans::OfRequest(span.clone()));
    }
    let trace_id = telemetry::trace_id(&span, remote.as_ref()).map(tracing::field::display);
    // Every line needs them, whatever the filter lets pass.
    let lines = tracing::error_span!(parent: &span, "request", request_id = %id, trace_id, user_id = Empty);
    let answering = next.run(request).instrument(lines.clone());
    let mut response = match remote.filter(|_| span.is_disabled()) {
        Some(remote) => answering.with_context(remote).await,
        None => answering.instrument(span.clone()).await,
    };
    let status = response.status().as_u16();
    span.record("http.response.status_code", status);
    let error = response.extensions_mut().remove::<ApiError>();
    if status >= 500 {
        spans::failed(&span, error.as_ref().map_or("unknown", |error| error.code));
    }
    lines.in_scope(|| tracing::debug!(status, "answered with {status}"));
    if let Some(error) = error {
        lines.in_scope(|| log(&error));
        *response.body_mut() = Body::from(error.body(&id).to_string());
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    security_headers::add(response.headers_mut(), kind, of.is_tls);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The template of a route of the API. Probes are not traced: they would be most of what is.
fn route(request: &Request) -> Option<&str> {
    let template = request.extensions().get().map(MatchedPath::as_str)?;
    template.starts_with(API).then_some(template)
}

fn request_id(request: &Request) -> String {
    let is_plain = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain);
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// A 500 is a bug; any other failure has its metrics and would flood the log.
fn log(error: &ApiError) {
    let cause = error.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
    match error.status.as_u16() {
        500 => tracing::error!(code = error.code, error = cause, "request failed by a bug of ours"),
        status => tracing::debug!(status, code = error.code, error = cause, "request failed with {status}"),
    }
}
