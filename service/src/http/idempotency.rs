//! The header `Idempotency-Key`: a client's own name for a write, under which it may be sent again.

use axum::extract::FromRequestParts;
use http::{HeaderName, HeaderValue, request::Parts};

use super::error::ApiError;

const HEADER: &str = "idempotency-key";
const BYTES_MAX: usize = 255;

/// Says that an answer is the one of an earlier request.
pub(crate) const REPLAYED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));

/// The key of a request, when it has one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(key) if !key.is_empty() && key.len() <= BYTES_MAX => Ok(Self(Some(key.to_owned()))),
            _ => Err(ApiError::bad_request(
                "INVALID_IDEMPOTENCY_KEY",
                "the idempotency key must be 1 to 255 ASCII characters",
            )),
        }
    }
}
