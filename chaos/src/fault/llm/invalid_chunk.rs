//! `invalid_chunk`: one piece of the stream is not JSON; what comes after it is as it should be.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokens;
use crate::forward::{Call, Deed, RequestFault, Step};

/// Settings of an invalid chunk in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvalidChunk {
    /// How many tokens come before it; 0, the first is invalid, unless set. A shorter answer is not hit.
    #[serde(default)]
    pub after_events: u64,
}

impl RequestFault for InvalidChunk {
    fn kind(&self) -> &'static str {
        "invalid_chunk"
    }

    fn concerns(&self, call: &Call) -> bool {
        tokens::is_asked(call)
    }

    fn deed(&self, _: &Call) -> Deed {
        let last = self.after_events;
        tokens::each(move |event, before| {
            let mut text = event.data();
            text.truncate(text.floor_char_boundary(text.len() / 2));
            (before == last).then(|| vec![Step::Send(event.with_data(&text))])
        })
    }
}

impl fmt::Display for InvalidChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid_chunk, token {}", self.after_events.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_is_invalid() {
        let fault: InvalidChunk = toml::from_str("after_events = 1").unwrap();
        let seen = tokens::testing::streamed(&fault);
        let Some([Step::Send(bytes)]) = seen[2].as_deref() else { panic!("{seen:?}") };
        assert_eq!(bytes, "data: {\"a\n\n");
        assert_eq!(seen.iter().filter(|steps| steps.is_some()).count(), 1);
        assert_eq!(fault.to_string(), "invalid_chunk, token 2");
    }
}
