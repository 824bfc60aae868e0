//! `duplicate_answer`: the answer comes twice, as two events or, where the answer is plain JSON, as two documents.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forward::{Call, Deed, RequestFault, Step};

/// Settings of a duplicated answer in a scenario: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DuplicateAnswer {}

impl RequestFault for DuplicateAnswer {
    fn kind(&self) -> &'static str {
        "duplicate_answer"
    }

    fn deed(&self, call: &Call) -> Deed {
        Deed::on_answer(call, |event, _| Some(vec![Step::Send(event.raw.clone()), Step::Send(event.raw.clone())]))
    }
}

impl fmt::Display for DuplicateAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("duplicate_answer")
    }
}
