//! The one error answer of the service.
//!
//! An `ApiError` holds what the client may know and, apart, what the log should know. Handlers return it; the `envelope`
//! middleware writes the body, because only there the request id is known.

use std::{any::Any, collections::BTreeMap, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    app::{BeginError, BookError, CancelError, HashError, OfferError, TokenError, TurnError, now},
    dependency::Failure,
    domain::{quota::Verdict, trip_patch::PatchError},
    sealing::SealError,
    storage::{self, TripError},
};

/// What a client is told to wait when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a client is told to wait for what an operator has to do.
const OPERATOR_TIME: Duration = Duration::from_secs(300);

/// An error as answered.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    /// One of the six types of the contract.
    pub(crate) kind: &'static str,
    details: Option<Value>,
    retry_after: Option<Duration>,
    /// For the log only.
    pub(crate) cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// One wrong field.
#[derive(Debug)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) kind: &'static str,
}

/// How the codes of a dependency's errors begin, and its message.
pub(crate) struct DependencyNames {
    unavailable: &'static str,
    bad_answer: &'static str,
    timeout: &'static str,
    message: &'static str,
}

/// Flights.
pub(crate) const FLIGHTS: DependencyNames = DependencyNames {
    unavailable: "FLIGHT_API_UNAVAILABLE",
    bad_answer: "FLIGHT_API_ERROR",
    timeout: "FLIGHT_API_TIMEOUT",
    message: "flight search is not available at the moment",
};

/// The service of a user's own key, asked about the key.
pub(crate) const KEY_CHECK: DependencyNames = DependencyNames {
    unavailable: "EXTERNAL_API_UNAVAILABLE",
    bad_answer: "EXTERNAL_API_ERROR",
    timeout: "EXTERNAL_API_TIMEOUT",
    message: "the service cannot check the key at the moment",
};

/// Stays.
pub(crate) const STAYS: DependencyNames = DependencyNames {
    unavailable: "ACCOMMODATION_API_UNAVAILABLE",
    bad_answer: "ACCOMMODATION_API_ERROR",
    timeout: "ACCOMMODATION_API_TIMEOUT",
    message: "the search for stays is not available at the moment",
};

/// Destinations.
pub(crate) const DESTINATIONS: DependencyNames = DependencyNames {
    unavailable: "DESTINATION_API_UNAVAILABLE",
    bad_answer: "DESTINATION_API_ERROR",
    timeout: "DESTINATION_API_TIMEOUT",
    message: "the search for destinations is not available at the moment",
};

/// What is remembered of users.
pub(crate) const MEMORY: DependencyNames = DependencyNames {
    unavailable: "MEMORY_UNAVAILABLE",
    bad_answer: "MEMORY_ERROR",
    timeout: "MEMORY_TIMEOUT",
    message: "the memory is not available at the moment",
};

/// The language model.
const LLM: DependencyNames = DependencyNames {
    unavailable: "AI_SERVICE_UNAVAILABLE",
    bad_answer: "AI_SERVICE_ERROR",
    timeout: "AI_SERVICE_TIMEOUT",
    message: "the assistant is not available at the moment",
};

impl ApiError {
    fn new(status: StatusCode, code: &'static str, kind: &'static str, message: &'static str) -> Self {
        Self { status, code, message, kind, details: None, retry_after: None, cause: None }
    }

    fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(crate) fn bad_request(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "validation", message)
    }

    pub(crate) fn unauthorized(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, "authentication", message)
    }

    pub(crate) fn forbidden(message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AUTHORIZATION_ERROR", "authorization", message)
    }

    pub(crate) fn not_found(message: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "validation", message)
    }

    pub(crate) fn conflict(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code, "validation", message)
    }

    pub(crate) fn gone(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::GONE, code, "validation", message)
    }

    /// The request is well-formed, and what it asks for cannot be done.
    fn unprocessable(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, "validation", message)
    }

    pub(crate) fn too_large(message: &'static str) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "validation", message)
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let errors: Vec<Value> = errors
            .into_iter()
            .map(|error| json!({"field": error.field, "message": error.message, "type": error.kind}))
            .collect();
        let mut error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "VALIDATION_ERROR",
            "validation",
            "the request has invalid fields",
        );
        error.details = Some(json!({"errors": errors}));
        error
    }

    /// The client sends too slowly.
    pub(crate) fn slow_body() -> Self {
        let message = "the request body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "validation", message)
    }

    /// The host that the request is for is not ours.
    pub(crate) fn invalid_host() -> Self {
        Self::bad_request("INVALID_HOST", "the service has no such host name")
    }

    /// Too many requests of one client.
    pub(crate) fn rate_limited(verdict: Verdict) -> Self {
        let wait = Duration::from_micros(verdict.wait_us.unwrap_or_default());
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMIT_EXCEEDED",
            "ratelimit",
            "too many requests, come back later",
        )
        .after(wait);
        let details =
            json!({"scope": verdict.scope.label(), "limit": verdict.limit, "retry_after": error.retry_after_s()});
        error.details = Some(details);
        error
    }

    /// Too many requests are in progress.
    pub(crate) fn shed() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "CONCURRENT_LIMIT_EXCEEDED",
            "ratelimit",
            "too many requests are in progress",
        )
        .after(RETRY_AFTER)
    }

    /// The whole request took too long.
    pub(crate) fn deadline() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED", "internal", "the request took too long")
    }

    /// The service is about to end.
    fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "SHUTTING_DOWN", "internal", "the service is restarting")
            .after(RETRY_AFTER)
    }

    fn no_database() -> Self {
        let message = "the database is not available";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "DATABASE_ERROR", "internal", message).after(RETRY_AFTER)
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal", "something went wrong")
    }

    /// A dependency failed and there is nothing to answer instead.
    pub(crate) fn dependency(names: &DependencyNames, failure: Failure) -> Self {
        let error = |status, code| Self::new(status, code, "external", names.message);
        let unavailable = || error(StatusCode::SERVICE_UNAVAILABLE, names.unavailable);
        let answer = match &failure {
            Failure::KeyRefused => Self::bad_request("INVALID_API_KEY", "the service refuses your own key for it"),
            Failure::KeyExpired => Self::bad_request("INVALID_API_KEY", "your own key for the service has expired"),
            Failure::KeyUnreadable(_) => Self::internal(),
            Failure::KeyLimited { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "RATE_LIMIT_EXCEEDED",
                "ratelimit",
                "the service limits the rate of your own key",
            )
            .after(retry_after.unwrap_or(RETRY_AFTER)),
            Failure::AccountUnknown => Self::no_database(),
            Failure::BreakerOpen { retry_after } => unavailable().after(*retry_after),
            Failure::RateLimited { retry_after } => unavailable().after(retry_after.unwrap_or(RETRY_AFTER)),
            Failure::Absent | Failure::Saturated | Failure::Unreachable(_) => unavailable().after(RETRY_AFTER),
            Failure::TimedOut => error(StatusCode::GATEWAY_TIMEOUT, names.timeout),
            Failure::Unauthorized
            | Failure::Status { .. }
            | Failure::Cut(_)
            | Failure::Malformed(_)
            | Failure::Refused { .. } => error(StatusCode::BAD_GATEWAY, names.bad_answer),
        };
        answer.because(failure)
    }

    /// Every provider that was asked failed.
    pub(crate) fn all_failed(provider_errors: &BTreeMap<&'static str, &'static str>) -> Self {
        let message = "no provider is available at the moment";
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "SEARCH_UNAVAILABLE", "external", message);
        error.details = Some(json!({"provider_errors": provider_errors}));
        error.after(RETRY_AFTER)
    }

    /// Whole seconds to wait, as the client is told.
    fn retry_after_s(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).map(|seconds| seconds.max(1))
    }

    /// The body that the client gets.
    pub(crate) fn body(&self, request_id: &str) -> Value {
        json!({
            "error": true,
            "code": self.code,
            "message": self.message,
            "type": self.kind,
            "details": self.details.clone().unwrap_or_else(|| json!({})),
            "request_id": request_id,
            "timestamp": now(),
        })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<storage::Error> for ApiError {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Corrupt { .. } => Self::internal().because(error),
            storage::Error::Orphan(_) => {
                Self::unauthorized("INVALID_TOKEN", "the user of the token no longer exists").because(error)
            }
            // Callers that expect a taken value handle it before this.
            storage::Error::Duplicate(_) => Self::conflict("CONFLICT", "the value is taken").because(error),
            storage::Error::Unstorable => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "VALIDATION_ERROR",
                "validation",
                "a text holds the character U+0000",
            ),
            storage::Error::Aborted => Self::internal().because(error),
            storage::Error::Busy(_) | storage::Error::TimedOut | storage::Error::Failed(_) => {
                Self::no_database().because(error)
            }
        }
    }
}

