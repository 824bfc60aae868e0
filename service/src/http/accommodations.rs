//! `/accommodations`: the search, and one listing.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use garde::Validate;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tokio::join;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::{ApiError, FieldError, STAYS},
    extract::{Principal, Valid},
    middleware::Deadline,
};
use crate::{
    app::{App, today},
    dependency::Failure,
    domain::{
        amount::Amount,
        api_key::Service,
        meta::{Degradation, Meta},
        stay::{Availability, Listing, StaySearch, nights},
    },
    mcp::airbnb::Wish,
};

const SEARCH: &str = "/api/v1/accommodations/search";
const DETAILS: &str = "/api/v1/accommodations/details";
const NO_LISTING: &str = "there is no such listing";

/// Places to stay, cheapest first.
#[derive(Serialize, ToSchema)]
#[schema(as = StaySearchAnswer)]
struct Answer<'a> {
    search_id: Uuid,
    listings: &'a [Listing],
    count: usize,
    currency: &'a str,
    /// Per night.
    min_price: Option<Amount>,
    /// Per night.
    max_price: Option<Amount>,
    /// Per night.
    avg_price: Option<Amount>,
    trip_id: Option<Uuid>,
    search_request: &'a StaySearch,
    meta: Meta,
}

/// Which listing, and for when and how many.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListingRequest {
    #[garde(length(bytes, min = 1, max = 200))]
    listing_id: String,
    /// With `check_out`: asks whether it is free.
    #[garde(skip)]
    check_in: Option<Date>,
    #[garde(skip)]
    check_out: Option<Date>,
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 16))]
    adults: u8,
    #[serde(default)]
    #[garde(range(max = 10))]
    children: u8,
}

/// One place to stay.
#[derive(Serialize, ToSchema)]
#[schema(as = ListingAnswer)]
pub(crate) struct ListingAnswer {
    listing: Listing,
    /// Null without dates, and when it could not be had.
    availability: Option<Availability>,
    total_price: Option<Amount>,
    meta: Meta,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(details))
}

/// Search stays.
///
/// Stays are remembered for half an hour; when the provider fails, an answer up to an hour older is given and says so. When
/// only some of its pages can be had, the answer has those and says so (`stays_partial`).
#[utoipa::path(post, path = "/accommodations/search", tag = "accommodations", request_body = StaySearch,
    security(("bearer" = [])), responses((status = 200, body = Answer<'_>), (status = 502)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(search): Valid<StaySearch>,
) -> Result<Response, ApiError> {
    if search.is_in_the_past(today()) {
        return Err(wrong("check_in", "is in the past"));
    }
    let trip_id = search.trip_id;
    let search = search.normalized();
    let caller = app.caller(principal.user_id, Service::Accommodation, deadline.for_providers()).await;
    let found = app.stays.find(&search, &caller).await.map_err(unavailable)?;
    let mut meta = Meta::default();
    found.describe(&mut meta);
    app.note_degraded(SEARCH, &meta);
    let stays = &found.value;
    let answer = Answer {
        search_id: stays.search_id,
        listings: &stays.listings,
        count: stays.listings.len(),
        currency: &stays.currency,
        min_price: stays.min_price,
        max_price: stays.max_price,
        avg_price: stays.avg_price,
        trip_id,
        search_request: &search,
        meta,
    };
    Ok(Json(answer).into_response())
}

/// Get a stay.
///
/// With dates, it is asked whether the stay is free then. That is asked anew each time; when it cannot be had, the answer does
/// without and says so (`availability_missing`).
#[utoipa::path(post, path = "/accommodations/details", tag = "accommodations", request_body = ListingRequest,
    security(("bearer" = [])), responses((status = 200, body = ListingAnswer), (status = 404), (status = 502)))]
pub(crate) async fn details(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(request): Valid<ListingRequest>,
) -> Result<Json<ListingAnswer>, ApiError> {
    let wish = request.wish()?;
    let caller = app.caller(principal.user_id, Service::Accommodation, deadline.for_providers()).await;
    let availability = async {
        match &wish {
            Some(wish) => app.stays.availability(wish, &caller).await.map(Some),
            None => Ok(None),
        }
    };
    let (found, availability) = join!(app.stays.listing(&request.listing_id, &caller), availability);
    let found = found.map_err(unavailable)?;
    let listing = found.value.as_ref().clone().ok_or_else(|| ApiError::not_found(NO_LISTING))?;
    let mut meta = Meta::default();
    found.describe_as(listing.source, Degradation::StaysStale, &mut meta);
    if wish.is_some() {
        meta.queried(listing.source);
    }
    let availability = match availability {
        // It was known a moment ago, and is gone.
        Ok(Some(None)) => return Err(ApiError::not_found(NO_LISTING)),
        Ok(availability) => availability.flatten(),
        Err(failure) => {
            meta.missing(listing.source, failure.label(), Degradation::AvailabilityMissing);
            None
        }
    };
    app.note_degraded(DETAILS, &meta);
    let total_price = availability.as_ref().map(|availability| {
        availability.total_price.unwrap_or_else(|| listing.price_per_night.times(availability.nights))
    });
    Ok(Json(ListingAnswer { listing, availability, total_price, meta }))
}

impl ListingRequest {
    /// The dates of the stay, when both are there and make sense.
    fn wish(&self) -> Result<Option<Wish>, ApiError> {
        let (check_in, check_out) = match (self.check_in, self.check_out) {
            (Some(check_in), Some(check_out)) => (check_in, check_out),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(wrong("check_out", "is needed with `check_in`")),
            (None, Some(_)) => return Err(wrong("check_in", "is needed with `check_out`")),
        };
        if check_in < today() {
            return Err(wrong("check_in", "is in the past"));
        }
        match nights(check_in, check_out) {
            0 => return Err(wrong("check_out", "is not after the check-in")),
            1..=StaySearch::NIGHTS_MAX => {}
            _ => return Err(wrong("check_out", "is more than 90 nights after the check-in")),
        }
        let guests = u32::from(self.adults) + u32::from(self.children);
        Ok(Some(Wish { listing_id: self.listing_id.clone(), check_in, check_out, guests }))
    }
}

fn unavailable(failure: Failure) -> ApiError {
    ApiError::dependency(&STAYS, failure)
}

fn wrong(field: &str, message: &str) -> ApiError {
    ApiError::invalid(vec![FieldError { field: field.into(), message: message.into(), kind: "value" }])
}

fn one() -> u8 {
    1
}
