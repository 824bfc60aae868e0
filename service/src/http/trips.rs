//! `/trips`: create, list, read.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use garde::Validate;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::LOCATION};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    error::ApiError,
    extract::{Principal, Valid, ValidQuery},
};
use crate::{
    app::{App, now},
    domain::{
        page::{Page, Slice},
        trip::{Status, Trip, TripDraft, TripSummary},
    },
    storage::{Creation, IdempotencyKey, TripFilter},
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Which trips to list.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    #[serde(default)]
    #[garde(range(max = 1_000_000))]
    skip: u32,
    #[serde(default = "ten")]
    #[garde(range(min = 1, max = 100))]
    limit: u32,
    #[serde(default)]
    #[garde(skip)]
    status: Option<Status>,
    #[serde(default)]
    #[garde(length(chars, min = 1, max = 100))]
    q: Option<String>,
}

/// `POST /trips`
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    headers: HeaderMap,
    Valid(draft): Valid<TripDraft>,
) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?.map(|key| IdempotencyKey { key, fingerprint: draft.fingerprint() });
    let trip = draft.into_trip(Uuid::new_v4(), principal.user_id, now());
    match app.storage.create_trip(&trip, key).await? {
        Creation::Created => Ok(created(&trip)),
        Creation::Replayed(trip) => {
            let mut response = created(&trip);
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(response)
        }
        Creation::Clash => {
            Err(ApiError::conflict("IDEMPOTENCY_CONFLICT", "the idempotency key was used for another request"))
        }
    }
}

/// `GET /trips`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    principal: Principal,
    ValidQuery(list): ValidQuery<List>,
) -> Result<Json<Page<TripSummary>>, ApiError> {
    let filter = TripFilter { status: list.status, text: list.q };
    let slice = Slice { skip: list.skip, limit: list.limit };
    Ok(Json(app.storage.trips(principal.user_id, &filter, slice).await?))
}

/// `GET /trips/{id}`
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Trip>, ApiError> {
    let missing = || ApiError::not_found("there is no such trip");
    let id: Uuid = id.parse().map_err(|_| missing())?;
    app.storage.trip(id, principal.user_id).await?.map(Json).ok_or_else(missing)
}

fn created(trip: &Trip) -> Response {
    let location = HeaderValue::try_from(format!("/api/v1/trips/{}", trip.id)).expect("a UUID is a header value");
    (StatusCode::CREATED, [(LOCATION, location)], Json(trip)).into_response()
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= IDEMPOTENCY_KEY_BYTES_MAX => Ok(Some(key)),
        _ => Err(ApiError::bad_request(
            "INVALID_IDEMPOTENCY_KEY",
            "the idempotency key must be 1 to 255 ASCII characters",
        )),
    }
}

fn ten() -> u32 {
    10
}
