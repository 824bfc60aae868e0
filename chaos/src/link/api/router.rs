//! The routes, on one page, and what holds for all of them.
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{metrics::metrics, proxies, rules, toxics};
use crate::link::{registry::Registry, wire::Effects};

/// The version of Toxiproxy whose API this is, and who is speaking. Clients compare the first.
const VERSION: &str =
    concat!("{\"version\": \"2.12.0\", \"server\": \"tripsage-links ", env!("CARGO_PKG_VERSION"), "\"}\n");

/// The HTTP API over the links of a registry.
pub(in crate::link) fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/version", get(version))
        .route("/effects", get(effects))
        .route("/metrics", get(metrics))
        .route("/reset", post(proxies::reset))
        .route("/populate", post(proxies::populate))
        .route("/proxies", get(proxies::list).post(proxies::create))
        .route(
            "/proxies/{proxy}",
            get(proxies::show).post(proxies::update).patch(proxies::update).delete(proxies::delete),
        )
        .route("/proxies/{proxy}/toxics", get(toxics::list).post(toxics::create))
        .route(
            "/proxies/{proxy}/toxics/{toxic}",
            get(toxics::show).post(toxics::update).patch(toxics::update).delete(toxics::delete),
        )
        .route("/proxies/{proxy}/rules", get(rules::list).post(rules::create))
        .route(
            "/proxies/{proxy}/rules/{rule}",
            get(rules::show).post(rules::update).patch(rules::update).delete(rules::delete),
        )
        .route_layer(from_fn(guard))
        .fallback(not_found)
        .with_state(registry)
}

async fn version() -> Response {
    ([(header::CONTENT_TYPE, "application/json;charset=utf-8")], VERSION).into_response()
}

async fn effects(State(registry): State<Arc<Registry>>) -> Json<Effects> {
    Json(registry.effects().await)
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

/// Refuses browsers (so that a web page cannot drive the links) and HEAD, and numbers the answers.
async fn guard(request: Request, next: Next) -> Response {
    static ANSWERED: AtomicU64 = AtomicU64::new(0);

    let agent = request.headers().get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let mut response = if agent.starts_with(b"Mozilla/") {
        (StatusCode::FORBIDDEN, "User agent not allowed\n").into_response()
    } else if request.method() == Method::HEAD {
        StatusCode::METHOD_NOT_ALLOWED.into_response()
    } else {
        next.run(request).await
    };
    let number = ANSWERED.fetch_add(1, Ordering::Relaxed);
    response.headers_mut().insert("x-toxiproxy-request-id", HeaderValue::from(number));
    response
}
