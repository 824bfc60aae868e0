//! `/users`: who one is.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{error::ApiError, extract::Principal};
use crate::{app::App, domain::user::User};

/// `GET /users/me`
pub(crate) async fn me(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<User>, ApiError> {
    let user = app.storage.user(principal.user_id).await?;
    user.map(Json).ok_or_else(|| ApiError::not_found("the user no longer exists"))
}
