//! `/trips/{id}/itinerary`: what happens on which day.

use std::sync::Arc;

use axum::{Json, extract::State};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Id, Principal, Valid},
};
use crate::{
    app::{App, now},
    domain::itinerary::{Item, ItemDraft, Itinerary},
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(add))
}

/// Read the itinerary of a trip, with the conflicts in it.
#[utoipa::path(get, path = "/trips/{id}/itinerary", tag = "itinerary", params(("id" = Uuid, Path)),
    security(("bearer" = [])), responses((status = 200, body = Itinerary), (status = 404)))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Itinerary>, ApiError> {
    let (trip, items) = app.storage.trip_with_items(id, principal.user_id).await?;
    Ok(Json(Itinerary::of(&trip, items)))
}

/// Add an item to the itinerary of a trip.
///
/// What does not fit is added all the same and is a conflict of the itinerary.
#[utoipa::path(post, path = "/trips/{id}/itinerary/items", tag = "itinerary", params(("id" = Uuid, Path)),
    request_body = ItemDraft, security(("bearer" = [])),
    responses((status = 201, body = Item), (status = 403), (status = 404),
        (status = 409, description = "The itinerary has as many items as it can have.")))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
    Valid(draft): Valid<ItemDraft>,
) -> Result<(StatusCode, Json<Item>), ApiError> {
    let item = app.storage.add_item(id, principal.user_id, draft, now()).await?;
    Ok((StatusCode::CREATED, Json(item)))
}
