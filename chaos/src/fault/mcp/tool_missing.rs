//! `tool_missing`: a tool is gone. The list does not have it, and a call of it is refused.
use std::fmt;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rpc_error::refusal;
use crate::forward::{Call, Deed, RequestFault};

/// The code of JSON-RPC for arguments, of which the name of a tool is one.
const INVALID_PARAMS: i64 = -32_602;

/// Settings of a missing tool in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolMissing {
    /// Its name.
    pub tool: String,
}

impl RequestFault for ToolMissing {
    fn kind(&self) -> &'static str {
        "tool_missing"
    }

    fn concerns(&self, call: &Call) -> bool {
        call.method == "tools/list" || call.tool.as_ref() == Some(&self.tool)
    }

    fn deed(&self, call: &Call) -> Deed {
        if call.is_tool_call() {
            let error = json!({ "code": INVALID_PARAMS, "message": format!("Unknown tool: {}", self.tool) });
            return Deed::Answer(refusal(StatusCode::OK, call, error));
        }
        let missing = self.tool.clone();
        Deed::edit(call, move |answer| {
            let Some(tools) = answer["result"]["tools"].as_array_mut() else { return false };
            let count = tools.len();
            tools.retain(|tool| tool["name"] != missing);
            tools.len() < count
        })
    }
}

impl fmt::Display for ToolMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tool_missing `{}`", self.tool)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::forward::Bench;

    #[test]
    fn the_tool_is_neither_listed_nor_known() {
        let fault = ToolMissing { tool: "search".to_owned() };
        let list = |names: &[&str]| {
            let tools: Vec<Value> = names.iter().map(|name| json!({"name": name, "inputSchema": {}})).collect();
            json!({"jsonrpc": "2.0", "id": 7, "result": {"tools": tools}})
        };
        let listing = Bench { call: Call::of_method("tools/list") };
        assert_eq!(listing.edited(&fault, &list(&["book", "search"])).unwrap(), list(&["book"]));
        assert_eq!(listing.edited(&fault, &list(&["book"])), None, "it was not there");
        let body: Value = serde_json::from_slice(&Bench::new().reply(&fault).body).unwrap();
        assert_eq!(body["error"], json!({"code": -32602, "message": "Unknown tool: search"}));
        assert!(!fault.concerns(&Call::of_tool("book")));
    }
}
