//! Requests the LLM does not answer, in the error shape of OpenAI.

use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::key::{self, RETRY_AFTER_SECONDS};

/// Why a request is refused; the text is what the client reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("You didn't provide an API key. Send it in an Authorization header: `Authorization: Bearer YOUR_KEY`.")]
    NoKey,
    #[error("Incorrect API key provided.")]
    WrongKey,
    #[error("Rate limit reached for this API key. Please try again in {RETRY_AFTER_SECONDS}s.")]
    Limited,
    #[error("The server had an error while processing your request. Sorry about that!")]
    Broken,
    #[error(
        "This model's maximum context length is {limit} tokens. However, your messages resulted in {tokens} tokens. Please \
         reduce the length of the messages."
    )]
    Context { limit: u64, tokens: u64 },
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
            Self::Limited => StatusCode::TOO_MANY_REQUESTS,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Malformed { .. } | Self::Invalid { .. } | Self::Context { .. } => StatusCode::BAD_REQUEST,
            Self::Model(_) | Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body { status, .. } => *status,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Limited => "requests",
            Self::Broken => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::WrongKey => Some("invalid_api_key"),
            Self::Limited => Some("rate_limit_exceeded"),
            Self::Context { .. } => Some("context_length_exceeded"),
            Self::Model(_) => Some("model_not_found"),
            _ => None,
        }
    }

    fn param(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { param, .. } => Some(param),
            Self::Context { .. } => Some("messages"),
            Self::Model(_) => Some("model"),
            _ => None,
        }
    }
}

impl From<key::Refusal> for Refusal {
    fn from(refusal: key::Refusal) -> Self {
        match refusal {
            key::Refusal::Unknown => Self::WrongKey,
            key::Refusal::Limited => Self::Limited,
            key::Refusal::Broken => Self::Broken,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": {
            "message": self.to_string(),
            "type": self.kind(),
            "param": self.param(),
            "code": self.code(),
        }});
        let mut response = (self.status(), Json(body)).into_response();
        if matches!(self, Self::Limited) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        response
    }
}
