//! Which requests a rule means: by what they ask for, and by their number among those.
use std::{fmt, num::NonZeroU64};

use serde::{Deserialize, Serialize};

use super::Call;

/// What a request must ask for; what is not set matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The JSON-RPC method, such as `tools/call`; of a model the end of the path, `chat/completions` or `models`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The tool that is called, such as `search_flights`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The model that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Which requests a rule means. All that is set must hold; numbers count the requests that match, from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// What they ask for.
    #[serde(rename = "match", default)]
    pub matching: Match,
    /// Only the n-th of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<NonZeroU64>,
    /// Only the first n of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<NonZeroU64>,
    /// Only each n-th of them: n, 2n, 3n and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<NonZeroU64>,
}

impl Match {
    pub(super) fn takes(&self, call: &Call) -> bool {
        let is_so = |wanted: &Option<String>, seen: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| seen.is_some_and(|seen| seen == wanted))
        };
        is_so(&self.method, Some(&call.method))
            && is_so(&self.tool, call.tool.as_deref())
            && is_so(&self.model, call.model.as_deref())
    }
}

impl Selector {
    /// Whether the matching request with this number, counted from 1, is meant.
    pub(super) fn takes(&self, number: u64) -> bool {
        self.nth.is_none_or(|nth| number == nth.get())
            && self.first.is_none_or(|first| number <= first.get())
            && self.every.is_none_or(|every| number.is_multiple_of(every.get()))
    }
}

impl Selector {
    /// Whether no request can be meant, because the numbers contradict one another.
    pub(crate) fn is_void(&self) -> bool {
        let last = self.first.map_or(u64::MAX, NonZeroU64::get);
        let candidate = self.nth.or(self.every).map_or(1, NonZeroU64::get);
        candidate > last || !self.takes(candidate)
    }
}

impl fmt::Display for Selector {
    /// Each condition after a comma, such as `, tool search_flights, first 3`; nothing when all requests are meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Match { method, tool, model } = &self.matching;
        for (name, value) in [("method", method), ("tool", tool), ("model", model)] {
            value.iter().try_for_each(|value| write!(f, ", {name} {value}"))?;
        }
        for (name, number) in [("only request", self.nth), ("the first", self.first), ("one of every", self.every)] {
            number.iter().try_for_each(|number| write!(f, ", {name} {number}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selector(text: serde_json::Value) -> Selector {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn numbers_compose() {
        let check = |text, expected: &[u64]| {
            let selector = selector(text);
            let taken: Vec<u64> = (1..=12).filter(|number| selector.takes(*number)).collect();
            assert_eq!(taken, expected, "{selector:?}");
        };
        check(json!({}), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        check(json!({ "nth": 3 }), &[3]);
        check(json!({ "first": 2 }), &[1, 2]);
        check(json!({ "every": 5 }), &[5, 10]);
        check(json!({ "every": 2, "first": 5 }), &[2, 4]);
        check(json!({ "nth": 3, "first": 2 }), &[]);
        for (text, is_void) in [
            (json!({}), false),
            (json!({ "first": 1 }), false),
            (json!({ "every": 3, "first": 3 }), false),
            (json!({ "every": 3, "nth": 6, "first": 6 }), false),
            (json!({ "every": 3, "first": 2 }), true),
            (json!({ "nth": 3, "first": 2 }), true),
            (json!({ "every": 2, "nth": 3 }), true),
        ] {
            assert_eq!(selector(text.clone()).is_void(), is_void, "{text}");
        }
        assert!(serde_json::from_value::<Selector>(json!({ "nth": 0 })).is_err());
        assert!(serde_json::from_value::<Selector>(json!({ "match": { "tol": "x" } })).is_err());
    }

    #[test]
    fn what_is_set_must_be_what_is_asked() {
        let call = Call::of_tool("search_flights");
        let takes = |text| selector(json!({ "match": text })).matching.takes(&call);
        assert!(takes(json!({})) && takes(json!({ "method": "tools/call", "tool": "search_flights" })));
        assert!(!takes(json!({ "method": "tools/list" })) && !takes(json!({ "tool": "book" })));
        assert!(!takes(json!({ "model": "x" })), "a tool call asks no model");
    }

    #[test]
    fn it_is_said_in_words() {
        let all = json!({ "match": { "tool": "a", "method": "tools/call" }, "first": 3, "every": 2 });
        assert_eq!(selector(all).to_string(), ", method tools/call, tool a, the first 3, one of every 2");
        assert_eq!(Selector::default().to_string(), "");
    }
}
