//! Every route, on one page.
//!
//! ```text
//!  request id, error envelope ─▶ panics caught ─┬─▶ probes, metrics
//!                                               └─▶ admission (shed), measured ─┬─▶ deadline ─▶ resources
//!                                                                               └─▶ chat (its own deadlines)
//! ```

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{auth, chat, error, flights, health, middleware, trips, users};
use crate::app::App;

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// The service as one router.
pub(crate) fn router(app: Arc<App>) -> Router {
    let resources = Router::new()
        .route("/auth/register", post(auth::register))
        .route("/auth/login", post(auth::login))
        .route("/auth/refresh", post(auth::refresh))
        .route("/users/me", get(users::me))
        .route("/flights/search", post(flights::search))
        .route("/trips", post(trips::create).get(trips::list))
        .route("/trips/{id}", get(trips::get))
        .layer(from_fn_with_state(Arc::clone(&app), middleware::deadline));
    let streams = Router::new().route("/chat", post(chat::chat));
    let api = Router::new()
        .nest("/api/v1", resources.merge(streams))
        .layer(from_fn_with_state(Arc::clone(&app), middleware::admission));
    let probes = Router::new()
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics));
    probes
        .merge(api)
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn(middleware::envelope))
        .with_state(app)
}
