//! The plain listener beside TLS: sends every request to https, for hosts that are ours.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header::LOCATION};

use crate::http::{ApiError, host_of, is_allowed, with_envelope};

const HTTPS_PORT: u16 = 443;

/// Answers 308 with the same address at `port` of https, and 400 for hosts that are not allowed.
pub(super) fn router(port: u16, allowed_hosts: &[String]) -> Router {
    let allowed: Arc<[String]> = allowed_hosts.into();
    let redirect = move |request: Request| std::future::ready(redirected(&request, port, &allowed));
    with_envelope(Router::new().fallback(redirect))
}

fn redirected(request: &Request, port: u16, allowed: &[String]) -> Response {
    let host = host_of(request).filter(|host| is_allowed(host, allowed));
    let location = host.and_then(|host| {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
        HeaderValue::try_from(format!("https://{host}{port}{path}")).ok()
    });
    match location {
        Some(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        None => ApiError::invalid_host().into_response(),
    }
}
