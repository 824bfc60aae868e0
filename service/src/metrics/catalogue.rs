//! Every number of the service, by name.

use std::time::Duration;

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    labels::{
        CacheLabels, DegradedLabels, HandoffLabels, InstanceLabels, McpLabels, OutcomeLabels, ReasonLabels,
        RequestLabels, RouteLabels, ScopeLabels, ServerLabels, TokenLabels, ToolLabels,
    },
    looks::Looks,
    routes::Routes,
};
use crate::telemetry::span_outcomes;

const REQUEST_BUCKETS: [f64; 10] = [0.005, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0];
const SHORT_BUCKETS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];

/// All metrics of one service.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    pub(crate) in_flight: Gauge,
    pub(crate) shed: Counter,
    pub(crate) degraded: Family<DegradedLabels, Counter>,
    pub(crate) handoffs: Family<HandoffLabels, Counter>,
    pub(crate) handoff_seconds: Family<HandoffLabels, Histogram>,
    pub(crate) mcp_calls: Family<McpLabels, Counter>,
    pub(crate) mcp_seconds: Family<ToolLabels, Histogram>,
    pub(crate) mcp_breaker: Family<ServerLabels, Gauge>,
    pub(crate) mcp_ejected: Family<InstanceLabels, Gauge>,
    pub(crate) llm_requests: Family<OutcomeLabels, Counter>,
    pub(crate) llm_first_token_seconds: Histogram,
    pub(crate) llm_seconds: Histogram,
    llm_tokens: Family<TokenLabels, Counter>,
    pub(crate) llm_breaker: Gauge,
    cache: Family<CacheLabels, Counter>,
    pub(crate) pool_in_use: Gauge,
    pub(crate) pool_wait_seconds: Histogram,
    pub(crate) memory_writes: Family<OutcomeLabels, Counter>,
    pub(crate) bookings: Family<OutcomeLabels, Counter>,
    pub(crate) audit_events_sealed: Counter,
    pub(crate) exports: Family<OutcomeLabels, Counter>,
    pub(crate) erasures: Family<OutcomeLabels, Counter>,
    pub(crate) connections: Gauge,
    pub(crate) connections_delayed: Counter,
    connections_cut: Family<ReasonLabels, Counter>,
    pub(crate) rate_limited: Family<ScopeLabels, Counter>,
    pub(crate) rate_limit_fallbacks: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tripsage");
        let requests = Family::default();
        registry.register("requests", "Requests answered", requests.clone());
        let request_seconds = Family::new_with_constructor(request_histogram as fn() -> Histogram);
        registry.register("request_duration_seconds", "Time to the end of the answer", request_seconds.clone());
        let in_flight = Gauge::default();
        registry.register("inflight_requests", "Requests in progress, streams included", in_flight.clone());
        let shed = Counter::default();
        registry.register("shed", "Requests refused because too many were in progress", shed.clone());
        let degraded = Family::default();
        registry.register("degraded_responses", "Answers that were worse than asked for", degraded.clone());
        let handoffs = Family::default();
        registry.register("agent_handoffs", "Conversations handed from agent to agent", handoffs.clone());
        let handoff_seconds = Family::new_with_constructor(short_histogram as fn() -> Histogram);
        registry.register("agent_handoff_duration_seconds", "Time of a handoff", handoff_seconds.clone());
        let mcp_calls = Family::default();
        registry.register(
            "mcp_calls",
            "Attempts of tool calls, and calls refused before an attempt",
            mcp_calls.clone(),
        );
        let mcp_seconds = Family::new_with_constructor(request_histogram as fn() -> Histogram);
        registry.register("mcp_call_duration_seconds", "Time of an attempt of a tool call", mcp_seconds.clone());
        let mcp_breaker = Family::default();
        registry.register("mcp_breaker_state", "0 closed, 1 half-open, 2 open", mcp_breaker.clone());
        let mcp_ejected = Family::default();
        registry.register(
            "mcp_instance_ejected",
            "1 while an instance is not used because it failed or was slow",
            mcp_ejected.clone(),
        );
        let llm_requests = Family::default();
        registry.register("llm_requests", "Completions asked for", llm_requests.clone());
        let llm_first_token_seconds = request_histogram();
        registry.register(
            "llm_first_token_seconds",
            "Time to the first token of a completion",
            llm_first_token_seconds.clone(),
        );
        let llm_seconds = request_histogram();
        registry.register("llm_duration_seconds", "Time to the end of a completion", llm_seconds.clone());
        let llm_tokens = Family::default();
        registry.register("llm_tokens", "Tokens that completions used", llm_tokens.clone());
        let llm_breaker = Gauge::default();
        registry.register("llm_breaker_state", "0 closed, 1 half-open, 2 open", llm_breaker.clone());
        registry.register("trace_spans", "Spans sent to the collector, or lost on the way", span_outcomes());
        let cache = Family::default();
        registry.register("cache_requests", "Looks into a cache", cache.clone());
        let pool_in_use = Gauge::default();
        registry.register("db_pool_in_use", "Database connections in use", pool_in_use.clone());
        let pool_wait_seconds = short_histogram();
        registry.register("db_pool_wait_seconds", "Wait for a database connection", pool_wait_seconds.clone());
        let memory_writes = Family::default();
        registry.register("memory_writes", "Turns told to the memory server", memory_writes.clone());
        let bookings = Family::default();
        registry.register("bookings", "Bookings that came to a state", bookings.clone());
        let audit_events_sealed = Counter::default();
        registry.register("audit_events_sealed", "Audit events sealed by this replica", audit_events_sealed.clone());
        let exports = Family::default();
        registry.register("exports", "Steps of building exports", exports.clone());
        let erasures = Family::default();
        registry.register("erasures", "Steps of erasing deleted users", erasures.clone());
        let connections = Gauge::default();
        registry.register("connections", "Connections of clients that are open", connections.clone());
        let connections_delayed = Counter::default();
        registry.register(
            "connections_delayed",
            "Connections that had to wait for another to close",
            connections_delayed.clone(),
        );
        let connections_cut = Family::default();
        registry.register("connections_cut", "Connections closed for what their client did", connections_cut.clone());
        let rate_limited = Family::default();
        registry.register("rate_limited", "Requests refused by a rate limit", rate_limited.clone());
        let rate_limit_fallbacks = Counter::default();
        registry.register(
            "rate_limit_fallbacks",
            "Requests counted by this process alone, because Redis failed",
            rate_limit_fallbacks.clone(),
        );
        Self {
            registry,
            requests,
            request_seconds,
            in_flight,
            shed,
            degraded,
            handoffs,
            handoff_seconds,
            mcp_calls,
            mcp_seconds,
            mcp_breaker,
            mcp_ejected,
            llm_requests,
            llm_first_token_seconds,
            llm_seconds,
            llm_tokens,
            llm_breaker,
            cache,
            pool_in_use,
            pool_wait_seconds,
            memory_writes,
            bookings,
            audit_events_sealed,
            exports,
            erasures,
            connections,
            connections_delayed,
            connections_cut,
            rate_limited,
            rate_limit_fallbacks,
        }
    }

    /// Everything, as text.
    pub(crate) fn render(&self) -> String {
        let mut page = String::with_capacity(16 * 1024);
        text::encode(&mut page, &self.registry).expect("writing to a String cannot fail");
        page
    }

    /// Notes one attempt of a tool call.
    pub(crate) fn mcp_attempt(&self, server: &'static str, tool: &'static str, outcome: &'static str, took: Duration) {
        self.mcp_calls.get_or_create(&McpLabels { server, tool, outcome }).inc();
        self.mcp_seconds.get_or_create(&ToolLabels { server, tool }).observe(took.as_secs_f64());
    }

    /// Notes a tool call that was not even attempted.
    pub(crate) fn mcp_refusal(&self, server: &'static str, tool: &'static str, outcome: &'static str) {
        self.mcp_calls.get_or_create(&McpLabels { server, tool, outcome }).inc();
    }

    /// The counters of one cache.
    pub(crate) fn looks(&self, cache: &'static str) -> Looks {
        Looks::new(|outcome| self.cache.get_or_create_owned(&CacheLabels { cache, outcome }))
    }

    /// The series of these routes, and of no others.
    pub(crate) fn routes(&self, methods: impl IntoIterator<Item = (&'static str, String)>) -> Routes {
        Routes::new(&self.requests, &self.request_seconds, methods)
    }

    /// Notes the tokens of a completion.
    pub(crate) fn llm_tokens(&self, input: u64, output: u64) {
        for (direction, count) in [("input", input), ("output", output)] {
            self.llm_tokens.get_or_create(&TokenLabels { direction }).inc_by(count);
        }
    }

    /// Notes what became of a booking.
    pub(crate) fn booking(&self, outcome: &'static str) {
        self.bookings.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Notes what became of an export.
    pub(crate) fn export(&self, outcome: &'static str) {
        self.exports.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Notes what became of an attempt to erase a user.
    pub(crate) fn erasure(&self, outcome: &'static str) {
        self.erasures.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Notes a connection that was closed for what its client did.
    pub(crate) fn connection_cut(&self, reason: &'static str) {
        self.connections_cut.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Notes a handoff.
    pub(crate) fn handoff(&self, labels: &HandoffLabels, took: Duration) {
        self.handoffs.get_or_create(labels).inc();
        self.handoff_seconds.get_or_create(labels).observe(took.as_secs_f64());
    }

    /// Notes what became of a memory write.
    pub(crate) fn memory_write(&self, outcome: &'static str) {
        self.memory_writes.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}

fn request_histogram() -> Histogram {
    Histogram::new(REQUEST_BUCKETS)
}

fn short_histogram() -> Histogram {
    Histogram::new(SHORT_BUCKETS)
}
