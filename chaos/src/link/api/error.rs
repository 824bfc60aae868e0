//! Errors as Toxiproxy says them: `{"error":"...","status":404}`.
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::link::registry::Error;

pub(super) type Result<T> = std::result::Result<T, Error>;

/// The status that Toxiproxy gives the error.
pub(super) fn status(error: &Error) -> StatusCode {
    match error {
        Error::Body(_)
        | Error::MissingField { .. }
        | Error::InvalidToxicType
        | Error::InvalidStream
        | Error::WholeDoor { .. }
        | Error::InvalidProtocol { .. }
        | Error::InvalidRule(_)
        | Error::NoProtocol => StatusCode::BAD_REQUEST,
        Error::ProxyNotFound | Error::ToxicNotFound | Error::RuleNotFound => StatusCode::NOT_FOUND,
        Error::ProxyExists | Error::ToxicExists | Error::RuleExists => StatusCode::CONFLICT,
        Error::Listen(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = status(&self);
        (status, Json(json!({ "error": self.to_string(), "status": status.as_u16() }))).into_response()
    }
}
