//! Rate limits: each request of the API is counted for its user, or for the address it comes from.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::client;
use crate::{
    app::{App, Limiter, Subject},
    domain::quota::{Class, Verdict},
    http::{error::ApiError, extract::Principal},
    metrics::ScopeLabels,
};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const SCOPE: HeaderName = HeaderName::from_static("x-ratelimit-scope");

/// Counts a request or answers 429, before anything is read of its body. Both say where the client stands: the limit of
/// which least is left, what is left of it, and the seconds until its window ends (of a 429: until the next try).
pub(crate) async fn limits(
    State((app, limiter)): State<(Arc<App>, Arc<Limiter>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (subject, class) = asker(&app, &mut request);
    let verdict = limiter.ask(subject, class).await;
    let mut response = match verdict.wait_us {
        None => next.run(request).await,
        Some(_) => {
            app.metrics.rate_limited.get_or_create(&ScopeLabels { scope: verdict.scope.label() }).inc();
            ApiError::rate_limited(verdict).into_response()
        }
    };
    write(&verdict, response.headers_mut());
    response
}

/// Whose request it is.
fn asker(app: &App, request: &mut Request) -> (Subject, Class) {
    let class = class(request.method(), request.uri().path());
    let user = if class == Class::Ip { None } else { Principal::of(request, app) };
    match user {
        Some(user_id) => (Subject::User(user_id), class),
        None => {
            let address = client::address(request, &app.config.rate_limits.trusted_proxies);
            (Subject::at(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))), Class::Ip)
        }
    }
}

/// Which limits a request has, if it has an access token. `auth` is counted by address, whoever says to be asking: that is
/// where passwords are guessed.
fn class(method: &Method, path: &str) -> Class {
    let mut parts = path.strip_prefix("/api/v1/").unwrap_or_default().split('/');
    match (parts.next(), parts.next()) {
        (Some("auth"), _) => Class::Ip,
        (Some("chat"), None) if method == Method::POST => Class::Chat,
        (Some("user"), Some("keys")) if method != Method::GET => Class::Keys,
        // It takes a password: whoever has only a token must not be able to guess it.
        (Some("users"), Some("me")) if method == Method::DELETE => Class::Keys,
        _ => Class::User,
    }
}

fn write(verdict: &Verdict, headers: &mut HeaderMap) {
    headers.insert(LIMIT, verdict.limit.into());
    headers.insert(REMAINING, verdict.remaining.into());
    headers.insert(RESET, verdict.reset_us.div_ceil(1_000_000).into());
    headers.insert(SCOPE, HeaderValue::from_static(verdict.scope.label()));
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Method::POST, "/api/v1/auth/login", Class::Ip)]
    #[case(Method::POST, "/api/v1/auth/logout", Class::Ip)]
    #[case(Method::POST, "/api/v1/chat", Class::Chat)]
    #[case(Method::GET, "/api/v1/chat", Class::User)]
    #[case(Method::POST, "/api/v1/chat/sessions", Class::User)]
    #[case(Method::POST, "/api/v1/user/keys", Class::Keys)]
    #[case(Method::POST, "/api/v1/user/keys/validate", Class::Keys)]
    #[case(Method::DELETE, "/api/v1/user/keys/7", Class::Keys)]
    #[case(Method::GET, "/api/v1/user/keys", Class::User)]
    #[case(Method::GET, "/api/v1/users/me", Class::User)]
    #[case(Method::DELETE, "/api/v1/users/me", Class::Keys)]
    #[case(Method::POST, "/api/v1/trips/auth/chat", Class::User)]
    fn chats_keys_and_logins_have_limits_of_their_own(
        #[case] method: Method,
        #[case] path: &str,
        #[case] expected: Class,
    ) {
        assert_eq!(class(&method, path), expected);
    }
}
