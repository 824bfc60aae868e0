//! `/search/unified`: one search over everything.

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
    error::{ApiError, FieldError},
    extract::{Principal, Valid},
    middleware::Deadline,
};
use crate::{
    app::{App, Everything, today},
    domain::{
        destination::Destination, flight::Offer, meta::Meta, stay::Listing, unified::UnifiedSearch,
        weather::CurrentWeather,
    },
};

const ROUTE: &str = "/api/v1/search/unified";

/// What was found of everything.
#[derive(Serialize, ToSchema)]
#[schema(as = UnifiedSearchAnswer)]
struct Answer<'a> {
    query: &'a str,
    results: Results<'a>,
    metadata: Metadata<'a>,
    meta: &'a Meta,
}

/// By type; null where a type was not asked for, or its provider failed.
#[derive(Serialize, ToSchema)]
#[schema(as = UnifiedSearchResults)]
struct Results<'a> {
    /// Best first.
    flights: Option<&'a [Offer]>,
    /// Cheapest first.
    accommodations: Option<&'a [Listing]>,
    /// Best match first.
    destinations: Option<&'a [Destination]>,
    weather: Option<&'a CurrentWeather>,
}

/// How it was found.
#[derive(Serialize, ToSchema)]
#[schema(as = UnifiedSearchMetadata)]
struct Metadata<'a> {
    search_id: Uuid,
    /// Everything found, shown or not.
    total_results: usize,
    returned_results: usize,
    search_time_ms: u64,
    /// Types that were answered without their provider.
    cached_results: u32,
    providers_queried: &'a [&'static str],
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    provider_errors: &'a std::collections::BTreeMap<&'static str, &'static str>,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(unified))
}

/// Search everything.
///
/// Every type is searched at the same time; one whose provider fails is null and named in `metadata.provider_errors`. Only when
/// all fail the answer is 503.
#[utoipa::path(post, path = "/search/unified", tag = "search", request_body = UnifiedSearch, security(("bearer" = [])),
    responses((status = 200, body = Answer<'_>)))]
pub(crate) async fn unified(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(search): Valid<UnifiedSearch>,
) -> Result<Response, ApiError> {
    let plan = search.plan(today()).map_err(|unfit| {
        ApiError::invalid(vec![FieldError { field: unfit.field.into(), message: unfit.message, kind: "value" }])
    })?;
    let started = Instant::now();
    let found = app.find_everything(principal.user_id, &plan, deadline.for_providers()).await;
    let found = found.map_err(|meta| ApiError::all_failed(&meta.provider_errors))?;
    app.note_degraded(ROUTE, &found.meta);
    let results = Results::of(&found, search.limit as usize);
    let metadata = Metadata {
        search_id: Uuid::new_v4(),
        total_results: total(&found),
        returned_results: results.count(),
        search_time_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        cached_results: found.cached_parts,
        providers_queried: &found.meta.providers_queried,
        provider_errors: &found.meta.provider_errors,
    };
    Ok(Json(Answer { query: &search.query, results, metadata, meta: &found.meta }).into_response())
}

impl<'a> Results<'a> {
    fn of(found: &'a Everything, limit: usize) -> Self {
        Self {
            flights: found.flights.as_ref().map(|flights| first(&flights.offers, limit)),
            accommodations: found.stays.as_ref().map(|stays| first(&stays.listings, limit)),
            destinations: found.destinations.as_deref().map(|destinations| first(destinations, limit)),
            weather: found.weather.as_deref(),
        }
    }

    fn count(&self) -> usize {
        self.flights.map_or(0, <[_]>::len)
            + self.accommodations.map_or(0, <[_]>::len)
            + self.destinations.map_or(0, <[_]>::len)
            + usize::from(self.weather.is_some())
    }
}

fn total(found: &Everything) -> usize {
    Results::of(found, usize::MAX).count()
}

fn first<T>(all: &[T], limit: usize) -> &[T] {
    &all[..limit.min(all.len())]
}
