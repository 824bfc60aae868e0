//! `/bookings`: book, list, read, cancel.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use garde::Validate;
use http::{HeaderValue, StatusCode, header::LOCATION};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::{ApiError, FieldError},
    extract::{Id, Principal, Valid, ValidQuery},
    idempotency::{IdempotencyKey, REPLAYED},
    middleware::Deadline,
};
use crate::{
    app::{App, FLIGHTS_PROVIDER, today},
    dependency::Failure,
    domain::{
        amount::Amount,
        api_key::Service,
        booking::Booking,
        booking_state::{Reason, Status},
        flight::Segment,
        meta::{Degradation, Meta},
        page::{Page, Slice},
        passenger::{BookingDraft, Contact, Passenger},
    },
    storage::{self, BookingFilter},
};

const ROUTE: &str = "/api/v1/bookings";
/// Kept back from the deadline, to store what the provider said, or that it said nothing.
const STORE_TIME: Duration = Duration::from_millis(200);

/// A booking.
#[derive(Serialize, ToSchema)]
#[schema(as = Booking)]
pub(crate) struct View {
    id: Uuid,
    user_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    trip_id: Option<Uuid>,
    offer_id: String,
    status: Status,
    /// Why it is not what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    hold_only: bool,
    /// The provider's, of a confirmed order only.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_number: Option<String>,
    passengers: Vec<Passenger>,
    /// Absent, and no passengers named, when they cannot be read at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<Contact>,
    outbound_segments: Vec<Segment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_segments: Option<Vec<Segment>>,
    /// Of the order; of the offer, as long as there is no order.
    total_price: Amount,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    booked_at: Option<Timestamp>,
    /// When the hold ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    cancellable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    created_at: Timestamp,
    updated_at: Timestamp,
    meta: Meta,
}

/// Which bookings to list.
#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    #[serde(default)]
    #[garde(range(max = 1_000_000))]
    skip: u32,
    #[serde(default = "twenty")]
    #[garde(range(min = 1, max = 100))]
    limit: u32,
    /// All bookings of that trip, if one may see it, also those that others made.
    #[serde(default)]
    #[garde(skip)]
    trip_id: Option<Uuid>,
    #[serde(default)]
    #[garde(skip)]
    status: Option<Status>,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, cancel))
}

