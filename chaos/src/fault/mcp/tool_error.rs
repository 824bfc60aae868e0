//! `tool_error`: the tool ran and says that it failed (`isError`), which is no fault of protocol or server.
use std::fmt;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::forward::{Call, Deed, Reply, RequestFault};

/// Settings of a tool's error in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolError {
    /// What the tool says; `the tool failed` unless set.
    #[serde(default = "failed")]
    pub message: String,
    /// Its stable name for the reason, as `code` of the structured content; none unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

fn failed() -> String {
    "the tool failed".to_owned()
}

impl RequestFault for ToolError {
    fn kind(&self) -> &'static str {
        "tool_error"
    }

    fn concerns(&self, call: &Call) -> bool {
        call.is_tool_call()
    }

    fn deed(&self, call: &Call) -> Deed {
        Deed::Answer(refused(call, self.code.as_deref(), &self.message))
    }
}

/// A tool's refusal in answer to the call.
pub(super) fn refused(call: &Call, code: Option<&str>, message: &str) -> Reply {
    let mut result = json!({ "content": [{ "type": "text", "text": message }], "isError": true });
    if let Some(code) = code {
        result["structuredContent"] = json!({ "code": code, "message": message });
    }
    if call.is_stateless {
        result["resultType"] = Value::from("complete");
    }
    Reply::json(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": call.id, "result": result }))
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tool_error `{}`", self.message)?;
        self.code.iter().try_for_each(|code| write!(f, ", code {code}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn the_result_is_whole_and_says_that_the_tool_failed() {
        let fault: ToolError = toml::from_str("message = \"no seats\"\ncode = \"sold_out\"").unwrap();
        let body: Value = serde_json::from_slice(&Bench::new().reply(&fault).body).unwrap();
        let result = &body["result"];
        assert_eq!(
            (&body["id"], &result["isError"], &result["resultType"]),
            (&json!(7), &json!(true), &json!("complete"))
        );
        assert_eq!(result["content"][0]["text"], "no seats");
        assert_eq!(result["structuredContent"]["code"], "sold_out");
        assert!(!fault.concerns(&Call::of_method("tools/list")));
        assert_eq!(fault.to_string(), "tool_error `no seats`, code sold_out");
    }
}
