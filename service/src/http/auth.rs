//! `/auth`: register, log in, refresh.

use std::sync::Arc;

use axum::{Json, extract::State};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{error::ApiError, extract::Valid};
use crate::{
    app::{App, Kind, TokenPair, now},
    domain::user::{Credentials, Registration, User, normal_email},
    storage::{self, NewUser, Spending},
};

/// Seconds in the life of an access token.
const EXPIRES_IN_S: i64 = 3_600;

/// What a login gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    access_token: String,
    refresh_token: String,
    token_type: &'static str,
    expires_in: i64,
    user: User,
}

/// A request for new tokens.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[garde(length(min = 1, max = 4_096))]
    refresh_token: String,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(register)).routes(routes!(login)).routes(routes!(refresh))
}

/// Register a user.
#[utoipa::path(post, path = "/auth/register", tag = "auth", request_body = Registration,
    responses((status = 201, body = User), (status = 409)))]
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Valid(new): Valid<Registration>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    let password_hash = app.passwords.hash(new.password).await?;
    let (id, now, email) = (Uuid::new_v4(), now(), normal_email(&new.email));
    let full_name = new.full_name.as_deref();
    let stored =
        app.storage.create_user(NewUser { id, email: &email, full_name, password_hash: &password_hash, now }).await;
    match stored {
        Err(storage::Error::Duplicate(_)) => Err(ApiError::conflict("DUPLICATE_EMAIL", "the e-mail address is taken")),
        Err(error) => Err(error.into()),
        Ok(()) => {
            let user = User { id, email, full_name: new.full_name, created_at: now, updated_at: now };
            Ok((StatusCode::CREATED, Json(user)))
        }
    }
}

/// Log in.
///
/// The access token lives 60 minutes, the refresh token 7 days.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Credentials,
    responses((status = 200, body = Tokens), (status = 401, description = "The e-mail address or the password is wrong.")))]
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Valid(credentials): Valid<Credentials>,
) -> Result<Json<Tokens>, ApiError> {
    let (user, stored) = app.storage.user_by_email(&normal_email(&credentials.email)).await?.unzip();
    let is_right = app.passwords.verify(credentials.password, stored).await?;
    let Some(user) = user.filter(|_| is_right) else {
        return Err(ApiError::unauthorized("AUTHENTICATION_ERROR", "the e-mail address or the password is wrong"));
    };
    let now = now();
    let pair = app.tokens.issue(user.id, &user.email, now);
    app.storage.keep_refresh_token(pair.refresh_id, user.id, pair.refresh_expires_at, now).await?;
    Ok(Json(tokens(pair, user)))
}

/// Spend a refresh token for a new pair.
///
/// Each refresh token can be used once.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = Refresh,
    responses((status = 200, body = Tokens), (status = 401, description = "The refresh token is expired, spent or not one.")))]
pub(crate) async fn refresh(
    State(app): State<Arc<App>>,
    Valid(request): Valid<Refresh>,
) -> Result<Json<Tokens>, ApiError> {
    let claims = app.tokens.verify(&request.refresh_token, Kind::Refresh)?;
    let now = now();
    let pair = app.tokens.issue(claims.user_id, &claims.email, now);
    let spending = app
        .storage
        .spend_refresh_token(claims.jti, claims.user_id, pair.refresh_id, pair.refresh_expires_at, now)
        .await?;
    match spending {
        Spending::Spent(user) => Ok(Json(tokens(pair, user))),
        Spending::Refused => Err(ApiError::unauthorized("INVALID_TOKEN", "the token is not valid")),
    }
}

fn tokens(pair: TokenPair, user: User) -> Tokens {
    Tokens {
        access_token: pair.access,
        refresh_token: pair.refresh,
        token_type: "bearer",
        expires_in: EXPIRES_IN_S,
        user,
    }
}
