//! `/memory`: what is remembered of the user who asks, and of nobody else.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    error::{ApiError, MEMORY},
    extract::{Principal, Valid},
    middleware::Deadline,
};
use crate::{
    app::{self, App, MemorySearch, NotQueued},
    dependency::Failure,
    domain::{chat::Message, memory::Memory, meta::Meta},
    mcp::Caller,
};

const SEARCH: &str = "/api/v1/memory/search";
const CONTEXT: &str = "/api/v1/memory/context";
/// Subjects in a context.
const CONTEXT_LIMIT: u32 = 50;

/// A search in one's memories.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MemorySearch)]
pub(crate) struct Search {
    #[garde(length(chars, min = 1, max = 500))]
    query: String,
    /// Subjects at most.
    #[serde(default = "ten")]
    #[garde(range(min = 1, max = 100))]
    limit: u32,
}

/// What was found.
#[derive(Serialize, ToSchema)]
#[schema(as = MemorySearchAnswer)]
pub(crate) struct Found {
    /// Best match first.
    results: Vec<Memory>,
    total_count: usize,
    meta: Meta,
}

/// A conversation to remember.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conversation {
    #[garde(length(min = 1, max = 100), dive)]
    messages: Vec<Message>,
}

/// What becomes of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Queued {
    /// Always `queued`: it is remembered soon after.
    status: &'static str,
    message_count: usize,
}

/// Everything remembered of the user. Empty and degraded when the memory does not answer.
#[derive(Serialize, ToSchema)]
#[schema(as = MemoryContext)]
pub(crate) struct Context {
    user_id: Uuid,
    context: Vec<Memory>,
    meta: Meta,
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(conversation)).routes(routes!(context))
}

/// Search in one's memories.
#[utoipa::path(post, path = "/memory/search", tag = "memory", request_body = Search, security(("bearer" = [])),
    responses((status = 200, body = Found), (status = 502)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
    Valid(search): Valid<Search>,
) -> Result<Json<Found>, ApiError> {
    let Search { query, limit } = search;
    let search = MemorySearch { user_id: principal.user_id, query, limit };
    let found = app.memory.find(&search, &Caller::platform(deadline.for_providers())).await;
    let found = found.map_err(|failure| ApiError::dependency(&MEMORY, failure))?;
    let mut meta = Meta::default();
    found.describe_as(app::MEMORY.provider, app::MEMORY.stale, &mut meta);
    app.note_degraded(SEARCH, &meta);
    let results = found.value.as_ref().clone();
    Ok(Json(Found { total_count: results.len(), results, meta }))
}

/// Remember a conversation.
///
/// It is queued, all of it or nothing, and told to the memory soon after.
#[utoipa::path(post, path = "/memory/conversation", tag = "memory", request_body = Conversation,
    security(("bearer" = [])), responses((status = 200, body = Queued)))]
pub(crate) async fn conversation(
    State(app): State<Arc<App>>,
    principal: Principal,
    Valid(conversation): Valid<Conversation>,
) -> Result<Json<Queued>, ApiError> {
    let message_count = conversation.messages.len();
    let texts = conversation.messages.into_iter();
    let texts = texts.map(|Message { role, content }| format!("{}: {content}", role.as_str())).collect();
    app.memory_writer.remember(principal.user_id, texts).map_err(|refusal| {
        let failure = match refusal {
            NotQueued::Absent => Failure::Absent,
            NotQueued::Full => Failure::Saturated,
        };
        ApiError::dependency(&MEMORY, failure)
    })?;
    Ok(Json(Queued { status: "queued", message_count }))
}

/// Read everything that is remembered of oneself.
#[utoipa::path(get, path = "/memory/context", tag = "memory", security(("bearer" = [])),
    responses((status = 200, body = Context)))]
pub(crate) async fn context(
    State(app): State<Arc<App>>,
    principal: Principal,
    Extension(deadline): Extension<Deadline>,
) -> Json<Context> {
    let user_id = principal.user_id;
    let search = MemorySearch { user_id, query: String::new(), limit: CONTEXT_LIMIT };
    let mut meta = Meta::default();
    let found = app.memory.find(&search, &Caller::platform(deadline.for_providers())).await;
    let context = app::MEMORY.copy(found, &mut meta).unwrap_or_default();
    app.note_degraded(CONTEXT, &meta);
    Json(Context { user_id, context, meta })
}

fn ten() -> u32 {
    10
}
