//! `/destinations`: the search, and one destination.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::PathRejection},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::{ApiError, DESTINATIONS},
    extract::{Principal, Valid},
    middleware::Deadline,
};
use crate::{
    app::App,
    dependency::Failure,
    domain::{
        api_key::Service,
        destination::{Destination, DestinationDetails, DestinationSearch},
        meta::Meta,
    },
};

const SEARCH: &str = "/api/v1/destinations/search";
const ONE: &str = "/api/v1/destinations/{id}";
/// Longest id of a place, in bytes.
const ID_BYTES_MAX: usize = 300;

/// Destinations, best match first.
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationSearchAnswer)]
pub(crate) struct Answer {
    destinations: Vec<Destination>,
    count: usize,
    query: String,
    meta: Meta,
}

/// One destination.
#[derive(Serialize, ToSchema)]
#[schema(as = DestinationAnswer)]
pub(crate) struct One {
    #[serde(flatten)]
    details: DestinationDetails,
    meta: Meta,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(one))
}

/// Search destinations.
///
/// Weather and attractions are extras: one that cannot be had in time is null, and the answer says so.
#[utoipa::path(post, path = "/destinations/search", tag = "destinations", request_body = DestinationSearch,
    security(("bearer" = [])), responses((status = 200, body = Answer), (status = 502)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(search): Valid<DestinationSearch>,
) -> Result<Json<Answer>, ApiError> {
    let query = search.query.clone();
    let caller = app.caller(principal.user_id, Service::Googlemaps, deadline.for_providers()).await;
    let for_weather = app.accounts.account(principal.user_id, Service::Weather).await;
    let found = app.destinations.find(&search.normalized(), &caller, &for_weather).await;
    let (destinations, meta) = found.map_err(unavailable)?;
    app.note_degraded(SEARCH, &meta);
    Ok(Json(Answer { count: destinations.len(), destinations, query, meta }))
}

/// Get a destination.
///
/// With weather, forecast, attractions and local time; what cannot be had in time is null, and the answer says so.
#[utoipa::path(get, path = "/destinations/{id}", tag = "destinations", security(("bearer" = [])),
    params(("id" = String, Path, description = "The id of a destination that was found")),
    responses((status = 200, body = One), (status = 404), (status = 502)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<One>, ApiError> {
    let nothing = || ApiError::not_found("there is no such destination");
    let Path(id) = id.map_err(|_| nothing())?;
    if id.len() > ID_BYTES_MAX || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        return Err(nothing());
    }
    let caller = app.caller(principal.user_id, Service::Googlemaps, deadline.for_providers()).await;
    let for_weather = app.accounts.account(principal.user_id, Service::Weather).await;
    let found = app.destinations.details(&id, &caller, &for_weather).await;
    let (details, meta) = found.map_err(unavailable)?.ok_or_else(nothing)?;
    app.note_degraded(ONE, &meta);
    Ok(Json(One { details, meta }))
}

fn unavailable(failure: Failure) -> ApiError {
    ApiError::dependency(&DESTINATIONS, failure)
}