/// Book an offer, or hold it.
///
/// `booked` means that the provider has confirmed it. When the provider does not say in time, the booking is `saved`, the
/// answer is degraded with the reason `booking_unconfirmed`, and the service goes on asking until it knows; there is one
/// order at most. Sent again with the same `Idempotency-Key` within 24 h, it answers with the booking of the first time.
#[utoipa::path(post, path = "/bookings", tag = "bookings", request_body = BookingDraft, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The client's own name for this write.")),
    responses((status = 201, body = View, headers(("Location" = String))),
        (status = 403, description = "The trip may not be changed by this user."),
        (status = 404, description = "There is no such offer or trip."),
        (status = 409, description = "The idempotency key was used for another request."),
        (status = 422, description = "Fields are wrong, the offer has expired or cannot be booked, or the provider refused the order."),
        (status = 502)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    IdempotencyKey(key): IdempotencyKey,
    Valid(draft): Valid<BookingDraft>,
) -> Result<Response, ApiError> {
    if let Some(place) = draft.unborn(today()) {
        let field = format!("passengers[{place}].date_of_birth");
        return Err(ApiError::invalid(vec![FieldError { field, message: "is in the future".into(), kind: "value" }]));
    }
    let key = key.as_deref().map(|key| storage::IdempotencyKey { key, fingerprint: draft.fingerprint() });
    let caller = app.caller(principal.user_id, Service::Flights, deadline.0 - STORE_TIME).await;
    let outcome = app.book(principal.user_id, &draft, key.as_ref(), &caller).await?;
    let mut view = view(&app, outcome.booking, outcome.failure.as_ref());
    if !outcome.is_replay {
        view.meta.queried(FLIGHTS_PROVIDER);
    }
    app.note_degraded(ROUTE, &view.meta);
    let location = HeaderValue::try_from(format!("{ROUTE}/{}", view.id)).expect("a UUID is a header value");
    let created = (StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response();
    Ok(if outcome.is_replay { ([REPLAYED], created).into_response() } else { created })
}

/// List bookings, newest first.
#[utoipa::path(get, path = "/bookings", tag = "bookings", params(List), security(("bearer" = [])),
    responses((status = 200, body = Page<View>), (status = 422)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    principal: Principal,
    ValidQuery(list): ValidQuery<List>,
) -> Result<Json<Page<View>>, ApiError> {
    let filter = BookingFilter { trip_id: list.trip_id, status: list.status };
    let slice = Slice { skip: list.skip, limit: list.limit };
    let Page { items, total, skip, limit } = app.storage.bookings(principal.user_id, filter, slice).await?;
    let items = items.into_iter().map(|booking| view(&app, booking, None)).collect();
    Ok(Json(Page { items, total, skip, limit }))
}

/// Read a booking.
#[utoipa::path(get, path = "/bookings/{id}", tag = "bookings", params(("id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 200, body = View), (status = 404)))]
pub(crate) async fn get(State(app): State<Arc<App>>, principal: Principal, Id(id): Id) -> Result<Json<View>, ApiError> {
    let booking = app.storage.booking(id, principal.user_id).await?;
    let booking = booking.ok_or_else(|| ApiError::not_found("there is no such booking"))?;
    Ok(Json(view(&app, booking, None)))
}

/// Cancel a booking, also at the provider.
///
/// When the provider does not say in time, the answer is an error, and the service goes on asking until it knows.
#[utoipa::path(delete, path = "/bookings/{id}", tag = "bookings", params(("id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 204),
        (status = 403, description = "Somebody else has booked it."),
        (status = 404, description = "There is no such booking, or it is cancelled already."),
        (status = 409, description = "It is not confirmed yet, is being cancelled, or the provider refuses to cancel it."),
        (status = 502)))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let caller = app.caller(principal.user_id, Service::Flights, deadline.0 - STORE_TIME).await;
    app.cancel_booking(principal.user_id, id, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(app: &App, booking: Booking, failure: Option<&Failure>) -> View {
    let mut meta = Meta::default();
    let party = app.party(&booking).ok();
    if party.is_none() {
        meta.degrade(Degradation::PassengersMissing);
    }
    let (passengers, contact, metadata) =
        party.map_or_else(Default::default, |party| (party.passengers, Some(party.contact), party.metadata));
    if let Some(failure) = failure {
        meta.queried(FLIGHTS_PROVIDER);
        meta.provider_errors.insert(FLIGHTS_PROVIDER, failure.label());
    }
    if booking.is_unconfirmed() {
        meta.degrade(Degradation::BookingUnconfirmed);
    }
    let (status, reason, cancellable) = (booking.status(), booking.visible_reason(), booking.is_cancellable());
    let placed = booking.placed.as_ref();
    View {
        id: booking.id,
        user_id: booking.user_id,
        trip_id: booking.trip_id,
        status,
        reason,
        hold_only: booking.hold_only,
        confirmation_number: placed.and_then(|placed| placed.confirmation_number.clone()),
        passengers,
        contact,
        total_price: booking.total_price,
        booked_at: placed.and_then(|placed| placed.booked_at),
        expires_at: placed.and_then(|placed| placed.hold_expires_at),
        cancellable,
        metadata,
        created_at: booking.created_at,
        updated_at: booking.updated_at,
        offer_id: booking.offer_id,
        outbound_segments: booking.flight.outbound_segments,
        return_segments: booking.flight.return_segments,
        currency: booking.currency,
        meta,
    }
}

fn twenty() -> u32 {
    20
}
