//! `/users/me/preferences`: read, merge.
//!
//! Read from the database each time, by primary key: a cache in each replica could answer with what another has changed.

use std::sync::Arc;

use axum::{Json, extract::State};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    error::{ApiError, FieldError},
    extract::{Principal, Valid},
};
use crate::{
    app::{App, now},
    domain::preferences::Preferences,
};

/// What a user prefers: any JSON object of up to 16 KiB.
#[derive(Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreferencesBody {
    #[garde(skip)]
    #[schema(value_type = Object)]
    preferences: Preferences,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get, put))
}

/// What one prefers.
#[utoipa::path(get, path = "/users/me/preferences", tag = "preferences", security(("bearer" = [])),
    responses((status = 200, body = PreferencesBody), (status = 404)))]
pub(crate) async fn get(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<PreferencesBody>, ApiError> {
    let preferences = app.storage.preferences(principal.user_id).await?.ok_or_else(no_user)?;
    Ok(Json(PreferencesBody { preferences }))
}

/// Merge a change into what one prefers.
///
/// Objects are merged key by key, `null` removes a key, anything else replaces what was there (RFC 7396).
#[utoipa::path(put, path = "/users/me/preferences", tag = "preferences", request_body = PreferencesBody,
    security(("bearer" = [])), responses((status = 200, body = PreferencesBody), (status = 404)))]
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    principal: Principal,
    Valid(change): Valid<PreferencesBody>,
) -> Result<Json<PreferencesBody>, ApiError> {
    let merged = app.storage.merge_preferences(principal.user_id, change.preferences, now()).await?;
    let preferences = merged.ok_or_else(no_user)?.map_err(|refusal| {
        let error = FieldError { field: "preferences".into(), message: refusal.to_string(), kind: "value" };
        ApiError::invalid(vec![error])
    })?;
    Ok(Json(PreferencesBody { preferences }))
}

fn no_user() -> ApiError {
    ApiError::not_found("the user no longer exists")
}
