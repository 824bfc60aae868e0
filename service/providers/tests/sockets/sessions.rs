//! The session protocol from before MCP 2026-07-28, by plain HTTP.

use providers::{Provider, Providers};
use reqwest::{RequestBuilder, Response, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{http, instant};

const VERSION: &str = "2025-06-18";

fn url(providers: &Providers) -> String {
    format!("http://{}/mcp", providers.addresses()[&Provider::Weather])
}

fn with_session(request: RequestBuilder, session: Option<&str>) -> RequestBuilder {
    let request = request.header("accept", "application/json, text/event-stream");
    match session {
        Some(session) => request.header("mcp-protocol-version", VERSION).header("mcp-session-id", session),
        None => request,
    }
}

async fn post(providers: &Providers, session: Option<&str>, message: Value) -> Response {
    with_session(http().post(url(providers)), session).json(&message).send().await.unwrap()
}

/// The JSON-RPC message of an event stream with one message.
async fn message(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:")).filter(|data| !data.trim().is_empty());
    let message = serde_json::from_str(data.next().unwrap()).unwrap();
    assert_eq!(data.next(), None, "{text}");
    message
}

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

async fn initialized(providers: &Providers) -> String {
    let hello = json!({"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let response = post(providers, None, request("initialize", hello)).await;
    let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let answer = message(response).await;
    assert_eq!((&answer["result"]["protocolVersion"], &answer["id"]), (&json!(VERSION), &json!(7)));
    assert_eq!(answer["result"]["serverInfo"]["name"], "weather");
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(post(providers, Some(&session), ready).await.status(), StatusCode::ACCEPTED);
    session
}

#[tokio::test]
async fn a_session_lasts_from_initialize_to_delete() {
    let providers = instant(1).await;
    let session = initialized(&providers).await;
    let list = message(post(&providers, Some(&session), request("tools/list", json!({}))).await).await;
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 3);

    let call = request("tools/call", json!({"name": "get_current_weather", "arguments": {"city": "Paris"}}));
    let answer = message(post(&providers, Some(&session), call.clone()).await).await;
    assert_eq!((&answer["id"], &answer["result"]["structuredContent"]["city"]), (&json!(7), &json!("Paris")));
    assert_eq!(answer["result"]["_meta"]["tripsage/account"], "platform");

    let refused = request("tools/call", json!({"name": "get_forecast", "arguments": {"city": "Paris", "days": 99}}));
    let answer = message(post(&providers, Some(&session), refused).await).await;
    assert_eq!(
        (&answer["result"]["isError"], &answer["result"]["structuredContent"]["code"]),
        (&json!(true), &json!("invalid_days"))
    );

    let delete = with_session(http().delete(url(&providers)), Some(&session)).send().await.unwrap();
    assert_eq!(delete.status(), StatusCode::ACCEPTED);
    assert_eq!(post(&providers, Some(&session), call).await.status(), StatusCode::NOT_FOUND);
}

#[rstest]
#[case::foreign(Some("not-a-session"), StatusCode::NOT_FOUND)]
#[case::none(None, StatusCode::BAD_REQUEST)]
#[tokio::test]
async fn calls_outside_a_session_are_refused(#[case] session: Option<&str>, #[case] status: StatusCode) {
    let providers = instant(1).await;
    let call = request("tools/call", json!({"name": "get_current_weather", "arguments": {"city": "Paris"}}));
    assert_eq!(post(&providers, session, call).await.status(), status);
}

#[tokio::test]
async fn a_session_belongs_to_one_instance() {
    let (providers, others) = (instant(1).await, instant(1).await);
    let session = initialized(&providers).await;
    let list = request("tools/list", json!({}));
    assert_eq!(post(&others, Some(&session), list).await.status(), StatusCode::NOT_FOUND);
}
