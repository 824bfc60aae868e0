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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{fault::request_fault, forward::Protocol};

    #[test]
    fn every_kind_goes_by_the_name_that_a_scenario_writes() {
        let written = json!({
            "http_error": { "status": 429 },
            "slow_first_token": { "delay": "5s" },
            "slow_tokens": { "delay": "200ms" },
            "cut": { "after_events": 3 },
            "invalid_chunk": {},
            "key_refused": {},
        });
        let kinds = written.as_object().unwrap();
        for (name, settings) in kinds {
            let fault: LlmFault = serde_json::from_value(json!({ name: settings })).unwrap();
            assert_eq!(fault.kind().kind(), name);
            let (again, shown) = request_fault(Protocol::Llm, name, settings.as_object().unwrap().clone()).unwrap();
            assert_eq!((again.kind(), again.to_string()), (name.as_str(), fault.kind().to_string()));
            assert!(again.to_string().starts_with(name), "{again}");
            let twice = request_fault(Protocol::Llm, name, shown.clone()).unwrap().1;
            assert_eq!(twice, shown, "what is shown can be written");
            let unknown = json!({ "nonsense": 1 }).as_object().cloned().unwrap();
            assert!(request_fault(Protocol::Llm, name, unknown).is_err(), "{name}");
        }
        let schema = serde_json::to_value(schemars::schema_for!(LlmFault)).unwrap();
        assert_eq!(schema["oneOf"].as_array().map(Vec::len), Some(kinds.len()), "each has an example here");
    }
}
