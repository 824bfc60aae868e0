//! `wrong_id`: the answer carries an id that the client did not ask with.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::forward::{Call, Deed, RequestFault};

/// Settings of a wrong id in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrongId {
    /// What the id is instead; `other` unless set.
    #[serde(default, rename = "as")]
    pub manner: WrongIdAs,
}

/// What an id is instead of the right one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrongIdAs {
    /// One that nobody asked with.
    #[default]
    Other,
    /// The right number as a text (or the right text as a number).
    Text,
    /// Null.
    Null,
    /// Not there.
    Missing,
}

impl RequestFault for WrongId {
    fn kind(&self) -> &'static str {
        "wrong_id"
    }

    fn deed(&self, call: &Call) -> Deed {
        let manner = self.manner;
        Deed::edit(call, move |answer| {
            let id = answer["id"].clone();
            match manner {
                WrongIdAs::Other => answer["id"] = other(&id),
                WrongIdAs::Text => answer["id"] = of_other_type(&id),
                WrongIdAs::Null => answer["id"] = Value::Null,
                WrongIdAs::Missing => drop(answer.as_object_mut().and_then(|answer| answer.remove("id"))),
            }
            true
        })
    }
}

/// An id far from those in use.
fn other(id: &Value) -> Value {
    match id.as_i64() {
        Some(number) => Value::from(number.wrapping_add(1_000_000_007)),
        None => Value::from(format!("{}-other", id.as_str().unwrap_or_default())),
    }
}

fn of_other_type(id: &Value) -> Value {
    match id {
        Value::String(text) => Value::from(text.len()),
        other => Value::from(other.to_string()),
    }
}

impl fmt::Display for WrongId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.manner {
            WrongIdAs::Other => "wrong_id",
            WrongIdAs::Text => "wrong_id of another type",
            WrongIdAs::Null => "wrong_id, null",
            WrongIdAs::Missing => "wrong_id, missing",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::forward::Bench;

    #[test]
    fn only_the_id_is_wrong() {
        let check = |text: &str, id: Option<Value>| {
            let fault: WrongId = toml::from_str(text).unwrap();
            let seen = Bench::new().edited(&fault, &Bench::result()).unwrap();
            assert_eq!((seen.get("id"), &seen["result"]), (id.as_ref(), &Bench::result()["result"]), "{text}");
        };
        check("", Some(json!(1_000_000_014)));
        check("as = \"text\"", Some(json!("7")));
        check("as = \"null\"", Some(Value::Null));
        check("as = \"missing\"", None);
    }

    #[test]
    fn what_is_not_the_answer_is_left_alone() {
        let fault: WrongId = toml::from_str("").unwrap();
        let bench = Bench::new();
        assert_eq!(bench.edited(&fault, &json!({"jsonrpc": "2.0", "id": 8, "result": {}})), None);
        let notification = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}});
        assert_eq!(bench.edited(&fault, &notification), None);
    }
}
