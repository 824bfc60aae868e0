//! `/dashboard`: how the service does, for administrators.

use std::sync::Arc;

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{error::ApiError, extract::Admin};
use crate::app::{App, Overview};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(overview))
}

/// Requests, errors, users and the state of each part.
#[utoipa::path(get, path = "/dashboard/overview", tag = "dashboard", security(("bearer" = [])),
    responses((status = 200, body = Overview), (status = 403)))]
pub(crate) async fn overview(State(app): State<Arc<App>>, _: Admin) -> Result<Json<Overview>, ApiError> {
    Ok(Json(app.overview().await?))
}
