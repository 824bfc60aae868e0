//! Every route, on one page. A new resource is a file with `routes()` and one line here.
//!
//! ```text
//!  request id, error envelope ─▶ (hosts, CORS) ─▶ panics caught ─┬─▶ probes, metrics, OpenAPI
//!  security headers                                              └─▶ admission (shed), measured ─▶ rate limits ─┐
//!                                                   resources ◀─ deadline ◀┬────────────────────────────────────┘
//!                                   chat (its own deadlines) ◀─────────────┘
//! ```

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state};
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{And, NotForContentType, Predicate as _, SizeAbove},
    },
    cors::CorsLayer,
};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use super::{
    accommodations, audit, auth, bookings, chat, chat_sessions, collaborators, dashboard, destinations, error, exports,
    flights, health, itinerary, keys, memory, middleware, openapi, preferences, search, trips, users,
};
use crate::app::App;

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// Smallest answer that is worth compressing, in bytes.
const COMPRESSED_BYTES_MIN: u16 = 1024;
/// How long a browser may remember what other origins may do.
const CORS_MAX_AGE: Duration = Duration::from_secs(600);

/// The routes of the API whose requests have the common deadline.
fn resources() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(auth::routes())
        .merge(users::routes())
        .merge(flights::routes())
        .merge(trips::routes())
        .merge(collaborators::routes())
        .merge(itinerary::routes())
        .merge(bookings::routes())
        .merge(preferences::routes())
        .merge(exports::routes())
        .merge(keys::routes())
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

/// The routes of the API that only administrators may use; with an internal listener they are only there.
fn administration() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().merge(audit::routes()).merge(dashboard::routes())
}

/// The routes for operators outside the API; with an internal listener they are only there.
fn operations() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().merge(health::operator_routes())
}

/// What answers on each listener.
pub(crate) struct Routers {
    pub(crate) public: Router,
    /// When there is a listener for operators.
    pub(crate) internal: Option<Router>,
}

impl Routers {
    pub(crate) fn new(app: &Arc<App>) -> Self {
        let edge = &app.config.edge;
        let mut public = part(app, resources(), streams()).merge(health::routes());
        let mut internal = None;
        let operators = || part(app, administration(), OpenApiRouter::new()).merge(operations());
        if edge.internal_listen.is_some() {
            let (routes, _) = operators().merge(health::routes()).split_for_parts();
            internal = Some(with_envelope(answering(routes)).with_state(Arc::clone(app)));
        } else {
            public = public.merge(operators());
        }
        let (public, _) = public.split_for_parts();
        let public = public.merge(openapi::router(openapi::complete(&complete().into_openapi())));
        let mut public = answering(public);
        if !edge.cors_origins.is_empty() {
            public = public.layer(cors(&edge.cors_origins));
        }
        if !edge.allowed_hosts.is_empty() {
            public = public.layer(from_fn_with_state(edge.allowed_hosts.as_slice().into(), middleware::hosts));
        }
        let envelope = middleware::Envelope { is_tls: edge.tls.is_some() };
        public = public.layer(from_fn_with_state(envelope, middleware::envelope));
        if edge.compression {
            public = public.layer(compression());
        }
        Self { public: public.with_state(Arc::clone(app)), internal }
    }
}

/// Routes of the API: those with the common deadline and those without, all counted, limited and shed together.
fn part(app: &Arc<App>, timed: OpenApiRouter<Arc<App>>, streams: OpenApiRouter<Arc<App>>) -> OpenApiRouter<Arc<App>> {
    let timed = timed.layer(from_fn_with_state(Arc::clone(app), middleware::deadline));
    let mut api = OpenApiRouter::new().nest("/api/v1", timed.merge(streams));
    if let Some(limiter) = &app.limiter {
        let state = (Arc::clone(app), Arc::clone(limiter));
        api = api.layer(from_fn_with_state(state, middleware::limits));
    }
    let routes = Arc::new(app.metrics.routes(openapi::methods(api.get_openapi())));
    api.layer(from_fn_with_state((Arc::clone(app), routes), middleware::admission))
}

/// What is around all routes of a listener, whoever may ask there.
fn answering(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(error::panicked))
}

/// Gives the answers of a plain listener what all answers have.
pub(crate) fn with_envelope<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(from_fn_with_state(middleware::Envelope { is_tls: false }, middleware::envelope))
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    let header = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header("idempotency-key"),
            header("x-request-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            header("x-request-id"),
            header("x-session-id"),
            header("x-ratelimit-limit"),
            header("x-ratelimit-remaining"),
            header("x-ratelimit-reset"),
            header("x-ratelimit-scope"),
        ])
        .max_age(CORS_MAX_AGE)
}

/// Compresses what is large and whole: the events of a stream would wait for one another.
fn compression() -> CompressionLayer<And<SizeAbove, NotForContentType>> {
    let worth_it = SizeAbove::new(COMPRESSED_BYTES_MIN).and(NotForContentType::SSE);
    CompressionLayer::new().compress_when(worth_it)
}

/// Every route there is.
fn complete() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::Base::openapi())
        .nest("/api/v1", resources().merge(streams()).merge(administration()))
        .merge(health::routes())
        .merge(operations())
}

/// The OpenAPI 3.1 document of the service, as JSON.
pub(crate) fn document() -> String {
    let document: Value = openapi::complete(&complete().into_openapi());
    openapi::text(&document)
}
