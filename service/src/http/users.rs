//! `/users`: who one is.

use std::sync::Arc;

use axum::{Json, extract::State};

use utoipa_axum::{router::OpenApiRouter, routes};

use super::{error::ApiError, extract::Principal};
use crate::{app::App, domain::user::User};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(me))
}

/// Who one is.
#[utoipa::path(get, path = "/users/me", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = User), (status = 404)))]
pub(crate) async fn me(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<User>, ApiError> {
    let user = app.storage.user(principal.user_id).await?;
    user.map(Json).ok_or_else(|| ApiError::not_found("the user no longer exists"))
}
