//! `session_lost`: a request in a session is answered as if there were no such session, as after a restart of the server.
//!
//! Sessions are of MCP before 2026-07-28; requests without one pass.
use std::fmt;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rpc_error::refusal;
use crate::forward::{Call, Deed, RequestFault};

/// Settings of a lost session in a scenario: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionLost {}

impl RequestFault for SessionLost {
    fn kind(&self) -> &'static str {
        "session_lost"
    }

    fn concerns(&self, call: &Call) -> bool {
        call.has_session
    }

    fn deed(&self, call: &Call) -> Deed {
        let error = json!({ "code": -32_001, "message": "Session not found" });
        Deed::Answer(refusal(StatusCode::NOT_FOUND, call, error))
    }
}

impl fmt::Display for SessionLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("session_lost")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn only_requests_in_a_session_lose_it() {
        let in_session = Bench { call: Call::of_method("tools/list") };
        assert_eq!(in_session.reply(&SessionLost {}).status, StatusCode::NOT_FOUND);
        assert!(!SessionLost {}.concerns(&Call::of_tool("search")));
    }
}
