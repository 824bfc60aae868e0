//! `no_answer`: the request is swallowed before the server sees it, and the client hears nothing.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use reports::units::format_duration;

use crate::{
    Length,
    forward::{Call, Deed, RequestFault, Silence},
};

/// Settings of a missing answer in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoAnswer {
    /// When the connection is closed, such as `"2s"`, or `"0s"` for at once. It stays open, until the fault is lifted, unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_after: Option<Length>,
}

impl RequestFault for NoAnswer {
    fn kind(&self) -> &'static str {
        "no_answer"
    }

    fn deed(&self, _: &Call) -> Deed {
        Deed::Silence(Silence { asks: false, close_after: self.close_after.map(|Length(time)| time) })
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.close_after {
            Some(Length(time)) => write!(f, "no_answer, closing after {}", format_duration(time)),
            None => f.write_str("no_answer, connection kept open"),
        }
    }
}
