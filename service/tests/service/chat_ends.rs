//! However a chat turn goes, its stream has exactly one last event, and its history is whole.

use std::sync::Arc;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    chat::{CHAT, say, types},
    fakes::{Answers, Says},
    stack::{Database, Obstacle, Stack, User, read, until},
};

const FLIGHT: &[(&str, &str)] =
    &[("search_flights", r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01"}"#)];

/// The last event, which is the only one that can be the last.
fn end(events: &[Value]) -> &Value {
    let ends: Vec<_> = events.iter().filter(|event| event["type"] == "final" || event["type"] == "error").collect();
    assert_eq!(ends.len(), 1, "{events:?}");
    assert_eq!(events.first().unwrap()["type"], "started");
    assert_eq!(Some(ends[0]), events.last());
    ends[0]
}

async fn messages(stack: &Stack, user: &User, session: &str) -> Vec<(String, String)> {
    let page = stack.get(&format!("{CHAT}/sessions/{session}/messages"), user).await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let said = page["messages"].as_array().unwrap();
    said.iter().map(|message| (text(&message["role"]), text(&message["content"]))).collect()
}

#[rstest]
#[case::refused(Says::Status(500), 502, "AI_SERVICE_ERROR")]
#[case::wrong_key(Says::Status(401), 502, "AI_SERVICE_ERROR")]
#[case::limited(Says::Status(429), 503, "AI_SERVICE_UNAVAILABLE")]
#[case::silent(Says::Nothing, 504, "AI_SERVICE_TIMEOUT")]
#[case::stalled_first(Says::Stalls(0), 504, "AI_SERVICE_TIMEOUT")]
#[case::stalled(Says::Stalls(2), 504, "AI_SERVICE_TIMEOUT")]
#[case::cut_first(Says::Cut(0), 502, "AI_SERVICE_ERROR")]
#[case::cut(Says::Cut(2), 502, "AI_SERVICE_ERROR")]
#[case::error_chunk(Says::Fails(2), 502, "AI_SERVICE_ERROR")]
#[case::refused_after_tools(Says::Tools { calls: FLIGHT, then: &Says::Status(500) }, 502, "AI_SERVICE_ERROR")]
#[case::limited_after_tools(Says::Tools { calls: FLIGHT, then: &Says::Status(429) }, 503, "AI_SERVICE_UNAVAILABLE")]
#[case::silent_after_tools(Says::Tools { calls: FLIGHT, then: &Says::Nothing }, 504, "AI_SERVICE_TIMEOUT")]
#[case::stalled_after_tools(Says::Tools { calls: FLIGHT, then: &Says::Stalls(2) }, 504, "AI_SERVICE_TIMEOUT")]
#[case::cut_after_tools(Says::Tools { calls: FLIGHT, then: &Says::Cut(2) }, 502, "AI_SERVICE_ERROR")]
#[case::error_chunk_after_tools(Says::Tools { calls: FLIGHT, then: &Says::Fails(2) }, 502, "AI_SERVICE_ERROR")]
#[tokio::test]
async fn a_model_that_fails_is_one_error_event_and_a_question_without_an_answer(
    #[case] says: Says,
    #[case] status: u16,
    #[case] code: &str,
) {
    let settings = [("TRIPSAGE_LLM_FIRST_TOKEN_TIMEOUT", "200ms"), ("TRIPSAGE_LLM_TOTAL_TIMEOUT", "600ms")];
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    stack.llm.now_says(says);
    let streamed = say(&stack, &user, "Hello", json!({})).await;
    let events = streamed.events();
    let last = end(&events);
    let session = streamed.header("x-session-id");
    assert_eq!((&last["type"], &last["status"], &last["code"]), (&json!("error"), &json!(status), &json!(code)));
    assert_eq!(last["session_id"], session);
    assert_eq!(messages(&stack, &user, session).await, [("user".into(), "Hello".into())]);

    stack.llm.now_says(Says::Words(1));
    let next = say(&stack, &user, "Again", json!({"session_id": session})).await.events();
    assert_eq!(end(&next)["type"], "final");
    let said = messages(&stack, &user, session).await;
    let roles: Vec<_> = said.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["user", "user", "assistant"]);
}

#[rstest]
#[case::refused(Answers::Status(500))]
#[case::silent(Answers::Never)]
#[case::cut(Answers::CutOff)]
#[case::limited(Answers::RateLimited(60))]
#[case::tool_error(Answers::ToolError)]
#[case::nonsense(Answers::OtherShape)]
#[tokio::test]
async fn a_tool_that_fails_is_one_final_event_that_says_so(#[case] answers: Answers) {
    let stack = Stack::start(&[("TRIPSAGE_TOOL_TIMEOUT", "300ms")]).await;
    let user = stack.user().await;
    stack.flights.now_answers(answers);
    stack.llm.now_says(Says::Tools { calls: FLIGHT, then: &Says::Words(1) });
    let streamed = say(&stack, &user, "Hello", json!({})).await;
    let events = streamed.events();
    assert_eq!(types(&events), ["started", "tool_call", "tool_result", "delta", "final"]);
    let last = end(&events);
    assert_eq!(last["meta"]["degraded_reasons"], json!(["tool_failed"]));
    assert_eq!(last["tool_calls"][0]["status"], "error");
    assert_eq!(messages(&stack, &user, streamed.header("x-session-id")).await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn a_database_that_fails_at_the_end_is_one_final_event_that_says_so(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let limits = [("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "200ms"), ("TRIPSAGE_DATABASE_POOL_WAIT", "100ms")];
    let Some(stack) = Stack::on(database, &limits).await else { return };
    let user = stack.user().await;
    let go_on = Arc::new(Notify::new());
    stack.llm.now_says(Says::Waits(Arc::clone(&go_on)));
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let streaming = tokio::spawn(read(stack.request(Method::POST, CHAT, Some(&user.token)).json(&body)));
    until("the model is asked", || async { !stack.llm.requests().is_empty() }).await;
    let obstacle = Obstacle::put(&stack.database_url).await;
    go_on.notify_one();
    let streamed = streaming.await.unwrap();
    let events = streamed.events();
    let last = end(&events);
    assert_eq!((&last["type"], &last["content"]), (&json!("final"), &json!("word ")));
    assert_eq!(last["meta"]["degraded_reasons"], json!(["history_not_saved"]));
    obstacle.lift().await;
    assert_eq!(messages(&stack, &user, streamed.header("x-session-id")).await, [("user".into(), "Hello".into())]);
}

#[tokio::test]
async fn a_model_and_a_database_that_fail_together_are_one_error_event() {
    let limits = [("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "200ms"), ("TRIPSAGE_LLM_FIRST_TOKEN_TIMEOUT", "500ms")];
    let stack = Stack::start(&limits).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Nothing);
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let streaming = tokio::spawn(read(stack.request(Method::POST, CHAT, Some(&user.token)).json(&body)));
    until("the model is asked", || async { !stack.llm.requests().is_empty() }).await;
    let _obstacle = Obstacle::put(&stack.database_url).await;
    let events = streaming.await.unwrap().events();
    assert_eq!(end(&events)["code"], "AI_SERVICE_TIMEOUT");
}

#[tokio::test]
async fn a_reader_that_leaves_ends_its_turn_and_the_session_goes_on() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Stalls(1));
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let mut stream = stack.request(Method::POST, CHAT, Some(&user.token)).json(&body).send().await.unwrap();
    let session = stream.headers()["x-session-id"].to_str().unwrap().to_owned();
    assert!(stream.chunk().await.unwrap().is_some());
    until("the model is asked", || async { !stack.llm.requests().is_empty() }).await;
    drop(stream);
    let free = || async { stack.metric("tripsage_inflight_requests").await == 0.0 };
    until("the turn has ended", free).await;
    assert_eq!(stack.metric("tripsage_llm_requests_total{outcome=\"cancelled\"}").await, 1.0);
    stack.llm.now_says(Says::Words(1));
    let next = say(&stack, &user, "Again", json!({"session_id": session})).await.events();
    assert_eq!(end(&next)["type"], "final");
}

#[rstest]
#[case::before_the_first_token(Says::Nothing)]
#[case::in_the_middle(Says::Stalls(2))]
#[case::after_tools(Says::Tools { calls: FLIGHT, then: &Says::Stalls(1) })]
#[tokio::test]
async fn a_service_that_stops_is_one_error_event(#[case] says: Says) {
    let mut stack = Stack::start(&[("TRIPSAGE_DRAIN", "1s")]).await;
    let user = stack.user().await;
    stack.llm.now_says(says);
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let streaming = tokio::spawn(read(stack.request(Method::POST, CHAT, Some(&user.token)).json(&body)));
    until("the model is asked", || async { !stack.llm.requests().is_empty() }).await;
    stack.stop();
    let events = streaming.await.unwrap().events();
    assert_eq!((&end(&events)["code"], &end(&events)["status"]), (&json!("SHUTTING_DOWN"), &json!(503)));
    stack.ended().await;
}
