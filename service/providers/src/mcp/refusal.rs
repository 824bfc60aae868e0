//! A call that is understood and still not answered: a result with `isError`, a text and a code.

use rmcp::{
    ErrorData,
    handler::server::tool::IntoCallToolResult,
    model::{CallToolResponse, CallToolResult, ContentBlock},
};
use serde_json::json;

/// The code of arguments that do not fit the tool's input schema.
pub(crate) const INVALID_ARGUMENTS: &str = "invalid_arguments";

/// Why a call is refused, for a reader and for a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Stable: the same reason has the same code for ever.
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// An error that has a stable code.
pub(crate) trait Coded: std::error::Error {
    /// In small letters and underscores.
    fn code(&self) -> &'static str;
}

impl<E: Coded> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

impl Refused {
    /// The result: the message as text, code and message as structured content.
    pub(crate) fn into_result(self) -> CallToolResult {
        let mut result = CallToolResult::error(vec![ContentBlock::text(self.message.clone())]);
        result.structured_content = Some(json!({"code": self.code, "message": self.message}));
        result
    }
}

impl IntoCallToolResult for Refused {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        Ok(self.into_result().into())
    }
}
