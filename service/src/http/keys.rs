//! `/user/keys`: users' own keys for providers. A key is tried at its service before it is kept; its secret never comes back.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::{ApiError, FieldError, KEY_CHECK},
    extract::{Id, Principal, Valid},
    middleware::Deadline,
};
use crate::{
    app::{App, now},
    dependency::Failure,
    domain::api_key::{ApiKey, NewApiKey, Rotation, Service, Trial},
    storage::{API_KEY_SECRETS, KeyCreation},
};

/// What a service says about a key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verdict {
    is_valid: bool,
    service: Service,
    message: &'static str,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(validate))
        .routes(routes!(rotate))
        .routes(routes!(delete))
}

/// List one's keys, newest first.
#[utoipa::path(get, path = "/user/keys", tag = "keys", security(("bearer" = [])),
    responses((status = 200, body = Vec<ApiKey>)))]
pub(crate) async fn list(State(app): State<Arc<App>>, principal: Principal) -> Result<Json<Vec<ApiKey>>, ApiError> {
    Ok(Json(app.storage.api_keys(principal.user_id, now()).await?))
}

/// Store a key.
///
/// It is tried at its service first. From then on it is used for one's own calls of that service, in place of the
/// platform's; of several keys for a service the newest one that the service takes.
#[utoipa::path(post, path = "/user/keys", tag = "keys", request_body = NewApiKey, security(("bearer" = [])),
    responses(
        (status = 201, body = ApiKey), (status = 400, description = "The service refuses the key."),
        (status = 409, description = "There is a key of that name for that service, or there are too many keys."),
        (status = 502)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(new): Valid<NewApiKey>,
) -> Result<(StatusCode, Json<ApiKey>), ApiError> {
    let now = now();
    if new.expires_at.is_some_and(|expiry| expiry <= now) {
        let error = FieldError { field: "expires_at".into(), message: "is in the past".into(), kind: "value" };
        return Err(ApiError::invalid(vec![error]));
    }
    let (key, secret) = new.into_key(Uuid::now_v7(), now);
    // Sealed first: what cannot be kept need not be tried.
    let sealed = app.sealer.seal(&secret, API_KEY_SECRETS.place(key.id))?;
    let checked = app.check_key(key.service, &secret, deadline.0).await;
    checked.map_err(|failure| ApiError::dependency(&KEY_CHECK, failure))?;
    match app.storage.create_api_key(principal.user_id, &key, &sealed).await? {
        KeyCreation::Created => {}
        KeyCreation::Duplicate => {
            let message = "there is a key of that name for that service";
            return Err(ApiError::conflict("DUPLICATE_KEY", message));
        }
        KeyCreation::TooMany => return Err(ApiError::conflict("TOO_MANY_KEYS", "there are too many keys")),
    }
    app.accounts.forget(principal.user_id).await;
    Ok((StatusCode::CREATED, Json(key)))
}

/// Try a key at its service, without storing it.
#[utoipa::path(post, path = "/user/keys/validate", tag = "keys", request_body = Trial, security(("bearer" = [])),
    responses((status = 200, body = Verdict), (status = 502)))]
pub(crate) async fn validate(
    State(app): State<Arc<App>>,
    _: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(trial): Valid<Trial>,
) -> Result<Json<Verdict>, ApiError> {
    let (is_valid, message) = match app.check_key(trial.service, &trial.key.0, deadline.0).await {
        Ok(()) => (true, "the service takes the key"),
        Err(Failure::KeyRefused) => (false, "the service refuses the key"),
        Err(failure) => return Err(ApiError::dependency(&KEY_CHECK, failure)),
    };
    Ok(Json(Verdict { is_valid, service: trial.service, message }))
}

/// Change the secret of a key.
///
/// The new secret is tried at the service first. The key then lives 90 days more, unless it was to live longer anyway.
#[utoipa::path(post, path = "/user/keys/{id}/rotate", tag = "keys", params(("id" = Uuid, Path)), request_body = Rotation,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ApiKey), (status = 400, description = "The service refuses the key."), (status = 403),
        (status = 404), (status = 502)))]
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
    Extension(deadline): Extension<Deadline>,
    Valid(rotation): Valid<Rotation>,
) -> Result<Json<ApiKey>, ApiError> {
    let key = own_key(&app, id, &principal).await?.rotated(now());
    let sealed = app.sealer.seal(&rotation.new_key.0, API_KEY_SECRETS.place(id))?;
    let checked = app.check_key(key.service, &rotation.new_key.0, deadline.0).await;
    checked.map_err(|failure| ApiError::dependency(&KEY_CHECK, failure))?;
    if !app.storage.rotate_api_key(principal.user_id, &key, &sealed).await? {
        return Err(no_key());
    }
    app.accounts.forget(principal.user_id).await;
    Ok(Json(key))
}

/// Delete a key.
#[utoipa::path(delete, path = "/user/keys/{id}", tag = "keys", params(("id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 204), (status = 403), (status = 404)))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    own_key(&app, id, &principal).await?;
    let is_deleted = app.storage.delete_api_key(principal.user_id, id, now()).await?;
    app.accounts.forget(principal.user_id).await;
    if is_deleted { Ok(StatusCode::NO_CONTENT) } else { Err(no_key()) }
}

async fn own_key(app: &App, id: Uuid, principal: &Principal) -> Result<ApiKey, ApiError> {
    let (owner, key) = app.storage.api_key(id, now()).await?.ok_or_else(no_key)?;
    if owner == principal.user_id { Ok(key) } else { Err(ApiError::forbidden("the key is someone else's")) }
}

fn no_key() -> ApiError {
    ApiError::not_found("there is no such key")
}
