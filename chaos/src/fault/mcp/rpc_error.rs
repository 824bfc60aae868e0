//! `rpc_error`: the request is answered with a JSON-RPC error.
use std::fmt;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::forward::{Call, Deed, Reply, RequestFault};

/// Settings of a JSON-RPC error in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RpcError {
    /// Its code; -32603 (internal error) unless set.
    #[serde(default = "internal_error")]
    pub code: i64,
    /// Its message; `Internal error` unless set.
    #[serde(default = "internal_error_text")]
    pub message: String,
}

fn internal_error() -> i64 {
    -32_603
}

fn internal_error_text() -> String {
    "Internal error".to_owned()
}

impl RequestFault for RpcError {
    fn kind(&self) -> &'static str {
        "rpc_error"
    }

    fn deed(&self, call: &Call) -> Deed {
        Deed::Answer(refusal(StatusCode::OK, call, json!({ "code": self.code, "message": self.message })))
    }
}

/// A JSON-RPC error in answer to the call.
pub(super) fn refusal(status: StatusCode, call: &Call, error: serde_json::Value) -> Reply {
    Reply::json(status, &json!({ "jsonrpc": "2.0", "id": call.id, "error": error }))
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rpc_error {} ({})", self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::forward::Bench;

    #[test]
    fn the_error_answers_the_request() {
        let fault: RpcError = toml::from_str("code = -32000\nmessage = \"busy\"").unwrap();
        let reply = Bench::new().reply(&fault);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(body, json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32000, "message": "busy"}}));
        assert_eq!(toml::from_str::<RpcError>("").unwrap().to_string(), "rpc_error -32603 (Internal error)");
    }
}
