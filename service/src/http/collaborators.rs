//! `/trips/{id}/share` and `/trips/{id}/collaborators`: whom a trip is shared with.

use std::sync::Arc;

use axum::{Json, extract::State};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Id, Ids, Principal, Valid},
};
use crate::{
    app::{App, now},
    domain::collaboration::{Collaborator, Collaborators, PermissionChange, Share, Shared},
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(share)).routes(routes!(list)).routes(routes!(change, remove))
}

/// Share a trip with others, by their e-mail addresses.
///
/// Addresses with which it cannot be shared are named in `skipped`, with the reason.
#[utoipa::path(post, path = "/trips/{id}/share", tag = "collaborators", params(("id" = Uuid, Path)),
    request_body = Share, security(("bearer" = [])),
    responses((status = 200, body = Shared), (status = 403), (status = 404)))]
pub(crate) async fn share(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
    Valid(share): Valid<Share>,
) -> Result<Json<Shared>, ApiError> {
    Ok(Json(app.storage.share_trip(id, principal.user_id, share, now()).await?))
}

/// List whom a trip is shared with.
#[utoipa::path(get, path = "/trips/{id}/collaborators", tag = "collaborators", params(("id" = Uuid, Path)),
    security(("bearer" = [])), responses((status = 200, body = Collaborators), (status = 404)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Collaborators>, ApiError> {
    Ok(Json(app.storage.collaborators(id, principal.user_id).await?))
}

/// Change what a collaborator may do.
#[utoipa::path(put, path = "/trips/{id}/collaborators/{user_id}", tag = "collaborators",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)), request_body = PermissionChange, security(("bearer" = [])),
    responses((status = 200, body = Collaborator), (status = 403), (status = 404)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    principal: Principal,
    Ids(id, user_id): Ids,
    Valid(change): Valid<PermissionChange>,
) -> Result<Json<Collaborator>, ApiError> {
    let permission = change.permission_level;
    Ok(Json(app.storage.change_permission(id, principal.user_id, user_id, permission, now()).await?))
}

/// Stop sharing a trip with someone.
#[utoipa::path(delete, path = "/trips/{id}/collaborators/{user_id}", tag = "collaborators",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 204), (status = 403), (status = 404)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    principal: Principal,
    Ids(id, user_id): Ids,
) -> Result<StatusCode, ApiError> {
    app.storage.remove_collaborator(id, principal.user_id, user_id, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
