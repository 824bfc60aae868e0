//! The list of LLM faults.
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cut, InvalidChunk, KeyRefused, SlowFirstToken, SlowTokens};
use crate::{fault::HttpError, forward::RequestFault};

/// What goes wrong with requests to a model, as written in a scenario: `{ slow_first_token = { delay = "5s" } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LlmFault {
    /// The answer is an HTTP error: 429 with `Retry-After`, 5xx and others.
    HttpError(HttpError),
    /// The first token comes late.
    SlowFirstToken(SlowFirstToken),
    /// Each further token comes late.
    SlowTokens(SlowTokens),
    /// The stream ends before it is complete.
    Cut(Cut),
    /// A piece of the stream is not what it should be.
    InvalidChunk(InvalidChunk),
    /// The key is refused.
    KeyRefused(KeyRefused),
}

impl LlmFault {
    /// The fault itself, whichever it is.
    pub(crate) fn kind(&self) -> Arc<dyn RequestFault> {
        match *self {
            Self::HttpError(kind) => Arc::new(kind),
            Self::SlowFirstToken(kind) => Arc::new(kind),
            Self::SlowTokens(kind) => Arc::new(kind),
            Self::Cut(kind) => Arc::new(kind),
            Self::InvalidChunk(kind) => Arc::new(kind),
            Self::KeyRefused(kind) => Arc::new(kind),
        }
    }
}
