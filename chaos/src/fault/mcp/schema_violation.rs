//! `schema_violation`: a field of the content is missing, null or of another type, against the tool's schema.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content;
use crate::forward::{Call, Deed, RequestFault};

/// Settings of a schema violation in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaViolation {
    /// The field, such as `total_amount`, at any depth; a tool whose answers do not have it is not hit.
    pub field: String,
    /// What is wrong with it; `missing` unless set.
    #[serde(default, rename = "as")]
    pub manner: Violation,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// It is not there.
    #[default]
    Missing,
    /// It is null.
    Null,
    /// It is of another type: a text becomes a number, anything else a text.
    WrongType,
}

impl RequestFault for SchemaViolation {
    fn kind(&self) -> &'static str {
        "schema_violation"
    }

    fn concerns(&self, call: &Call) -> bool {
        call.is_tool_call()
    }

    fn deed(&self, call: &Call) -> Deed {
        let Self { field, manner } = self.clone();
        Deed::edit(call, move |answer| content::edit(answer, |content| violate(content, &field, manner)))
    }
}

/// Spoils the field wherever it is; says whether it was anywhere.
fn violate(value: &mut Value, field: &str, manner: Violation) -> bool {
    match value {
        Value::Object(fields) => {
            let here = match (manner, fields.get_mut(field)) {
                (_, None) => false,
                (Violation::Missing, Some(_)) => fields.remove(field).is_some(),
                (Violation::Null, Some(value)) => !std::mem::take(value).is_null(),
                (Violation::WrongType, Some(value)) => {
                    *value = if value.is_string() { Value::from(42) } else { Value::from("not of this type") };
                    true
                }
            };
            fields.values_mut().fold(here, |is_violated, value| violate(value, field, manner) || is_violated)
        }
        Value::Array(values) => {
            values.iter_mut().filter_map(|value| violate(value, field, manner).then_some(())).count() > 0
        }
        _ => false,
    }
}

impl fmt::Display for SchemaViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manner = match self.manner {
            Violation::Missing => "missing",
            Violation::Null => "null",
            Violation::WrongType => "of another type",
        };
        write!(f, "schema_violation, `{}` {manner}", self.field)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::forward::Bench;

    #[test]
    fn the_field_is_spoilt_in_content_and_text() {
        let seen = |text: &str| {
            let fault: SchemaViolation = toml::from_str(text).unwrap();
            let seen = Bench::new().edited(&fault, &Bench::result()).unwrap();
            let text: Value = serde_json::from_str(seen["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
            assert_eq!(text, seen["result"]["structuredContent"]);
            text
        };
        assert_eq!(seen("field = \"total_amount\"")["offers"][0].get("total_amount"), None);
        assert_eq!(seen("field = \"total_amount\"\nas = \"null\"")["offers"][0]["total_amount"], Value::Null);
        assert!(seen("field = \"total_amount\"\nas = \"wrong_type\"")["offers"][0]["total_amount"].is_string());
        assert_eq!(seen("field = \"id\"\nas = \"wrong_type\"")["offers"][0]["id"], json!(42));
        assert_eq!(seen("field = \"offers\""), json!({"count": 1}));
    }

    #[test]
    fn an_answer_without_the_field_is_not_hit() {
        let fault = SchemaViolation { field: "nothing".to_owned(), manner: Violation::Missing };
        assert_eq!(Bench::new().edited(&fault, &Bench::result()), None);
    }
}
