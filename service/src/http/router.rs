//! Every route, on one page. A new resource is a file with `routes()` and one line here.
//!
//! ```text
//!  request id, error envelope ─▶ panics caught ─┬─▶ probes, metrics, OpenAPI
//!                                               └─▶ admission (shed), measured ─┬─▶ deadline ─▶ resources
//!                                                                               └─▶ chat (its own deadlines)
//! ```

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use super::{
    accommodations, auth, chat, chat_sessions, destinations, error, flights, health, memory, middleware, openapi,
    search, trips, users,
};
use crate::app::App;

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// The routes of the API whose requests have the common deadline.
fn resources() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(auth::routes())
        .merge(users::routes())
        .merge(flights::routes())
        .merge(trips::routes())
        .merge(accommodations::routes())
        .merge(destinations::routes())
        .merge(search::routes())
        .merge(chat_sessions::routes())
        .merge(memory::routes())
}

/// The routes of the API that keep their own time.
fn streams() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().merge(chat::routes())
}

/// The service as one router.
pub(crate) fn router(app: Arc<App>) -> Router {
    let resources = resources().layer(from_fn_with_state(Arc::clone(&app), middleware::deadline));
    let api = OpenApiRouter::with_openapi(openapi::Base::openapi())
        .nest("/api/v1", resources.merge(streams()))
        .layer(from_fn_with_state(Arc::clone(&app), middleware::admission));
    let (routes, document) = api.merge(health::routes()).split_for_parts();
    routes
        .merge(openapi::router(openapi::complete(&document)))
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn(middleware::envelope))
        .with_state(app)
}

/// The OpenAPI 3.1 document of the service, as JSON.
pub(crate) fn document() -> String {
    let api = OpenApiRouter::<Arc<App>>::with_openapi(openapi::Base::openapi())
        .nest("/api/v1", resources().merge(streams()))
        .merge(health::routes());
    let document: Value = openapi::complete(&api.into_openapi());
    openapi::text(&document)
}
