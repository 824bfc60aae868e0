//! Puts an rmcp server on HTTP, the same way for all of them.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Request,
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService},
};
use serde_json::json;

use super::{hosted::Hosted, sessions::Sessions};
use crate::{
    key::{self, ACCOUNT_HEADER, Account, RETRY_AFTER_SECONDS, Refusal},
    provider::{Context, Mount},
};

/// Instances of `server`, which they share.
pub(super) fn mount(server: impl ServerHandler) -> Mount {
    let server = Arc::new(server);
    Box::new(move |context| routes(context, Arc::clone(&server)))
}

/// The routes of an MCP server: `/mcp`.
fn routes(context: &Context, server: Arc<impl ServerHandler>) -> Router {
    Router::new().route_service("/mcp", service(context, server)).layer(middleware::from_fn(with_account))
}

/// Clients of MCP 2026-07-28 post one call and get one JSON answer, which costs less than half of a session with event
/// streams; older ones start with `initialize` and get a session. `Host` is checked against loopback names (DNS
/// rebinding) unless the server is open to a network.
fn service<S: ServerHandler>(context: &Context, server: Arc<S>) -> StreamableHttpService<Arc<Hosted<S>>, Sessions> {
    let mut config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(true)
        .with_json_response(true)
        .with_cancellation_token(context.hurry.clone());
    if !context.address.is_loopback() {
        config = config.disable_allowed_hosts();
    }
    let hosted = Arc::new(Hosted::new(server, Arc::clone(&context.pace)));
    StreamableHttpService::new(move || Ok(Arc::clone(&hosted)), Arc::<Sessions>::default(), config)
}

/// Refuses bad keys before the call is looked at, and tells the server whose account it is.
async fn with_account(mut request: Request, next: Next) -> Response {
    let account = key::given(request.headers()).and_then(|key| key.map_or(Ok(Account::platform()), Account::of));
    let account = match account {
        Ok(account) => account,
        Err(refusal) => return refused(refusal),
    };
    let header = account.header();
    request.extensions_mut().insert(account);
    let mut response = next.run(request).await;
    response.headers_mut().insert(ACCOUNT_HEADER, header);
    response
}

fn refused(refusal: Refusal) -> Response {
    let (status, code) = match refusal {
        Refusal::Unknown => (StatusCode::UNAUTHORIZED, "invalid_api_key"),
        Refusal::Limited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        Refusal::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
    };
    let mut response = (status, Json(json!({"error": {"code": code, "message": refusal.to_string()}}))).into_response();
    match refusal {
        Refusal::Unknown => {
            let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        Refusal::Limited => {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        Refusal::Broken => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use axum::body::Body;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{mcp::sessions::IDLE_MAX, pace::Pace};

    struct Nothing;

    impl ServerHandler for Nothing {}

    fn post(session: Option<&HeaderValue>, message: serde_json::Value) -> Request {
        let mut request = Request::post("http://localhost/mcp")
            .header("host", "localhost")
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        request.body(Body::from(message.to_string())).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_idle_for_too_long_is_over() {
        let hurry = CancellationToken::new();
        let pace = Arc::new(Pace::new("constant:0s".parse().unwrap(), 1, "nothing", hurry.clone()));
        let context = Context { address: Ipv4Addr::LOCALHOST.into(), pace, hurry };
        let service = service(&context, Arc::new(Nothing));
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
        let session = service.handle(post(None, hello)).await.headers()["mcp-session-id"].clone();
        let ping = || post(Some(&session), json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        for _ in 0..3 {
            tokio::time::sleep(IDLE_MAX - Duration::from_secs(1)).await;
            assert_eq!(service.handle(ping()).await.status(), StatusCode::ACCEPTED);
        }
        tokio::time::sleep(IDLE_MAX + Duration::from_secs(1)).await;
        assert_eq!(service.handle(ping()).await.status(), StatusCode::NOT_FOUND);
    }
}
