//! `tool_changed`: a tool wants another argument than before. The list says so, and a call without it is refused.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::tool_error::refused;
use crate::forward::{Call, Deed, RequestFault};

/// Settings of a changed tool in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolChanged {
    /// Its name.
    pub tool: String,
    /// The argument that it wants from now on, a text; `api_revision` unless set.
    #[serde(default = "api_revision")]
    pub argument: String,
}

fn api_revision() -> String {
    "api_revision".to_owned()
}

impl RequestFault for ToolChanged {
    fn kind(&self) -> &'static str {
        "tool_changed"
    }

    fn concerns(&self, call: &Call) -> bool {
        let lacks_argument = call.arguments.get(&self.argument).is_none();
        call.method == "tools/list" || (call.tool.as_ref() == Some(&self.tool) && lacks_argument)
    }

    fn deed(&self, call: &Call) -> Deed {
        let Self { tool, argument } = self.clone();
        if call.is_tool_call() {
            let message = format!("missing required argument `{argument}`");
            return Deed::Answer(refused(call, None, &message));
        }
        Deed::edit(call, move |answer| {
            let mut tools = answer["result"]["tools"].as_array_mut().into_iter().flatten();
            let changed = tools.find(|listed| listed["name"] == tool).map(|listed| require(listed, &argument));
            changed.is_some()
        })
    }
}

/// Adds an argument to a tool's schema, and to those that must be given.
fn require(tool: &mut Value, argument: &str) {
    let schema = &mut tool["inputSchema"];
    if !schema.is_object() {
        *schema = json!({ "type": "object" });
    }
    for (part, empty) in [("properties", json!({})), ("required", json!([]))] {
        if schema[part].is_null() {
            schema[part] = empty;
        }
    }
    schema["properties"][argument] = json!({ "type": "string" });
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(Value::from(argument));
    }
}

impl fmt::Display for ToolChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tool_changed, `{}` wants `{}`", self.tool, self.argument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn the_list_and_the_calls_agree_on_the_new_argument() {
        let fault: ToolChanged = toml::from_str("tool = \"search\"\nargument = \"market\"").unwrap();
        let listing = Bench { call: Call::of_method("tools/list") };
        let schema = json!({"type": "object", "properties": {"from": {"type": "string"}}, "required": ["from"]});
        let list = json!({"id": 7, "result": {"tools": [{"name": "search", "inputSchema": schema}, {"name": "book"}]}});
        let seen = listing.edited(&fault, &list).unwrap();
        let changed = &seen["result"]["tools"][0]["inputSchema"];
        assert_eq!(changed["required"], json!(["from", "market"]));
        assert_eq!(changed["properties"]["market"], json!({"type": "string"}));
        assert_eq!(seen["result"]["tools"][1], json!({"name": "book"}));

        let body: Value = serde_json::from_slice(&Bench::new().reply(&fault).body).unwrap();
        assert_eq!(body["result"]["isError"], true);
        let with_argument = Call { arguments: json!({"market": "PT"}), ..Call::of_tool("search") };
        assert!(!fault.concerns(&with_argument) && !fault.concerns(&Call::of_tool("book")));
    }
}
