//! The W3C trace context: taken from a request, handed on to what the service calls.

use std::future::Future;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    context::FutureExt as _,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{TraceContextExt as _, TraceId},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";

struct Headers<'a>(&'a HeaderMap);

struct Outgoing(Vec<(HeaderName, HeaderValue)>);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

impl Injector for Outgoing {
    fn set(&mut self, name: &str, value: String) {
        // A trace without state has an empty one.
        if let (Ok(name), Ok(value), false) =
            (HeaderName::try_from(name), HeaderValue::try_from(&value), value.is_empty())
        {
            self.0.push((name, value));
        }
    }
}

/// The trace that a request says it belongs to; none when it does not say so well.
pub(crate) fn remote(headers: &HeaderMap) -> Option<Context> {
    headers.get(TRACEPARENT)?;
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    context.span().span_context().is_valid().then_some(context)
}

/// The trace of a request: that of its span, else the one it says it belongs to.
pub(crate) fn trace_id(span: &Span, remote: Option<&Context>) -> Option<TraceId> {
    let of = |context: &Context| context.span().span_context().trace_id();
    if span.is_disabled() { remote.map(of) } else { Some(of(&span.context())) }
}

/// The headers that tell another system of the trace it works for.
pub(crate) fn outgoing() -> Vec<(HeaderName, HeaderValue)> {
    Context::map_current(|context| {
        let mut headers = Outgoing(Vec::new());
        if context.has_active_span() {
            TraceContextPropagator::new().inject_context(context, &mut headers);
        }
        headers.0
    })
}

/// Work for a request on a task of its own: its lines and spans are those of the request.
pub(crate) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    work.in_current_span().with_current_context()
}

/// What work that is done later, when the request is answered already, is done for.
pub(crate) struct Origin(Context);

impl Origin {
    /// The request that is worked for now.
    pub(crate) fn current() -> Self {
        Self(Context::current())
    }

    /// Work for it.
    pub(crate) fn of<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        work.with_context(self.0)
    }
}
