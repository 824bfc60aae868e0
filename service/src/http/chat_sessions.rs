//! `/chat/sessions`: begin one, list them, read what was said, end one.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use garde::Validate;
use http::{HeaderValue, StatusCode, header::LOCATION};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::ApiError,
    extract::{Id, Principal, Valid, ValidQuery},
};
use crate::{
    app::{App, now},
    domain::{
        chat_session::{Session, SessionDraft, StoredMessage},
        page::Slice,
    },
};

/// How many sessions to list.
#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    #[serde(default = "twenty")]
    #[garde(range(min = 1, max = 100))]
    limit: u32,
}

/// Which messages to read.
#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    #[serde(default = "hundred")]
    #[garde(range(min = 1, max = 100))]
    limit: u32,
    #[serde(default)]
    #[garde(range(max = 1_000_000))]
    offset: u32,
}

/// Sessions, the one used last first.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatSessions)]
pub(crate) struct Sessions {
    sessions: Vec<Session>,
}

/// Messages of a session, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatMessages)]
pub(crate) struct Messages {
    session_id: Uuid,
    messages: Vec<StoredMessage>,
    /// How many there are.
    total: u64,
    limit: u32,
    offset: u32,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(messages)).routes(routes!(end))
}

/// Begin a chat session.
#[utoipa::path(post, path = "/chat/sessions", tag = "chat_sessions", request_body = SessionDraft,
    security(("bearer" = [])),
    responses((status = 201, body = Session, headers(("Location" = String))), (status = 404)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    Valid(draft): Valid<SessionDraft>,
) -> Result<Response, ApiError> {
    if let Some(trip_id) = draft.trip_id {
        app.storage.trip(trip_id, principal.user_id).await?;
    }
    let session = draft.into_session(Uuid::new_v4(), now());
    app.storage.create_session(&session, principal.user_id).await?;
    let location = format!("/api/v1/chat/sessions/{}/messages", session.id);
    let location = HeaderValue::try_from(location).expect("a UUID is a header value");
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(session)).into_response())
}

/// List one's chat sessions, the one used last first.
///
/// A session without a turn for 24 h ends; 30 days after its end it is deleted.
#[utoipa::path(get, path = "/chat/sessions", tag = "chat_sessions", params(List), security(("bearer" = [])),
    responses((status = 200, body = Sessions), (status = 422)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    principal: Principal,
    ValidQuery(list): ValidQuery<List>,
) -> Result<Json<Sessions>, ApiError> {
    let sessions = app.storage.sessions(principal.user_id, list.limit).await?;
    Ok(Json(Sessions { sessions }))
}

/// Read what was said in a chat session.
///
/// A turn that failed has its user message here, and no answer.
#[utoipa::path(get, path = "/chat/sessions/{id}/messages", tag = "chat_sessions", params(("id" = Uuid, Path), Part),
    security(("bearer" = [])), responses((status = 200, body = Messages), (status = 404), (status = 422)))]
pub(crate) async fn messages(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
    ValidQuery(part): ValidQuery<Part>,
) -> Result<Json<Messages>, ApiError> {
    let slice = Slice { skip: part.offset, limit: part.limit };
    let page = app.storage.messages(id, principal.user_id, slice).await?.ok_or_else(no_session)?;
    Ok(Json(Messages { session_id: id, messages: page.items, total: page.total, limit: page.limit, offset: page.skip }))
}

/// End a chat session.
///
/// It can be read and takes no more turns. Ending it again changes nothing.
#[utoipa::path(post, path = "/chat/sessions/{id}/end", tag = "chat_sessions", params(("id" = Uuid, Path)),
    security(("bearer" = [])), responses((status = 200, body = Session), (status = 404)))]
pub(crate) async fn end(
    State(app): State<Arc<App>>,
    principal: Principal,
    Id(id): Id,
) -> Result<Json<Session>, ApiError> {
    app.storage.end_session(id, principal.user_id, now()).await?.map(Json).ok_or_else(no_session)
}

fn no_session() -> ApiError {
    ApiError::not_found("there is no such chat session")
}

fn twenty() -> u32 {
    20
}

fn hundred() -> u32 {
    100
}
