//! Faults for single requests as the HTTP API of the links names them.
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{llm::LlmFault, mcp::McpFault, setting::Error};
use crate::forward::{Protocol, RequestFault};

/// Why the settings of a rule cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    #[error(transparent)]
    Fault(#[from] Error),
}

/// A fault for single requests, and its settings as the HTTP API shows them.
pub(crate) type WithSettings = (Arc<dyn RequestFault>, Map<String, Value>);

/// A fault for single requests, by its kind and settings in the HTTP API; its settings come back with their defaults.
pub(crate) fn request_fault(
    protocol: Protocol,
    kind: &str,
    attributes: Map<String, Value>,
) -> Result<WithSettings, SettingsError> {
    let written = Value::from(Map::from_iter([(kind.to_owned(), Value::from(attributes))]));
    let (fault, settings) = match protocol {
        Protocol::Mcp => serde_json::from_value(written).map(|fault: McpFault| (fault.kind(), settings(&fault)))?,
        Protocol::Llm => serde_json::from_value(written).map(|fault: LlmFault| (fault.kind(), settings(&fault)))?,
    };
    fault.check()?;
    Ok((fault, settings))
}

/// The settings of a fault, without its kind.
pub(super) fn settings(fault: &impl Serialize) -> Map<String, Value> {
    let written = serde_json::to_value(fault).unwrap_or_default();
    let inner = written.as_object().and_then(|kinds| kinds.values().next());
    inner.and_then(Value::as_object).cloned().unwrap_or_default()
}
