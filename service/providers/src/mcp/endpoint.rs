//! Puts an rmcp server on HTTP, the same way for all of them.

use std::sync::Arc;

use axum::Router;
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};

use crate::provider::Context;

/// The routes of an MCP server: `/mcp`.
///
/// Stateless with JSON answers: each POST is one call and one answer, which costs less than half of a session with
/// event streams. `Host` is checked against loopback names (DNS rebinding) unless the server is open to a network.
pub(crate) fn mount(context: &Context, server: impl ServerHandler) -> Router {
    let mut config = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    if !context.address.is_loopback() {
        config = config.disable_allowed_hosts();
    }
    let server = Arc::new(server);
    let service =
        StreamableHttpService::new(move || Ok(Arc::clone(&server)), Arc::new(NeverSessionManager::default()), config);
    Router::new().route_service("/mcp", service)
}
