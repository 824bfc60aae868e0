//! `/flights`: the search.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::{ApiError, FLIGHTS, FieldError},
    extract::{Principal, Valid},
    middleware::Deadline,
};
use crate::{
    app::{App, today},
    domain::{
        amount::Amount,
        flight::{FlightSearch, Offer},
        meta::{Meta, Source},
    },
    mcp::Caller,
};

const ROUTE: &str = "/api/v1/flights/search";

/// Flight offers, best first.
#[derive(Serialize, ToSchema)]
#[schema(as = FlightSearchAnswer)]
struct Answer<'a> {
    search_id: Uuid,
    offers: &'a [Offer],
    total_results: usize,
    search_duration_ms: u64,
    currency: &'a str,
    min_price: Option<Amount>,
    max_price: Option<Amount>,
    search_parameters: &'a FlightSearch,
    cached: bool,
    meta: Meta,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(search))
}

/// Search flights.
///
/// Offers are remembered for 5 minutes; when the provider fails, an answer up to an hour older is given and says so.
#[utoipa::path(post, path = "/flights/search", tag = "flights", request_body = FlightSearch, security(("bearer" = [])),
    responses((status = 200, body = Answer<'_>), (status = 502)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    _: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(search): Valid<FlightSearch>,
) -> Result<Response, ApiError> {
    if search.is_in_the_past(today()) {
        let error = FieldError { field: "departure_date".into(), message: "is in the past".into(), kind: "value" };
        return Err(ApiError::invalid(vec![error]));
    }
    let search = search.normalized();
    let started = Instant::now();
    let found = app.flights.find(&search, &Caller::platform(deadline.for_providers())).await;
    let found = found.map_err(|failure| ApiError::dependency(&FLIGHTS, failure))?;
    let mut meta = Meta::default();
    found.describe(&mut meta);
    app.note_degraded(ROUTE, &meta);
    let flights = &found.value;
    let answer = Answer {
        search_id: flights.search_id,
        offers: &flights.offers,
        total_results: flights.offers.len(),
        search_duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        currency: &search.currency,
        min_price: flights.min_price,
        max_price: flights.max_price,
        search_parameters: &search,
        cached: found.source != Source::Live,
        meta,
    };
    Ok(Json(answer).into_response())
}
