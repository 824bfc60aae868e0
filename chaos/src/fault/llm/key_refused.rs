//! `key_refused`: the key is refused, as one that was revoked is.
use std::fmt;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::forward::{Call, Deed, Reply, RequestFault};

/// Settings of a refused key in a scenario: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRefused {}

impl RequestFault for KeyRefused {
    fn kind(&self) -> &'static str {
        "key_refused"
    }

    fn deed(&self, _: &Call) -> Deed {
        let error = json!({
            "message": "Incorrect API key provided.",
            "type": "invalid_request_error",
            "param": null,
            "code": "invalid_api_key",
        });
        Deed::Answer(Reply::json(StatusCode::UNAUTHORIZED, &json!({ "error": error })))
    }
}

impl fmt::Display for KeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key_refused")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn the_answer_is_that_of_a_revoked_key() {
        let reply = Bench::new().reply(&KeyRefused {});
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert!(String::from_utf8_lossy(&reply.body).contains("invalid_api_key"));
    }
}
