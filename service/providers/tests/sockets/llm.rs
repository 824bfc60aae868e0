//! The LLM, by plain HTTP.

use futures_util::future::join_all;
use providers::{Provider, Providers};
use reqwest::{RequestBuilder, Response};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{http, instant, mcp_client::Client, start_with};

fn post(providers: &Providers) -> RequestBuilder {
    http().post(format!("http://{}/v1/chat/completions", providers.addresses()[&Provider::Llm]))
}

async fn send(providers: &Providers, body: &Value) -> Response {
    post(providers).json(body).send().await.unwrap()
}

async fn whole(providers: &Providers, body: &Value) -> Value {
    let response = send(providers, body).await;
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// The data of each event, after checking that `[DONE]` comes last and once.
async fn streamed(providers: &Providers, mut body: Value) -> Vec<Value> {
    body["stream"] = json!(true);
    let response = send(providers, &body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let mut data: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data.pop(), Some("[DONE]"));
    data.into_iter().map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn question(text: &str) -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]})
}

fn with_tools(text: &str) -> Value {
    let mut body = question(text);
    let tool = |name| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    body["tools"] = json!([tool("search_flights"), tool("get_current_weather")]);
    body
}

fn content(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

#[tokio::test]
async fn streamed_or_not_the_text_is_the_same() {
    let providers = instant(1).await;
    let body = question("Where should I go in spring?");
    let whole = whole(&providers, &body).await;
    let chunks = streamed(&providers, body).await;
    assert_eq!(whole["choices"][0]["message"]["content"], content(&chunks));
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    assert_eq!((&whole["object"], &chunks[0]["object"]), (&json!("chat.completion"), &json!("chat.completion.chunk")));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert_eq!(whole["usage"]["completion_tokens"], chunks.len() - 2);
}

#[tokio::test]
async fn the_text_depends_on_the_seed() {
    let text =
        async |seed| whole(&instant(seed).await, &question("hello")).await["choices"][0]["message"]["content"].clone();
    assert_eq!(text(1).await, text(1).await);
    assert_ne!(text(1).await, text(2).await);
}

#[tokio::test]
async fn usage_is_the_last_chunk_when_wanted() {
    let providers = instant(1).await;
    let mut body = question("hello");
    assert!(streamed(&providers, body.clone()).await.iter().all(|chunk| chunk.get("usage").is_none()));
    let whole = whole(&providers, &body).await;
    body["stream_options"] = json!({"include_usage": true});
    let chunks = streamed(&providers, body).await;
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    assert!(others.iter().all(|chunk| chunk["usage"].is_null()));
    let sum = last["usage"]["prompt_tokens"].as_u64().unwrap() + last["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(last["usage"]["total_tokens"], sum);
}

#[tokio::test]
async fn tool_calls_lead_to_an_answer_with_what_the_tools_found() {
    let providers = instant(1).await;
    let mut body = with_tools("Find flights from JFK to CDG and tell me the weather in Paris");
    let asked = whole(&providers, &body).await;
    assert_eq!(asked["choices"][0]["finish_reason"], "tool_calls");
    let message = asked["choices"][0]["message"].clone();
    let calls = message["tool_calls"].as_array().unwrap().clone();
    assert_eq!(calls.len(), 2);

    body["messages"].as_array_mut().unwrap().push(message);
    for (call, provider) in calls.iter().zip([Provider::Flights, Provider::Weather]) {
        let function = &call["function"];
        let arguments = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
        let client = Client::of(&providers, provider).await;
        let result = client.call(function["name"].as_str().unwrap(), arguments).await;
        let result = json!({"role": "tool", "tool_call_id": call["id"], "content": result.to_string()});
        body["messages"].as_array_mut().unwrap().push(result);
    }
    let text = content(&streamed(&providers, body).await);
    assert!(text.starts_with("I found ") && text.contains(" USD. In Paris it is "), "{text}");
}

#[tokio::test]
async fn streamed_tool_calls_are_the_same_calls_in_pieces() {
    let providers = instant(1).await;
    let body = with_tools("Find flights from JFK to CDG");
    let expected = whole(&providers, &body).await["choices"][0]["message"]["tool_calls"][0].clone();
    let chunks = streamed(&providers, body).await;
    let deltas: Vec<_> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"].get("tool_calls")).collect();
    assert_eq!((&deltas[0][0]["id"], &deltas[0][0]["function"]["name"]), (&expected["id"], &json!("search_flights")));
    let pieces = deltas.iter().map(|delta| delta[0]["function"]["arguments"].as_str().unwrap());
    assert_eq!(pieces.collect::<String>(), expected["function"]["arguments"].as_str().unwrap());
    assert!(deltas.len() > 5);
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[rstest]
#[case("revoked-0123456789abcdef", 401, "invalid_request_error", json!("invalid_api_key"))]
#[case("limited-0123456789abcdef", 429, "requests", json!("rate_limit_exceeded"))]
#[case("broken-0123456789abcdef", 500, "server_error", json!(null))]
#[tokio::test]
async fn bad_keys_have_the_errors_of_openai(
    #[case] key: &str,
    #[case] status: u16,
    #[case] kind: &str,
    #[case] code: Value,
) {
    let providers = start_with(1, |settings| settings.llm.api_key = Some("sk-right".to_owned())).await;
    let response = post(&providers).bearer_auth(key).json(&question("hello")).send().await.unwrap();
    assert_eq!(response.status(), status);
    let error = response.json::<Value>().await.unwrap()["error"].clone();
    assert_eq!((&error["type"], &error["code"]), (&json!(kind), &code));
}

#[tokio::test]
async fn a_conversation_must_fit_into_the_context() {
    let providers = instant(1).await;
    let response = send(&providers, &question(&"word ".repeat(110_000))).await;
    assert_eq!(response.status(), 400);
    let error = response.json::<Value>().await.unwrap()["error"].clone();
    assert_eq!((&error["code"], &error["param"]), (&json!("context_length_exceeded"), &json!("messages")));
    assert!(error["message"].as_str().unwrap().contains("128000 tokens. However, your messages resulted in 137504"));
}

#[tokio::test]
async fn a_plan_asks_all_providers_at_once_and_says_what_they_found() {
    let providers = instant(1).await;
    // What the model may call, and the tool of a server that answers it.
    let tools = [
        ("search_flights", Provider::Flights, "search_flights"),
        ("search_accommodations", Provider::Airbnb, "search_accommodations"),
        ("get_forecast", Provider::Weather, "get_forecast"),
        ("search_destinations", Provider::GoogleMaps, "place_search"),
        ("get_current_time", Provider::Time, "get_current_time"),
    ];
    let mut body =
        question("Plan a trip from Oslo to Lisbon: flights, hotels, the forecast, museums and the local time");
    body["tools"] =
        tools.iter().map(|(function, ..)| json!({"type": "function", "function": {"name": function}})).collect();
    let message = whole(&providers, &body).await["choices"][0]["message"].clone();
    let calls = message["tool_calls"].as_array().unwrap().clone();
    body["messages"].as_array_mut().unwrap().push(message);
    assert_eq!(calls.len(), tools.len());
    for (call, (function, provider, tool)) in calls.iter().zip(tools) {
        assert_eq!(call["function"]["name"], function);
        let arguments = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        let result = Client::of(&providers, provider).await.call(tool, arguments).await;
        let result = json!({"role": "tool", "tool_call_id": call["id"], "content": result.to_string()});
        body["messages"].as_array_mut().unwrap().push(result);
    }
    let text = content(&streamed(&providers, body).await);
    for said in [
        "flights; the cheapest",
        "places to stay",
        "The forecast for Lisbon has 5 days",
        "Have a look at ",
        " in Europe/Lisbon.",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

#[rstest]
#[case::none(None, 401, json!(null))]
#[case::wrong(Some("Bearer sk-wrong"), 401, json!("invalid_api_key"))]
#[case::no_bearer(Some("sk-right"), 401, json!(null))]
#[case::right(Some("Bearer sk-right"), 200, json!(null))]
#[tokio::test]
async fn a_configured_key_is_required(#[case] header: Option<&str>, #[case] status: u16, #[case] code: Value) {
    let providers = start_with(1, |settings| settings.llm.api_key = Some("sk-right".to_owned())).await;
    let mut request = post(&providers).json(&question("hello"));
    if let Some(header) = header {
        request = request.header("authorization", header);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), status);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], code);
    assert_eq!(body.get("error").is_some(), status == 401);
}

#[rstest]
#[case::not_json("{", 400, json!(null))]
#[case::empty("", 400, json!(null))]
#[case::no_messages(r#"{"model":"gpt-4o","messages":[]}"#, 400, json!(null))]
#[case::unknown_model(r#"{"model":"gpt-99","messages":[{"role":"user","content":"hi"}]}"#, 404, json!("model_not_found"))]
#[tokio::test]
async fn wrong_requests_have_the_error_shape_of_openai(
    #[case] body: &'static str,
    #[case] status: u16,
    #[case] code: Value,
) {
    let providers = instant(1).await;
    let response = post(&providers).body(body).send().await.unwrap();
    assert_eq!(response.status(), status);
    let error = response.json::<Value>().await.unwrap()["error"].clone();
    assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &code));
    assert!(!error["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn too_large_bodies_and_wrong_urls_have_it_too() {
    let providers = instant(1).await;
    let base = format!("http://{}", providers.addresses()[&Provider::Llm]);
    let client = http();
    let cases = [
        (client.post(format!("{base}/v1/completions")), 404),
        (client.get(format!("{base}/v1/chat/completions")), 405),
        (client.post(format!("{base}/v1/chat/completions")).body(vec![b' '; 3 << 20]), 413),
    ];
    for (request, status) in cases {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.json::<Value>().await.unwrap()["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn concurrent_conversations_get_their_own_answers() {
    let providers = &instant(1).await;
    let answers = join_all((0..40).map(|number| async move {
        let body = question(&format!("question {number}"));
        let (whole, chunks) = (whole(providers, &body).await, streamed(providers, body).await);
        assert_eq!(whole["choices"][0]["message"]["content"], content(&chunks));
        whole["id"].as_str().unwrap().to_owned()
    }))
    .await;
    let distinct: std::collections::BTreeSet<_> = answers.iter().collect();
    assert_eq!(distinct.len(), 40);
}
