//! `/admin/audit`: who did what, and whether anyone has tampered with it.

use std::sync::Arc;

use axum::{Json, extract::State};
use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::ApiError,
    extract::{Admin, ValidQuery},
};
use crate::{
    app::App,
    domain::{
        audit::{AuditEvent, Break},
        page::{Page, Slice},
    },
    storage::AuditFilter,
};

/// Which events to list.
#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    #[serde(default)]
    #[garde(skip)]
    user_id: Option<Uuid>,
    /// For example `trip.created`.
    #[serde(default)]
    #[garde(length(max = 100), custom(is_action))]
    action: Option<String>,
    /// The first instant.
    #[serde(default)]
    #[garde(skip)]
    from: Option<Timestamp>,
    /// The instant after the last.
    #[serde(default)]
    #[garde(skip)]
    to: Option<Timestamp>,
    #[serde(default)]
    #[garde(range(max = 1_000_000))]
    skip: u32,
    #[serde(default = "fifty")]
    #[garde(range(min = 1, max = 100))]
    limit: u32,
}

/// Which links of the chain to check.
#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// The links after this one; its own hash is taken as it is. From the first one by default.
    #[serde(default)]
    #[garde(range(min = 0))]
    after: i64,
    #[serde(default = "ten_thousand")]
    #[garde(range(min = 1, max = 10_000))]
    limit: u32,
}

/// What a look at the chain found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verification {
    /// Whether all links that were looked at hold.
    is_intact: bool,
    /// Number of the last link that holds; go on after it.
    checked_to: i64,
    /// Its hash: the whole log up to there in one value. Keep it elsewhere to notice a log that was cut short.
    hash: String,
    /// Number of the last link there is.
    last: i64,
    /// The first link that does not hold.
    first_break: Option<Break>,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify))
}

/// List audit events, newest first.
#[utoipa::path(get, path = "/admin/audit", tag = "audit", params(List), security(("bearer" = [])),
    responses((status = 200, body = Page<AuditEvent>), (status = 403), (status = 422)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    ValidQuery(list): ValidQuery<List>,
) -> Result<Json<Page<AuditEvent>>, ApiError> {
    tracing::info!(admin = %admin.user_id, "the audit log is read by {}", admin.user_id);
    let filter = AuditFilter { user_id: list.user_id, action: list.action, from: list.from, to: list.to };
    Ok(Json(app.storage.audit_events(&filter, Slice { skip: list.skip, limit: list.limit }).await?))
}

/// Check the chain that seals the audit log.
#[utoipa::path(get, path = "/admin/audit/verification", tag = "audit", params(Range), security(("bearer" = [])),
    responses((status = 200, body = Verification), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn verify(
    State(app): State<Arc<App>>,
    _: Admin,
    ValidQuery(range): ValidQuery<Range>,
) -> Result<Json<Verification>, ApiError> {
    let checked = app.check_audit(range.after, range.limit).await?;
    let checked = checked.ok_or_else(|| ApiError::not_found("there is no link of that number"))?;
    Ok(Json(Verification {
        is_intact: checked.first_break.is_none(),
        checked_to: checked.head.seq,
        hash: checked.head.hash,
        last: app.storage.chain_head().await?.seq,
        first_break: checked.first_break,
    }))
}

#[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "the signature is garde's")]
fn is_action(action: &Option<String>, (): &()) -> garde::Result {
    let is_name =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
    if action.as_deref().is_none_or(is_name) { Ok(()) } else { Err(garde::Error::new("is not the name of an action")) }
}

fn fifty() -> u32 {
    50
}

fn ten_thousand() -> u32 {
    10_000
}
