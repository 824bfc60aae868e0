//! `protocol_refused`: the server speaks another version of MCP only.
//!
//! A handshake is answered with that version; a request of a client without handshake (MCP 2026-07-28), or in a session, is
//! refused with HTTP 400 and the error `UnsupportedProtocolVersion`, which names the versions that there are.
use std::fmt;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rpc_error::refusal;
use crate::forward::{Call, Deed, RequestFault};

/// `UnsupportedProtocolVersion` of MCP 2026-07-28.
const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32_022;

/// Settings of a refused protocol in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolRefused {
    /// The version that the server speaks; `2024-11-05`, the first, unless set.
    #[serde(default = "first_version")]
    pub version: String,
}

fn first_version() -> String {
    "2024-11-05".to_owned()
}

impl RequestFault for ProtocolRefused {
    fn kind(&self) -> &'static str {
        "protocol_refused"
    }

    fn deed(&self, call: &Call) -> Deed {
        let version = self.version.clone();
        if call.method == "initialize" {
            return Deed::edit(call, move |answer| {
                let spoken = answer.pointer_mut("/result/protocolVersion");
                spoken.is_some_and(|spoken| std::mem::replace(spoken, Value::from(version.as_str())) != version)
            });
        }
        let error = json!({
            "code": UNSUPPORTED_PROTOCOL_VERSION,
            "message": "Unsupported protocol version",
            "data": { "supported": [version] },
        });
        Deed::Answer(refusal(StatusCode::BAD_REQUEST, call, error))
    }
}

impl fmt::Display for ProtocolRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "protocol_refused, only {}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn each_era_is_refused_in_its_own_way() {
        let fault: ProtocolRefused = toml::from_str("").unwrap();
        let hello = Bench { call: Call::of_method("initialize") };
        let answer = json!({"id": 7, "result": {"protocolVersion": "2025-11-25", "capabilities": {}}});
        let seen = hello.edited(&fault, &answer).unwrap();
        assert_eq!(seen["result"], json!({"protocolVersion": "2024-11-05", "capabilities": {}}));
        let same = json!({"id": 7, "result": {"protocolVersion": "2024-11-05"}});
        assert_eq!(hello.edited(&fault, &same), None, "nothing is refused");

        let reply = Bench::new().reply(&fault);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(-32022)));
        assert_eq!(body["error"]["data"]["supported"], json!(["2024-11-05"]));
    }
}
