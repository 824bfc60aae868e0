//! Under which names the service may be asked.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::header::HOST;

use crate::http::error::ApiError;

/// Refuses requests for a host that is not one of ours, except probes, which are asked by address.
pub(crate) async fn hosts(State(allowed): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_probe = path == "/health" || path.starts_with("/health/");
    if is_probe || host_of(&request).is_some_and(|host| is_allowed(host, &allowed)) {
        next.run(request).await
    } else {
        ApiError::invalid_host().into_response()
    }
}

/// Whether the host is one of the allowed ones; any is when none is named.
pub(crate) fn is_allowed(host: &str, allowed: &[String]) -> bool {
    allowed.is_empty() || allowed.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// The host that is asked, without its port. None when the request names none, several, or nothing that is one.
pub(crate) fn host_of(request: &Request) -> Option<&str> {
    if let Some(host) = request.uri().host() {
        return Some(host);
    }
    let mut named = request.headers().get_all(HOST).iter();
    let (host, other) = (named.next()?.to_str().ok()?, named.next());
    if other.is_some() || host.contains('@') {
        return None;
    }
    let name = match host.split_once(']') {
        // An IPv6 address in brackets.
        Some((address, _)) => &host[..=address.len()],
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["api.tripsage.ai"], Some("api.tripsage.ai"))]
    #[case(&["API.tripsage.ai:8443"], Some("API.tripsage.ai"))]
    #[case(&["[::1]:80"], Some("[::1]"))]
    #[case(&[], None)]
    #[case(&[""], None)]
    #[case(&["a", "b"], None)]
    #[case(&["user@a"], None)]
    #[case(&["a/b"], None)]
    #[case(&["a b"], None)]
    fn the_host_is_the_name_without_its_port(#[case] headers: &[&str], #[case] host: Option<&str>) {
        let mut request = Request::builder().uri("/x");
        for header in headers {
            request = request.header(HOST, *header);
        }
        assert_eq!(host_of(&request.body(axum::body::Body::empty()).unwrap()), host);
    }
}
