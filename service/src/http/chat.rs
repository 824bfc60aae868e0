//! `/chat`: one turn, answered as JSON or as a stream of events.
//!
//! A stream is `data:` lines, one event each, then `data: [DONE]`. Its last event is `final` or `error`, never both.
//! What fails before the turn has begun (session, database, a breaker that is open) is a plain HTTP error in both forms.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::ApiError,
    extract::{Principal, Valid},
    middleware::Ticket,
};
use crate::{
    app::{App, Listener, Turn},
    domain::chat::{ChatAnswer, ChatEvent, ChatRequest, Role},
    telemetry::carried,
};

const ROUTE: &str = "/api/v1/chat";
const SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
/// Events that wait for a slow reader before the model has to wait too.
const EVENTS_WAITING: usize = 64;
/// Longest wait for a reader to take the last event.
const LAST_EVENT_WAIT: Duration = Duration::from_secs(1);
const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// One event of a stream, as a parser of event streams gives it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `line` writes")]
struct StreamEvent {
    /// A `ChatEvent` as JSON, or `[DONE]`.
    data: String,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(chat))
}

/// Take a turn in a chat.
///
/// With `stream` (the default) the answer is a stream of events, `data:` lines with one JSON object each, of which the
/// last is `final` or `error`, and then `data: [DONE]`.
#[utoipa::path(post, path = "/chat", tag = "chat", request_body = ChatRequest, security(("bearer" = [])),
    responses(
        (status = 200, content((ChatAnswer = "application/json"), (StreamEvent = "text/event-stream")),
            headers(("X-Session-Id" = Uuid, description = "The session of the turn."))),
        (status = 404), (status = 502)))]
pub(crate) async fn chat(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(ticket): Extension<Ticket>,
    Valid(request): Valid<ChatRequest>,
) -> Result<Response, ApiError> {
    if request.is_too_long() {
        return Err(ApiError::too_large("a message is longer than 32768 characters"));
    }
    if request.messages.last().is_none_or(|message| message.role != Role::User) {
        return Err(ApiError::bad_request("LAST_MESSAGE_NOT_FROM_USER", "the last message must be from the user"));
    }
    let is_stream = request.stream;
    let turn = Turn::begin(Arc::clone(&app), principal.user_id, request).await?;
    let session_id = turn.session_id();
    let mut response = if is_stream { streamed(app, turn, ticket) } else { whole(&app, turn).await? };
    response.headers_mut().insert(SESSION_ID, header_value(session_id));
    Ok(response)
}

async fn whole(app: &App, turn: Turn) -> Result<Response, ApiError> {
    let answer = turn.run(&Listener::Nobody).await?;
    app.note_degraded(ROUTE, &answer.meta);
    Ok(Json(answer).into_response())
}

/// Runs the turn on its own task, so that a slow reader holds back that task alone.
fn streamed(app: Arc<App>, turn: Turn, ticket: Ticket) -> Response {
    let (events, waiting) = mpsc::channel(EVENTS_WAITING);
    tokio::spawn(carried(async move {
        // The request is in progress until its stream ends.
        let _ticket = ticket;
        let session_id = turn.session_id();
        let last = match turn.run(&Listener::Stream(events.clone())).await {
            Ok(answer) => {
                app.note_degraded(ROUTE, &answer.meta);
                ChatEvent::Final(Box::new(answer))
            }
            Err(error) => {
                let error = ApiError::from(error);
                tracing::debug!(session = %session_id, code = error.code, "chat stream ends in an error");
                ChatEvent::Error { code: error.code, message: error.message, status: error.status.as_u16(), session_id }
            }
        };
        // A reader that takes nothing for a second gets no last event; the stream still ends.
        let _ = timeout(LAST_EVENT_WAIT, events.send(last)).await;
    }));
    let lines = ReceiverStream::new(waiting).map(|event| line(&event)).chain(stream::iter([DONE]));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(lines.map(Ok::<_, Infallible>))).into_response()
}

fn line(event: &ChatEvent) -> Bytes {
    let mut line = Vec::with_capacity(128);
    line.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut line, event).expect("events have only string keys");
    line.extend_from_slice(b"\n\n");
    line.into()
}

fn header_value(id: Uuid) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("a UUID is a header value")
}
