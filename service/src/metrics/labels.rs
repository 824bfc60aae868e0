//! What tells the series of one metric apart.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(crate) struct $name { $(pub(crate) $field: $type),+ }
    )+};
}

labels! {
    /// Of a finished request; 499 stands for a client that left.
    RequestLabels { method: &'static str, route: Arc<str>, status: u16 }
    /// Of a route.
    RouteLabels { method: &'static str, route: Arc<str> }
    /// Of a degraded answer.
    DegradedLabels { route: &'static str, reason: &'static str }
    /// Of a handoff.
    HandoffLabels { from: &'static str, to: &'static str, trigger: &'static str, result: &'static str }
    /// Of one attempt of a tool call.
    McpLabels { server: &'static str, tool: &'static str, outcome: &'static str }
    /// Of a tool.
    ToolLabels { server: &'static str, tool: &'static str }
    /// Of an MCP server.
    ServerLabels { server: &'static str }
    /// Of one instance of an MCP server, by its place in the settings, from 0.
    InstanceLabels { server: &'static str, instance: u64 }
    /// Of anything that ends one way or another.
    OutcomeLabels { outcome: &'static str }
    /// Of the tokens of the language model: input, output.
    TokenLabels { direction: &'static str }
    /// Of a look into a cache: hit, miss, stale.
    CacheLabels { cache: &'static str, outcome: &'static str }
    /// Of anything that happens for one reason or another.
    ReasonLabels { reason: &'static str }
    /// Of a limit: user, chat, keys, ip.
    ScopeLabels { scope: &'static str }
}
