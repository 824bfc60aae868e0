//! The list of MCP faults.
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AnswerLost, DuplicateAnswer, MalformedJson, NoAnswer, Oversized, ProtocolRefused, RpcError, SchemaViolation,
    SessionLost, SlowDrip, Stalled, ToolChanged, ToolError, ToolMissing, Truncated, WrongContent, WrongId,
};
use crate::{fault::HttpError, forward::RequestFault};

/// What goes wrong with requests to an MCP server, as written in a scenario: `{ http_error = { status = 503 } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum McpFault {
    /// The answer is an HTTP error: 5xx, 429 with `Retry-After`, 401 and others.
    HttpError(HttpError),
    /// The answer is a JSON-RPC error.
    RpcError(RpcError),
    /// The tool says that it failed: a result with `isError`.
    ToolError(ToolError),
    /// The answer is not JSON.
    MalformedJson(MalformedJson),
    /// The answer carries the id of another request.
    WrongId(WrongId),
    /// The request is swallowed: the server never sees it, and the client hears nothing.
    NoAnswer(NoAnswer),
    /// The answer comes twice.
    DuplicateAnswer(DuplicateAnswer),
    /// The answer breaks off in its middle.
    Truncated(Truncated),
    /// The answer stops in its middle, and the connection stays open.
    Stalled(Stalled),
    /// The answer comes in drops.
    SlowDrip(SlowDrip),
    /// The session is not known any more (MCP before 2026-07-28).
    SessionLost(SessionLost),
    /// The content is not what the tool's schema promises.
    SchemaViolation(SchemaViolation),
    /// The content is plausible, and wrong.
    WrongContent(WrongContent),
    /// The answer is far larger than usual.
    Oversized(Oversized),
    /// A tool is gone: not listed, and unknown when called.
    ToolMissing(ToolMissing),
    /// A tool wants another argument than before.
    ToolChanged(ToolChanged),
    /// The server speaks another version of the protocol.
    ProtocolRefused(ProtocolRefused),
    /// The server did what it was asked, and its answer is lost.
    AnswerLost(AnswerLost),
}

impl McpFault {
    /// The fault itself, whichever it is.
    pub(crate) fn kind(&self) -> Arc<dyn RequestFault> {
        match self.clone() {
            Self::HttpError(kind) => Arc::new(kind),
            Self::RpcError(kind) => Arc::new(kind),
            Self::ToolError(kind) => Arc::new(kind),
            Self::MalformedJson(kind) => Arc::new(kind),
            Self::WrongId(kind) => Arc::new(kind),
            Self::NoAnswer(kind) => Arc::new(kind),
            Self::DuplicateAnswer(kind) => Arc::new(kind),
            Self::Truncated(kind) => Arc::new(kind),
            Self::Stalled(kind) => Arc::new(kind),
            Self::SlowDrip(kind) => Arc::new(kind),
            Self::SessionLost(kind) => Arc::new(kind),
            Self::SchemaViolation(kind) => Arc::new(kind),
            Self::WrongContent(kind) => Arc::new(kind),
            Self::Oversized(kind) => Arc::new(kind),
            Self::ToolMissing(kind) => Arc::new(kind),
            Self::ToolChanged(kind) => Arc::new(kind),
            Self::ProtocolRefused(kind) => Arc::new(kind),
            Self::AnswerLost(kind) => Arc::new(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{fault::request_fault, forward::Protocol};

    #[test]
    fn every_kind_goes_by_the_name_that_a_scenario_writes() {
        let written = json!({
            "http_error": { "status": 503, "retry_after": "60s" },
            "rpc_error": { "code": -32000 },
            "tool_error": { "code": "sold_out" },
            "malformed_json": { "as": "html" },
            "wrong_id": { "as": "null" },
            "no_answer": { "close_after": "2s" },
            "duplicate_answer": {},
            "truncated": {},
            "stalled": {},
            "slow_drip": { "rate": "100B/s" },
            "session_lost": {},
            "schema_violation": { "field": "total_amount" },
            "wrong_content": { "price_factor": 0.1 },
            "oversized": { "size": "5MiB" },
            "tool_missing": { "tool": "search" },
            "tool_changed": { "tool": "search" },
            "protocol_refused": {},
            "answer_lost": {},
        });
        let kinds = written.as_object().unwrap();
        for (name, settings) in kinds {
            let fault: McpFault = serde_json::from_value(json!({ name: settings })).unwrap();
            assert_eq!(fault.kind().kind(), name);
            let (again, shown) = request_fault(Protocol::Mcp, name, settings.as_object().unwrap().clone()).unwrap();
            assert_eq!((again.kind(), again.to_string()), (name.as_str(), fault.kind().to_string()));
            assert!(again.to_string().starts_with(name), "{again}");
            let twice = request_fault(Protocol::Mcp, name, shown.clone()).unwrap().1;
            assert_eq!(twice, shown, "what is shown can be written");
            let unknown = json!({ "nonsense": 1 }).as_object().cloned().unwrap();
            assert!(request_fault(Protocol::Mcp, name, unknown).is_err(), "{name}");
        }
        let schema = serde_json::to_value(schemars::schema_for!(McpFault)).unwrap();
        assert_eq!(schema["oneOf"].as_array().map(Vec::len), Some(kinds.len()), "each has an example here");
    }
}
