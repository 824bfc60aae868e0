//! `answer_lost`: the server is asked and does its work, but its answer never arrives.
//!
//! The fault that finds what is done twice: whoever asks again without a key asks for a second booking.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use reports::units::format_duration;

use crate::{
    Length,
    forward::{Call, Deed, RequestFault, Silence},
};

/// Settings of a lost answer in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerLost {
    /// When the connection is closed, since the server's answer was there; `"0s"`, at once, unless set.
    #[serde(default = "at_once")]
    pub close_after: Length,
}

fn at_once() -> Length {
    Length(std::time::Duration::ZERO)
}

impl RequestFault for AnswerLost {
    fn kind(&self) -> &'static str {
        "answer_lost"
    }

    fn deed(&self, _: &Call) -> Deed {
        Deed::Silence(Silence { asks: true, close_after: Some(self.close_after.0) })
    }
}

impl fmt::Display for AnswerLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answer_lost, closing after {}", format_duration(self.close_after.0))
    }
}
