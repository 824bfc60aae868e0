//! `/flights`: the search.

use std::{sync::Arc, time::Duration};

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
        api_key::Service,
        flight::{FlightSearch, Offer},
        meta::{Meta, Source},
    },
};

const ROUTE: &str = "/api/v1/flights/search";
/// Kept back from the deadline, to answer from a stale entry when the provider takes all the time.
const ANSWER_TIME: Duration = Duration::from_millis(100);

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
    responses((status = 200, body = Answer<'_>), (status = 400, description = "The user's own key is refused or has expired."), (status = 502)))]
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
    let caller = app.caller(principal.user_id, Service::Flights, deadline.0 - ANSWER_TIME).await;
    let found = app.flights.find(&search, &caller).await;
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
