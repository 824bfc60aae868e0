//! Probes and metrics.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde_json::json;

use crate::app::App;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /health`: how every part is; 503 when the database is down, else 200.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    let health = app.health().await;
    let status = if health.status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(health)).into_response()
}

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> impl IntoResponse {
    Json(json!({"status": "alive"}))
}

/// `GET /health/ready`: whether to send requests here; 503 when the database is down or the service is stopping.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let is_ready = app.is_ready().await;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": is_ready}))).into_response()
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], app.metrics_page())
}
