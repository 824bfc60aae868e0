//! `/auth`: register, log in, refresh, log out.

use std::{error::Error, sync::Arc};

use axum::{Json, extract::State};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::ApiError,
    extract::{Principal, Valid},
};
use crate::{
    app::{App, Kind, Registrar, RegistrationError, TokenError, TokenPair, now},
    domain::user::{Credentials, Registration, User, normal_email},
    storage::Spending,
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

/// Which session to end.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logout {
    /// The refresh token of the session; without one, all sessions of the user end.
    #[serde(default)]
    #[garde(length(min = 1, max = 4_096))]
    refresh_token: Option<String>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    message: &'static str,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
}

/// Register a user.
#[utoipa::path(post, path = "/auth/register", tag = "auth", request_body = Registration,
    responses((status = 201, body = User), (status = 409)))]
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Valid(new): Valid<Registration>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    match app.register(new, Registrar::Anybody).await {
        Ok(user) => Ok((StatusCode::CREATED, Json(user))),
        Err(RegistrationError::Taken) => Err(ApiError::conflict("DUPLICATE_EMAIL", "the e-mail address is taken")),
        Err(RegistrationError::Password(error)) => Err(error.into()),
        Err(RegistrationError::Storage(error)) => Err(error.into()),
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
    let outdated = stored.clone().filter(|stored| app.passwords.is_outdated(stored));
    let outdated = outdated.map(|stored| (stored, credentials.password.clone()));
    let is_right = app.passwords.verify(credentials.password, stored).await?;
    let user_id = user.as_ref().map_or(Uuid::nil(), |user| user.id);
    let Some(user) = user.filter(|_| is_right) else {
        // Noted also when nobody has that address: the time of the answer must not tell.
        app.storage.note(user_id, "user.login_failed", user_id, now()).await?;
        return Err(ApiError::unauthorized("AUTHENTICATION_ERROR", "the e-mail address or the password is wrong"));
    };
    if let Some((stored, password)) = outdated {
        renew_hash(&app, user.id, &stored, password).await;
    }
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

/// Log out.
///
/// Spends the refresh token given, or all of the user's. Access tokens are good until they expire.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", request_body = Option<Logout>, security(("bearer" = [])),
    responses((status = 200, body = Done),
        (status = 401, description = "No valid access token, or the refresh token is not one of this user.")))]
pub(crate) async fn logout(
    State(app): State<Arc<App>>,
    principal: Principal,
    request: Option<Valid<Logout>>,
) -> Result<Json<Done>, ApiError> {
    let only = match request.and_then(|Valid(request)| request.refresh_token) {
        None => None,
        Some(token) => match app.tokens.verify(&token, Kind::Refresh) {
            Ok(claims) if claims.user_id == principal.user_id => Some(claims.jti),
            // What has expired is as good as spent.
            Err(TokenError::Expired) => return Ok(Json(LOGGED_OUT)),
            _ => return Err(TokenError::Invalid.into()),
        },
    };
    app.storage.end_sessions(principal.user_id, only, now()).await?;
    Ok(Json(LOGGED_OUT))
}

/// Keeps a password, which is known only now, under the parameters of today. The login is good also when that fails.
async fn renew_hash(app: &App, user_id: Uuid, stored: &str, password: String) {
    let renewed = async {
        let hash = app.passwords.hash(password).await?;
        app.storage.replace_password_hash(user_id, stored, &hash).await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    if let Err(error) = renewed.await {
        tracing::warn!(error = &*error as &dyn Error, "the hash of a password is not renewed before the next login");
    }
}

const LOGGED_OUT: Done = Done { message: "logged out" };

fn tokens(pair: TokenPair, user: User) -> Tokens {
    Tokens {
        access_token: pair.access,
        refresh_token: pair.refresh,
        token_type: "bearer",
        expires_in: EXPIRES_IN_S,
        user,
    }
}
