//! `malformed_json`: the answer is not JSON, with the status and type of one that is.
use std::fmt;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forward::{Call, Deed, RequestFault, Step};

/// Settings of a malformed answer in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MalformedJson {
    /// What is wrong with it; `unclosed` unless set.
    #[serde(default, rename = "as")]
    pub manner: Malformation,
}

/// What is wrong with an answer that should be JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Malformation {
    /// The last brace is missing.
    #[default]
    Unclosed,
    /// The error page of a gateway.
    Html,
    /// Nothing at all.
    Empty,
}

impl RequestFault for MalformedJson {
    fn kind(&self) -> &'static str {
        "malformed_json"
    }

    fn deed(&self, call: &Call) -> Deed {
        let manner = self.manner;
        Deed::on_answer(call, move |event, message| {
            let mut text = message.to_string();
            let bytes = match manner {
                Malformation::Unclosed => {
                    text.pop();
                    event.with_data(&text)
                }
                Malformation::Html => event.with_data("<html><body><h1>502 Bad Gateway</h1></body></html>"),
                Malformation::Empty if event.is_streamed => Bytes::new(),
                Malformation::Empty => event.with_data(""),
            };
            Some(vec![Step::Send(bytes)])
        })
    }
}

impl fmt::Display for MalformedJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.manner {
            Malformation::Unclosed => "malformed_json, unclosed",
            Malformation::Html => "malformed_json, HTML",
            Malformation::Empty => "malformed_json, empty",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::{Bench, Event};

    fn data(text: &str) -> [String; 2] {
        let fault: MalformedJson = toml::from_str(text).unwrap();
        let both = Bench::new().steps(&fault, &Bench::result()).map(|steps| {
            let Some([Step::Send(bytes)]) = steps.as_deref() else { panic!("one piece, not {steps:?}") };
            bytes.clone()
        });
        let [plain, streamed] = both;
        [(plain, false), (streamed, true)].map(|(raw, is_streamed)| Event { raw, is_streamed }.data())
    }

    #[test]
    fn what_comes_is_not_json() {
        for text in data("") {
            assert!(text.starts_with('{') && serde_json::from_str::<serde_json::Value>(&text).is_err(), "{text}");
        }
        assert!(data("as = \"html\"").iter().all(|text| text.starts_with("<html>")));
        assert_eq!(data("as = \"empty\""), ["", ""]);
    }
}
