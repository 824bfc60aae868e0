//! `oversized`: the answer is right, and far larger than it need be.
use std::fmt;

use reports::units::format_size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    fault::{
        Error,
        setting::{read_size, write_size},
    },
    forward::{Call, Deed, RequestFault},
};

/// No answer is made larger, in bytes: it is held in memory.
const SIZE_MAX: u64 = 64 * 1024 * 1024;

/// Settings of an oversized answer in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oversized {
    /// How much is added, such as `"5MiB"`; up to 64 MiB.
    #[serde(deserialize_with = "read_size", serialize_with = "write_size")]
    #[schemars(with = "String")]
    pub size: u64,
}

impl RequestFault for Oversized {
    fn kind(&self) -> &'static str {
        "oversized"
    }

    fn check(&self) -> Result<(), Error> {
        match self.size {
            0 => Err(Error::NoEffect("an answer with 0 bytes more is not oversized")),
            size if size > SIZE_MAX => {
                Err(Error::Setting { name: "size", value: format_size(size), must: "at most 64MiB" })
            }
            _ => Ok(()),
        }
    }

    fn deed(&self, call: &Call) -> Deed {
        let size = usize::try_from(self.size).unwrap_or(0);
        Deed::edit(call, move |answer| {
            let part = if answer["result"].is_object() { "result" } else { "error" };
            let place = if part == "result" { "_meta" } else { "data" };
            let Some(fields) = answer[part].as_object_mut() else { return false };
            let meta = fields.entry(place).or_insert_with(|| json!({}));
            if !meta.is_object() {
                *meta = json!({});
            }
            meta["padding"] = Value::from("x".repeat(size));
            true
        })
    }
}

impl fmt::Display for Oversized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oversized by {}", format_size(self.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn the_answer_is_right_and_large() {
        let fault: Oversized = toml::from_str("size = \"64KiB\"").unwrap();
        let mut seen = Bench::new().edited(&fault, &Bench::result()).unwrap();
        assert_eq!(seen["result"]["_meta"]["padding"].as_str().unwrap().len(), 65_536);
        seen["result"].as_object_mut().unwrap().remove("_meta");
        assert_eq!(seen, Bench::result());
        let error = json!({"id": 7, "error": {"code": 1, "data": "x"}});
        assert!(Bench::new().edited(&fault, &error).unwrap().to_string().len() > 65_536);
        assert!(Oversized { size: 0 }.check().is_err() && Oversized { size: SIZE_MAX + 1 }.check().is_err());
    }
}
