//! `cut`: the stream ends, with its connection, before it is complete.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokens;
use crate::forward::{Call, Deed, RequestFault, Step};

/// Settings of a cut in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// How many tokens come before it; 0, before the first, unless set. A shorter answer is not hit.
    #[serde(default)]
    pub after_events: u64,
}

impl RequestFault for Cut {
    fn kind(&self) -> &'static str {
        "cut"
    }

    fn concerns(&self, call: &Call) -> bool {
        tokens::is_asked(call)
    }

    fn deed(&self, _: &Call) -> Deed {
        let last = self.after_events;
        tokens::each(move |_, before| (before == last).then(|| vec![Step::Cut]))
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after_events {
            0 => f.write_str("cut before the first token"),
            1 => f.write_str("cut after 1 token"),
            count => write!(f, "cut after {count} tokens"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_ends_after_so_many_tokens() {
        let cut = |text: &str| {
            let seen = tokens::testing::streamed(&toml::from_str::<Cut>(text).unwrap());
            seen.iter().position(|steps| steps.as_deref() == Some(&[Step::Cut]))
        };
        assert_eq!(cut(""), Some(1), "the comment before it is no token");
        assert_eq!(cut("after_events = 2"), Some(3));
        assert_eq!(cut("after_events = 3"), None, "the end is no token");
        assert_eq!(Cut { after_events: 2 }.to_string(), "cut after 2 tokens");
    }
}
