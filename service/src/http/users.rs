//! `/users`: who one is, and to be forgotten.

use std::sync::Arc;

use axum::{Json, extract::State};
use garde::Validate;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::ApiError,
    extract::{Principal, Valid},
};
use crate::{
    app::{App, now},
    domain::user::User,
};

/// Confirms that one wants to be forgotten.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Farewell {
    /// One's password.
    #[garde(length(chars, min = 1, max = 100))]
    password: String,
}

/// What becomes of a deletion.
#[derive(Serialize, ToSchema)]
pub(crate) struct Forgetting {
    /// Always `accepted`: the user is gone, the rest is being erased.
    status: &'static str,
    requested_at: Timestamp,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(me, forget_me))
}

/// Who one is.
#[utoipa::path(get, path = "/users/me", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = User), (status = 404)))]
pub(crate) async fn me(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<User>, ApiError> {
    let user = app.storage.user(principal.user_id).await?;
    user.map(Json).ok_or_else(no_user)
}

/// Be forgotten.
///
/// From the answer on there is no such user, and no token of theirs is good: at once here, within seconds on other replicas.
/// What belongs to the user is then erased, here and at the memory server, until nothing is left.
#[utoipa::path(delete, path = "/users/me", tag = "users", request_body = Farewell, security(("bearer" = [])),
    responses((status = 202, body = Forgetting), (status = 401, description = "No valid access token, or the password is wrong."),
        (status = 404), (status = 409, description = "The user is an administrator.")))]
pub(crate) async fn forget_me(
    State(app): State<Arc<App>>,
    principal: Principal,
    Valid(farewell): Valid<Farewell>,
) -> Result<(StatusCode, Json<Forgetting>), ApiError> {
    let user_id = principal.user_id;
    let (user, stored) = app.storage.user_with_password(user_id).await?.ok_or_else(no_user)?;
    if !app.passwords.verify(farewell.password, Some(stored)).await? {
        app.storage.note(user_id, "user.deletion_refused", user_id, now()).await?;
        return Err(ApiError::unauthorized("AUTHENTICATION_ERROR", "the password is wrong"));
    }
    if app.tokens.is_admin(&user.email) {
        // Who administers is for the operator to say, and so is who does not any more.
        return Err(ApiError::conflict("ADMINISTRATOR", "an administrator has to be taken off the list of them first"));
    }
    let requested_at = app.delete_user(user_id).await?.ok_or_else(no_user)?;
    Ok((StatusCode::ACCEPTED, Json(Forgetting { status: "accepted", requested_at })))
}

fn no_user() -> ApiError {
    ApiError::not_found("the user no longer exists")
}
