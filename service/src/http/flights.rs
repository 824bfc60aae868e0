//! `/flights`: the search, and its offers.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::{ApiError, FLIGHTS, FieldError},
    extract::{Principal, Valid},
    middleware::Deadline,
};
use crate::{
    app::{App, OfferError, now, today},
    domain::{
        api_key::Service,
        flight::{FlightSearch, FlightsFound, Offer},
        meta::{Meta, Source},
    },
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ROUTE: &str = "/api/v1/flights/search";

/// Longest id of an offer; longer ones are nobody's.
const OFFER_ID_BYTES_MAX: usize = 200;

/// What an answer says besides the flights, which are written once and remembered.
#[derive(Serialize, ToSchema)]
struct About {
    search_duration_ms: u64,
    cached: bool,
    meta: Meta,
}

/// Flight offers, best first.
#[derive(ToSchema)]
#[schema(as = FlightSearchAnswer)]
#[expect(dead_code, reason = "it is the schema of both parts together")]
struct Answer {
    #[serde(flatten)]
    found: FlightsFound,
    #[serde(flatten)]
    about: About,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(offer))
}

/// Search flights.
///
/// Offers are remembered for 5 minutes; when the provider fails, an answer up to an hour older is given and says so.
#[utoipa::path(post, path = "/flights/search", tag = "flights", request_body = FlightSearch, security(("bearer" = [])),
    responses((status = 200, body = Answer), (status = 400, description = "The user's own key is refused or has expired."),
        (status = 502)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(search): Valid<FlightSearch>,
) -> Result<Response, ApiError> {
    if search.is_in_the_past(today()) {
        let error = FieldError { field: "departure_date".into(), message: "is in the past".into(), kind: "value" };
        return Err(ApiError::invalid(vec![error]));
    }
    let search = search.normalized();
    let started = Instant::now();
    let caller = app.caller(principal.user_id, Service::Flights, deadline.for_providers()).await;
    let found = app.flights.find(&search, &caller).await;
    let found = found.map_err(|failure| ApiError::dependency(&FLIGHTS, failure))?;
    let mut meta = Meta::default();
    found.describe(&mut meta);
    app.note_degraded(ROUTE, &meta);
    let about = About {
        search_duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        cached: found.source != Source::Live,
        meta,
    };
    Ok(([(CONTENT_TYPE, JSON)], found.value.with(&about)).into_response())
}

/// Read an offer that a search has found.
#[utoipa::path(get, path = "/flights/offers/{id}", tag = "flights", params(("id" = String, Path)), security(("bearer" = [])),
    responses((status = 200, body = Offer), (status = 404), (status = 410), (status = 502)))]
pub(crate) async fn offer(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Offer>, ApiError> {
    let unknown = || ApiError::not_found("there is no such offer");
    let Path(id) = id.ok().filter(|Path(id)| id.len() <= OFFER_ID_BYTES_MAX).ok_or_else(unknown)?;
    let caller = app.caller(principal.user_id, Service::Flights, deadline.for_providers()).await;
    match app.flights.offer(&id, now(), &caller).await {
        Ok(offer) => Ok(Json(offer)),
        Err(OfferError::Unknown) => Err(unknown()),
        Err(OfferError::Expired) => Err(ApiError::gone("OFFER_EXPIRED", "the offer has expired")),
        Err(OfferError::Provider(failure)) => Err(ApiError::dependency(&FLIGHTS, failure)),
    }
}
