//! `stalled`: the head and half of the answer come, then nothing while the connection stays open; the rest comes when the
//! fault is lifted.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::truncated::halves;
use crate::forward::{Call, Deed, RequestFault, Step};

/// Settings of a stalled answer in a scenario: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stalled {}

impl RequestFault for Stalled {
    fn kind(&self) -> &'static str {
        "stalled"
    }

    fn deed(&self, call: &Call) -> Deed {
        Deed::on_answer(call, |event, _| {
            let (begun, rest) = halves(&event.raw);
            Some(vec![Step::Send(begun), Step::Hold, Step::Send(rest)])
        })
    }
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stalled in the middle of the answer")
    }
}
