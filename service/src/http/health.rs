//! Probes and metrics.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::{App, Health};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the process answers.
#[derive(Serialize, ToSchema)]
struct Liveness {
    /// Always `alive`.
    status: &'static str,
}

/// Whether to send requests here.
#[derive(Serialize, ToSchema)]
struct Readiness {
    ready: bool,
}

/// The probes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(live)).routes(routes!(ready))
}

/// The metrics.
pub(super) fn operator_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// How every part is.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health, description = "The database is down.")))]
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    let health = app.health().await;
    let status = if health.status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(health)).into_response()
}

/// Whether the process answers.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, body = Liveness)))]
pub(crate) async fn live() -> impl IntoResponse {
    Json(Liveness { status: "alive" })
}

/// Whether to send requests here.
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, body = Readiness),
        (status = 503, body = Readiness, description = "The database is down, or the service is stopping.")))]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let is_ready = app.is_ready().await;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready: is_ready })).into_response()
}

/// All metrics, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], app.metrics_page())
}