impl From<SealError> for ApiError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoMasterKey => {
                let message = "this server is not set up to keep secrets";
                let unavailable =
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, "KEYS_NOT_CONFIGURED", "internal", message);
                unavailable.after(OPERATOR_TIME).because(error)
            }
            _ => Self::internal().because(error),
        }
    }
}

impl From<TripError> for ApiError {
    fn from(error: TripError) -> Self {
        match error {
            TripError::NoTrip => Self::not_found("there is no such trip"),
            TripError::NoCollaborator => Self::not_found("the trip is not shared with that user"),
            TripError::ItineraryFull => Self::conflict("ITINERARY_FULL", "the itinerary can have no more items"),
            TripError::Forbidden => Self::forbidden("your access to this trip does not allow it"),
            TripError::Stale => Self::conflict("VERSION_CONFLICT", "the trip has changed since; read it again"),
            TripError::Patch(PatchError::EndBeforeStart) => {
                let message = "is before the start date".into();
                Self::invalid(vec![FieldError { field: "end_date".into(), message, kind: "value" }])
            }
            TripError::Patch(PatchError::NoSuchStep { .. }) => {
                Self::conflict("INVALID_STATUS_TRANSITION", "the status of the trip does not allow that step")
            }
            TripError::Storage(error) => error.into(),
        }
    }
}

impl From<HashError> for ApiError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::shed().because(error),
            _ => Self::internal().because(error),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::unauthorized("TOKEN_EXPIRED", "the token has expired"),
            TokenError::Invalid => Self::unauthorized("INVALID_TOKEN", "the token is not valid"),
        }
    }
}

impl From<BeginError> for ApiError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::NoSession => Self::not_found("there is no such chat session"),
            BeginError::SessionEnded => Self::conflict("SESSION_ENDED", "the chat session has ended"),
            BeginError::InProgress => {
                Self::conflict("IDEMPOTENCY_IN_PROGRESS", "the request with that idempotency key is still in progress")
                    .after(RETRY_AFTER)
            }
            BeginError::KeyTaken => {
                Self::conflict("IDEMPOTENCY_CONFLICT", "the idempotency key was used for another request")
            }
            BeginError::Storage(error) => error.into(),
            BeginError::Llm(failure) => Self::dependency(&LLM, failure),
        }
    }
}

impl From<BookError> for ApiError {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Offer(OfferError::Unknown) => Self::not_found("there is no such offer"),
            BookError::Offer(OfferError::Expired) => Self::unprocessable("OFFER_EXPIRED", "the offer has expired"),
            BookError::Offer(OfferError::Provider(failure)) => Self::dependency(&FLIGHTS, failure),
            BookError::NotBookable => Self::unprocessable("OFFER_NOT_BOOKABLE", "the offer cannot be booked"),
            BookError::Refused => Self::unprocessable("BOOKING_REFUSED", "the provider refused the booking"),
            BookError::Clash => {
                Self::conflict("IDEMPOTENCY_CONFLICT", "the idempotency key was used for another request")
            }
            BookError::NoTrip => Self::not_found("there is no such trip"),
            BookError::ReadOnlyTrip => Self::forbidden("the trip may only be looked at"),
            BookError::Seal(error) => error.into(),
            BookError::Storage(error) => error.into(),
        }
    }
}

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Missing => Self::not_found("there is no such booking"),
            CancelError::NotOwner => Self::forbidden("somebody else has booked it"),
            CancelError::Unconfirmed => {
                Self::conflict("BOOKING_UNCONFIRMED", "the provider has not said yet whether it is booked")
            }
            CancelError::InProgress => Self::conflict("CANCELLATION_IN_PROGRESS", "the booking is being cancelled"),
            CancelError::Refused(failure) => {
                Self::conflict("CANCELLATION_REFUSED", "the provider refused to cancel the booking").because(failure)
            }
            CancelError::Provider(failure) => Self::dependency(&FLIGHTS, failure),
            CancelError::Storage(error) => error.into(),
        }
    }
}

impl From<TurnError> for ApiError {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Llm(failure) => Self::dependency(&LLM, failure),
            TurnError::NobodyListens | TurnError::Stopping => Self::stopping().because(error),
        }
    }
}

/// Nothing is at this path.
pub(crate) async fn no_route() -> ApiError {
    ApiError::not_found("there is nothing at this path")
}

/// Something is at this path, but not for this method.
pub(crate) async fn no_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "validation", "the path has no such method")
}

/// A handler panicked: a bug.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("not a text"), "a request handler panicked");
    ApiError::internal().into_response()
}
