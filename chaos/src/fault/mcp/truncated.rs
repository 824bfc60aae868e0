//! `truncated`: the answer breaks off in its middle, and the connection ends.
use std::fmt;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forward::{Call, Deed, RequestFault, Step};

/// Settings of a truncated answer in a scenario: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Truncated {}

impl RequestFault for Truncated {
    fn kind(&self) -> &'static str {
        "truncated"
    }

    fn deed(&self, call: &Call) -> Deed {
        Deed::on_answer(call, |event, _| Some(vec![Step::Send(halves(&event.raw).0), Step::Cut]))
    }
}

/// The first half of an answer, and what is left.
pub(super) fn halves(whole: &Bytes) -> (Bytes, Bytes) {
    let middle = whole.len() / 2;
    (whole.slice(..middle), whole.slice(middle..))
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("truncated in the middle of the answer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn half_comes_and_then_the_end() {
        for steps in Bench::new().steps(&Truncated {}, &Bench::result()) {
            let steps = steps.unwrap();
            let [Step::Send(half), Step::Cut] = &steps[..] else { panic!("{steps:?}") };
            assert!(half.len() > 50 && serde_json::from_slice::<serde_json::Value>(half).is_err());
        }
    }
}
