//! `/users/me/export` and `/users/me/exports`: everything that is kept about one, in an archive that is built in the background.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse as _, Response},
};
use base64::{DecodeError, Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures_util::{Stream, stream};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::ApiError,
    extract::{Id, Principal},
    middleware::Ticket,
};
use crate::{
    app::{App, now},
    domain::export::{Export, ExportStatus},
    storage,
};

/// A ZIP file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it is the schema of what `archive` streams")]
pub(crate) struct Zip(Vec<u8>);

/// Why an archive breaks off.
#[derive(Debug, thiserror::Error)]
enum PartError {
    #[error("cannot read a part of the archive")]
    Storage(#[from] storage::Error),
    #[error("a part of the archive is not base64")]
    Decode(#[from] DecodeError),
    #[error("the archive was removed")]
    Gone,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(order)).routes(routes!(get)).routes(routes!(archive))
}

/// Order an export of everything that is kept about one.
///
/// While one is being built, the answer is that one. A new one replaces those before it when it is ready.
#[utoipa::path(post, path = "/users/me/export", tag = "exports", security(("bearer" = [])),
    responses((status = 202, body = Export, headers(("Location" = String)))))]
pub(crate) async fn order(State(app): State<Arc<App>>, principal: Principal) -> Result<Response, ApiError> {
    let export = app.order_export(principal.user_id).await?;
    let location = header_value(format!("/api/v1/users/me/exports/{}", export.export_id));
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(export)).into_response())
}

/// How far an export is.
#[utoipa::path(get, path = "/users/me/exports/{id}", tag = "exports", params(("id" = Uuid, Path)),
    security(("bearer" = [])), responses((status = 200, body = Export), (status = 404)))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Export>, ApiError> {
    find(&app, id, principal.user_id).await.map(Json)
}

/// The archive of an export that is ready.
///
/// A ZIP file with one JSON file per kind, and `manifest.json` with the size and SHA-256 of each.
#[utoipa::path(get, path = "/users/me/exports/{id}/archive", tag = "exports", params(("id" = Uuid, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = Zip, content_type = "application/zip"), (status = 404),
        (status = 409, description = "It is not ready, or could not be built.")))]
pub(crate) async fn archive(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
    Extension(ticket): Extension<Ticket>,
) -> Result<Response, ApiError> {
    let export = find(&app, id, principal.user_id).await?;
    let (bytes, sha256) = match (export.status, export.bytes, export.sha256) {
        (ExportStatus::Ready, Some(bytes), Some(sha256)) => (bytes, sha256),
        (ExportStatus::Failed, ..) => return Err(ApiError::conflict("EXPORT_FAILED", "the export could not be built")),
        _ => return Err(ApiError::conflict("EXPORT_NOT_READY", "the export is not ready yet")),
    };
    app.storage.note(principal.user_id, "export.fetched", id, now()).await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (CONTENT_LENGTH, HeaderValue::from(bytes)),
        (CONTENT_DISPOSITION, header_value(format!("attachment; filename=\"tripsage-export-{id}.zip\""))),
        (ETAG, header_value(format!("\"{sha256}\""))),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(parts(app, id, bytes, ticket))).into_response())
}

async fn find(app: &App, id: Uuid, user_id: Uuid) -> Result<Export, ApiError> {
    let export = app.storage.export(id, user_id, now()).await?;
    export.ok_or_else(|| ApiError::not_found("there is no such export"))
}

/// The archive part by part, as fast as it is read; the request is in progress until its end.
fn parts(app: Arc<App>, id: Uuid, bytes: i64, ticket: Ticket) -> impl Stream<Item = Result<Bytes, PartError>> {
    stream::try_unfold((0, bytes, ticket), move |(number, left, ticket)| {
        let app = Arc::clone(&app);
        async move {
            if left <= 0 {
                return Ok(None);
            }
            let part = app.storage.export_part(id, number).await?.ok_or(PartError::Gone)?;
            let part = Bytes::from(BASE64.decode(part)?);
            let left = left - i64::try_from(part.len()).unwrap_or(i64::MAX);
            Ok(Some((part, (number + 1, left, ticket))))
        }
    })
}

fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("UUIDs and hexadecimal digits may be in a header")
}
