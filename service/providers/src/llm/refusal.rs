//! Requests the LLM does not answer, in the error shape of OpenAI.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why a request is refused; the text is what the client reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("You didn't provide an API key. Send it in an Authorization header: `Authorization: Bearer YOUR_KEY`.")]
    NoKey,
    #[error("Incorrect API key provided.")]
    WrongKey,
    #[error("{message}")]
    Malformed { message: String },
    #[error("{message}")]
    Invalid { param: &'static str, message: String },
    #[error("The model `{0}` does not exist or you do not have access to it.")]
    Model(String),
    #[error("The body of the request cannot be read: {message}")]
    Body { status: StatusCode, message: String },
    #[error("Unknown request URL; there is POST /v1/chat/completions.")]
    Path,
    #[error("Not allowed with this method; use POST.")]
    Method,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::WrongKey => StatusCode::UNAUTHORIZED,
            Self::Malformed { .. } | Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Model(_) | Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body { status, .. } => *status,
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::WrongKey => Some("invalid_api_key"),
            Self::Model(_) => Some("model_not_found"),
            _ => None,
        }
    }

    fn param(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { param, .. } => Some(param),
            Self::Model(_) => Some("model"),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": {
            "message": self.to_string(),
            "type": "invalid_request_error",
            "param": self.param(),
            "code": self.code(),
        }});
        (self.status(), Json(body)).into_response()
    }
}
