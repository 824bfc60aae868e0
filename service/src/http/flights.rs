//! `/flights`: the search.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
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
    app::{App, today},
    domain::{
        flight::{FlightSearch, FlightsFound},
        meta::{Meta, Source},
    },
    mcp::Caller,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ROUTE: &str = "/api/v1/flights/search";

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
    OpenApiRouter::new().routes(routes!(search))
}

/// Search flights.
///
/// Offers are remembered for 5 minutes; when the provider fails, an answer up to an hour older is given and says so.
#[utoipa::path(post, path = "/flights/search", tag = "flights", request_body = FlightSearch, security(("bearer" = [])),
    responses((status = 200, body = Answer), (status = 502)))]
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
    let about = About {
        search_duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        cached: found.source != Source::Live,
        meta,
    };
    Ok(([(CONTENT_TYPE, JSON)], found.value.with(&about)).into_response())
}
