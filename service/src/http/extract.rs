//! What handlers take out of a request: who asks, for what, and a valid body.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request, rejection::BytesRejection},
};
use garde::Validate;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION, request::Parts};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use tokio::time::timeout;
use uuid::Uuid;

use super::error::{ApiError, FieldError};
use crate::app::{ADMIN_SCOPE, App, TokenError, now};

/// Part of the request deadline in which the body must be here.
const BODY_TIME_SHARE: f64 = 0.8;

/// The user who asks, by the access token. Asks nobody else, and of one request only once.
#[derive(Clone)]
pub(crate) struct Principal {
    pub(crate) user_id: Uuid,
    is_admin: bool,
}

/// An administrator: a user whose access token has the scope `admin:access`.
pub(crate) struct Admin(pub(crate) Principal);

impl FromRequestParts<Arc<App>> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let principal = Self::read(&parts.headers, app)?;
        parts.extensions.insert(principal.clone());
        Ok(principal)
    }
}

impl Principal {
    /// The user of a request that may have none.
    pub(super) fn of(request: &mut Request, app: &App) -> Option<Uuid> {
        let principal = Self::read(request.headers(), app).ok()?;
        let user_id = principal.user_id;
        request.extensions_mut().insert(principal);
        Some(user_id)
    }

    fn read(headers: &HeaderMap, app: &App) -> Result<Self, ApiError> {
        let missing = || ApiError::unauthorized("AUTHENTICATION_ERROR", "a bearer token is needed");
        let header = headers.get(AUTHORIZATION).ok_or_else(missing)?.to_str().map_err(|_| missing())?;
        let (scheme, token) = header.split_once(' ').ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        let claims = app.tokens.access(token.trim(), now())?;
        if app.deletions.refuses(claims.user_id) {
            return Err(TokenError::Invalid.into());
        }
        tracing::Span::current().record("user_id", tracing::field::display(claims.user_id));
        let is_admin = claims.scopes.iter().any(|scope| scope == ADMIN_SCOPE);
        Ok(Self { user_id: claims.user_id, is_admin })
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let principal = Principal::from_request_parts(parts, app).await?;
        if principal.is_admin { Ok(Self(principal)) } else { Err(ApiError::forbidden("this is for administrators")) }
    }
}

/// The id in the path. What is not a UUID names nothing: 404.
pub(crate) struct Id(pub(crate) Uuid);

impl FromRequestParts<Arc<App>> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        // Who may not ask at all is told so first.
        Principal::from_request_parts(parts, app).await?;
        let path: Result<Path<Uuid>, _> = Path::from_request_parts(parts, app).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ApiError::not_found("there is no such thing"))
    }
}

/// The two ids in the path: of a thing, and of one of its parts.
pub(crate) struct Ids(pub(crate) Uuid, pub(crate) Uuid);

impl FromRequestParts<Arc<App>> for Ids {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        Principal::from_request_parts(parts, app).await?;
        let path: Result<Path<(Uuid, Uuid)>, _> = Path::from_request_parts(parts, app).await;
        path.map(|Path((id, part))| Self(id, part)).map_err(|_| ApiError::not_found("there is no such thing"))
    }
}

/// A JSON body that has passed its own rules.
pub(crate) struct Valid<T>(pub(crate) T);

impl<T> FromRequest<Arc<App>> for Valid<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let body: T = parse(&body(request, app).await?)?;
        checked(body).map(Valid)
    }
}

/// A body that may be left out, or be `null`.
impl<T> OptionalFromRequest<Arc<App>> for Valid<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Option<Self>, ApiError> {
        let bytes = body(request, app).await?;
        let body: Option<T> = if bytes.is_empty() { None } else { parse(&bytes)? };
        body.map(|body| checked(body).map(Valid)).transpose()
    }
}

/// A query string that has passed its own rules.
pub(crate) struct ValidQuery<T>(pub(crate) T);

impl<T> FromRequestParts<Arc<App>> for ValidQuery<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        let Query(query) = Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            ApiError::invalid(vec![FieldError { field: "query".into(), message: rejection.body_text(), kind: "type" }])
        })?;
        checked(query).map(ValidQuery)
    }
}

async fn body(request: Request, app: &Arc<App>) -> Result<Bytes, ApiError> {
    let longest = app.config.request_deadline.mul_f64(BODY_TIME_SHARE);
    let read = timeout(longest, Bytes::from_request(request, app)).await;
    read.map_err(|_| ApiError::slow_body())?.map_err(unreadable)
}

fn unreadable(rejection: BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("the request body is too large"),
        _ => ApiError::bad_request("MALFORMED_REQUEST", "the request body cannot be read"),
    }
}

/// Reads a body; one that is wrong is read again, to say where.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A struct could be read from a list of its fields, which no body is meant to be.
    if bytes.trim_ascii_start().starts_with(b"[") && serde_json::from_slice::<Vec<IgnoredAny>>(bytes).is_ok() {
        let message = "expected an object, not a list".into();
        return Err(ApiError::invalid(vec![FieldError { field: "body".into(), message, kind: "type" }]));
    }
    if let Ok(body) = serde_json::from_slice(bytes) {
        return Ok(body);
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let malformed = || ApiError::bad_request("MALFORMED_JSON", "the request body is not JSON");
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        if error.inner().classify() != Category::Data {
            return malformed();
        }
        let path = error.path().to_string();
        let field = if path == "." { "body".into() } else { path };
        ApiError::invalid(vec![FieldError { field, message: error.inner().to_string(), kind: "type" }])
    })?;
    json.end().map_err(|_| malformed())?;
    Ok(body)
}

fn checked<T: Validate<Context = ()>>(value: T) -> Result<T, ApiError> {
    let Err(report) = value.validate() else { return Ok(value) };
    let wrong = |(path, error): &(garde::Path, garde::Error)| FieldError {
        field: path.to_string(),
        message: error.message().to_owned(),
        kind: "value",
    };
    Err(ApiError::invalid(report.iter().map(wrong).collect()))
}
