//! `/trips`: create, list, read, change, delete, summarise.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use garde::Validate;
use http::{HeaderValue, StatusCode, header::LOCATION};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::ApiError,
    extract::{Id, Principal, Valid, ValidQuery},
    idempotency::{IdempotencyKey, REPLAYED},
    version::{IfMatch, etag},
};
use crate::{
    app::{App, now},
    domain::{
        page::{Page, Slice},
        storable::is_text,
        summary::TripSummary,
        trip::{ListedTrip, Status, Trip, TripDraft},
        trip_patch::TripPatch,
    },
    storage::{self, Creation, TripFilter},
};

/// Which trips to list.
#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
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
    #[garde(length(chars, min = 1, max = 100), inner(custom(is_text)))]
    q: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, update, delete)).routes(routes!(summary))
}

/// Create a trip.
///
/// Sent again with the same `Idempotency-Key` within 24 h, it answers with the trip of the first time.
#[utoipa::path(post, path = "/trips", tag = "trips", request_body = TripDraft, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The client's own name for this write.")),
    responses((status = 201, body = Trip, headers(("Location" = String), ("ETag" = String))), (status = 409)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    IdempotencyKey(key): IdempotencyKey,
    Valid(draft): Valid<TripDraft>,
) -> Result<Response, ApiError> {
    let key = key.as_deref().map(|key| storage::IdempotencyKey { key, fingerprint: draft.fingerprint() });
    let trip = draft.into_trip(Uuid::new_v4(), principal.user_id, now());
    match app.storage.create_trip(&trip, key).await? {
        Creation::Created => Ok(created(&trip)),
        Creation::Replayed(trip) => Ok(([REPLAYED], created(&trip)).into_response()),
        Creation::Clash => {
            Err(ApiError::conflict("IDEMPOTENCY_CONFLICT", "the idempotency key was used for another request"))
        }
    }
}

/// List the trips that are one's own or shared with one, newest first.
#[utoipa::path(get, path = "/trips", tag = "trips", params(List), security(("bearer" = [])),
    responses((status = 200, body = Page<ListedTrip>), (status = 422)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    principal: Principal,
    ValidQuery(list): ValidQuery<List>,
) -> Result<Json<Page<ListedTrip>>, ApiError> {
    let filter = TripFilter { status: list.status, text: list.q };
    let slice = Slice { skip: list.skip, limit: list.limit };
    Ok(Json(app.storage.trips(principal.user_id, &filter, slice).await?))
}

/// Read a trip.
#[utoipa::path(get, path = "/trips/{id}", tag = "trips", params(("id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 200, body = Trip, headers(("ETag" = String))), (status = 404)))]
pub(crate) async fn get(State(app): State<Arc<App>>, principal: Principal, Id(id): Id) -> Result<Response, ApiError> {
    let trip = app.storage.trip(id, principal.user_id).await?;
    Ok(versioned(&trip))
}

/// Change a trip: what is not named stays.
///
/// The version that the change is meant for must be given, in `If-Match` (as in `ETag`) or as `version`. When the trip has
/// changed since, nothing is changed: 409.
#[utoipa::path(put, path = "/trips/{id}", tag = "trips", request_body = TripPatch, security(("bearer" = [])),
    params(("id" = Uuid, Path), ("If-Match" = Option<String>, Header, description = "The version, in quotes.")),
    responses((status = 200, body = Trip, headers(("ETag" = String))), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
    if_match: IfMatch,
    Valid(patch): Valid<TripPatch>,
) -> Result<Response, ApiError> {
    let version = if_match.or(patch.version)?;
    let trip = app.storage.update_trip(id, principal.user_id, version, patch, now()).await?;
    Ok(versioned(&trip))
}

/// Delete a trip, with its itinerary.
#[utoipa::path(delete, path = "/trips/{id}", tag = "trips", params(("id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 204), (status = 403), (status = 404)))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    app.storage.delete_trip(id, principal.user_id, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a trip at a glance: what is planned, what it costs, what is still missing.
#[utoipa::path(get, path = "/trips/{id}/summary", tag = "trips", params(("id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 200, body = TripSummary), (status = 404)))]
pub(crate) async fn summary(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<TripSummary>, ApiError> {
    let (trip, items) = app.storage.trip_with_items(id, principal.user_id).await?;
    Ok(Json(TripSummary::of(&trip, &items)))
}

fn created(trip: &Trip) -> Response {
    let location = HeaderValue::try_from(format!("/api/v1/trips/{}", trip.id)).expect("a UUID is a header value");
    (StatusCode::CREATED, [(LOCATION, location)], versioned(trip)).into_response()
}

fn versioned(trip: &Trip) -> Response {
    ([etag(trip.version)], Json(trip)).into_response()
}

fn ten() -> u32 {
    10
}
