//! `/chat`: one turn, answered as JSON or as a stream of events.
//!
//! What fails before the turn has begun (session, database, a breaker that is open) is a plain HTTP error in both forms.
//! A turn runs on its own task: a client that leaves ends it, and what it came to is stored all the same.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    chat_stream,
    error::ApiError,
    extract::{Principal, Valid},
    idempotency::{IdempotencyKey, REPLAYED},
    middleware::Ticket,
};
use crate::{
    app::{App, Begun, Listener, Turn},
    domain::chat::{ChatAnswer, ChatEvent, ChatRequest, Role},
    telemetry::carried,
};

const ROUTE: &str = "/api/v1/chat";
const SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");

/// One event of a stream, as a parser of event streams gives it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the schema of what `chat_stream` writes")]
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
/// last is `final` or `error`, and then `data: [DONE]`. Sent again with the same `Idempotency-Key` within 24 h, it
/// answers with the turn of the first time, in either form; a turn that failed is taken again.
#[utoipa::path(post, path = "/chat", tag = "chat", request_body = ChatRequest, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The client's own name for this turn.")),
    responses(
        (status = 200, content((ChatAnswer = "application/json"), (StreamEvent = "text/event-stream")),
            headers(("X-Session-Id" = uuid::Uuid, description = "The session of the turn."))),
        (status = 404), (status = 409), (status = 502)))]
pub(crate) async fn chat(
    State(app): State<Arc<App>>,
    principal: Principal,
    IdempotencyKey(key): IdempotencyKey,
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
    match Turn::begin(Arc::clone(&app), principal.user_id, request, key.as_deref()).await? {
        Begun::Replay(answer) => Ok(replayed(answer, is_stream)),
        Begun::New(turn) => {
            let session_id = turn.session_id();
            let mut response = if is_stream { streamed(app, *turn, ticket) } else { whole(app, *turn, ticket).await? };
            response.headers_mut().insert(SESSION_ID, header_value(&session_id.to_string()));
            Ok(response)
        }
    }
}

async fn whole(app: Arc<App>, turn: Turn, ticket: Ticket) -> Result<Response, ApiError> {
    let waiting = CancellationToken::new();
    let listener = Listener::ForAnswer(waiting.clone());
    // Dropped with this request.
    let _waiting = waiting.drop_guard();
    let running = tokio::spawn(carried(async move {
        let _ticket = ticket;
        run(&app, turn, &listener).await
    }));
    let answer = running.await.map_err(|_| ApiError::internal())??;
    Ok(Json(answer).into_response())
}

fn streamed(app: Arc<App>, turn: Turn, ticket: Ticket) -> Response {
    let (events, response) = chat_stream::open();
    tokio::spawn(carried(async move {
        // The request is in progress until its stream ends.
        let _ticket = ticket;
        let session_id = turn.session_id();
        let last = match run(&app, turn, &events.listener()).await {
            Ok(answer) => ChatEvent::Final(Box::new(answer)),
            Err(error) => {
                tracing::debug!(session = %session_id, code = error.code, "chat stream ends in an error");
                ChatEvent::Error { code: error.code, message: error.message, status: error.status.as_u16(), session_id }
            }
        };
        events.end(last);
    }));
    response
}

/// Takes a turn to its end; a panic on the way is an error like any other, so that a stream still gets its last event.
async fn run(app: &App, turn: Turn, listener: &Listener) -> Result<ChatAnswer, ApiError> {
    let ran = AssertUnwindSafe(turn.run(listener)).catch_unwind().await;
    let answer = ran.map_err(|_| ApiError::internal())??;
    app.note_degraded(ROUTE, &answer.meta);
    Ok(answer)
}

/// The answer of the same turn at an earlier time.
fn replayed(answer: Value, is_stream: bool) -> Response {
    let session_id = header_value(answer["session_id"].as_str().unwrap_or_default());
    let mut response = if is_stream { chat_stream::replay(answer) } else { Json(answer).into_response() };
    response.headers_mut().extend([REPLAYED, (SESSION_ID, session_id)]);
    response
}

fn header_value(id: &str) -> HeaderValue {
    HeaderValue::try_from(id).expect("a UUID is a header value")
}
