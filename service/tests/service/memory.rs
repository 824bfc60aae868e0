//! What is remembered of a user: for that user alone, and never invented.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fakes::Answers,
    stack::{Stack, until},
};

const SEARCH: &str = "/api/v1/memory/search";
const CONVERSATION: &str = "/api/v1/memory/conversation";
const CONTEXT: &str = "/api/v1/memory/context";

#[tokio::test]
async fn a_search_is_for_its_user_alone_and_remembered() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    let trains = json!({"query": "trains", "limit": 3});
    let found = stack.post(SEARCH, &ann, &trains).await.json();
    assert_eq!(found["results"], json!([{"name": "x", "observations": ["likes trains"]}]));
    assert_eq!((&found["total_count"], &found["meta"]["source"]), (&json!(1), &json!("live")));
    assert_eq!(stack.post(SEARCH, &ann, &trains).await.json()["meta"]["source"], "cache");
    assert_eq!(stack.post(SEARCH, &bob, &trains).await.json()["meta"]["source"], "live");
    let calls = stack.memory.calls();
    assert_eq!(calls.len(), 2);
    let (first, second) = (&calls[0].1, &calls[1].1);
    assert_eq!((&first["query"], &first["limit"]), (&json!("trains"), &json!(3)));
    assert_ne!(first["user_id"], second["user_id"]);
    let me = stack.get("/api/v1/users/me", &ann).await.json();
    assert_eq!(first["user_id"], me["id"]);
}

#[tokio::test]
async fn nobody_names_another_user() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let other = "00000000-0000-4000-8000-000000000000";
    let message = json!([{"role": "user", "content": "Hello"}]);
    for (path, body) in [
        (SEARCH, json!({"query": "x", "user_id": other})),
        (CONVERSATION, json!({"messages": message, "user_id": other})),
        (SEARCH, json!({"query": ""})),
        (SEARCH, json!({"query": "x", "limit": 0})),
        (SEARCH, json!({"query": "x", "limit": 101})),
        (CONVERSATION, json!({"messages": []})),
    ] {
        assert_eq!(stack.post(path, &user, &body).await.error(), (422, "VALIDATION_ERROR".into()), "{body}");
    }
    assert!(stack.memory.calls().is_empty());
}

#[tokio::test]
async fn a_conversation_is_told_to_the_memory_as_a_whole() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let long = "x".repeat(5_000);
    let messages = json!([{"role": "user", "content": "I like trains"}, {"role": "assistant", "content": long}]);
    let queued = stack.post(CONVERSATION, &user, &json!({"messages": messages})).await;
    assert_eq!((queued.status.as_u16(), queued.json()), (200, json!({"status": "queued", "message_count": 2})));
    until("the memory is told", || async { !stack.memory.calls().is_empty() }).await;
    let (tool, arguments) = stack.memory.calls().remove(0);
    assert_eq!(tool, "add_observations");
    assert_eq!(arguments["observations"][0], "user: I like trains");
    assert_eq!(arguments["observations"][1].as_str().unwrap().len(), 2_000);
}

#[rstest]
#[case(Answers::Status(500), 502, "MEMORY_ERROR")]
#[case(Answers::Never, 504, "MEMORY_TIMEOUT")]
#[case(Answers::RateLimited(7), 503, "MEMORY_UNAVAILABLE")]
#[case(Answers::OtherShape, 502, "MEMORY_ERROR")]
#[tokio::test]
async fn without_the_memory_a_search_fails_and_a_context_is_empty_and_says_so(
    #[case] answers: Answers,
    #[case] status: u16,
    #[case] code: &str,
) {
    let stack = Stack::start(&[("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "200ms")]).await;
    let user = stack.user().await;
    stack.memory.now_answers(answers);
    let refused = stack.post(SEARCH, &user, &json!({"query": "trains"})).await;
    assert_eq!(refused.error(), (status, code.into()));
    let context = stack.get(CONTEXT, &user).await.json();
    assert_eq!((&context["context"], &context["meta"]["degraded_reasons"]), (&json!([]), &json!(["memory_missing"])));
    stack.memory.now_answers(Answers::Well);
    let context = stack.get(CONTEXT, &user).await.json();
    assert_eq!(context["context"], json!([{"name": "x", "observations": ["likes trains"]}]));
    assert_eq!(context["meta"]["degraded"], false);
}

#[tokio::test]
async fn a_stale_search_stands_in_for_a_memory_that_fails_and_says_so() {
    let stack = Stack::start(&[("TRIPSAGE_MEMORY_CACHE_TTL", "1ms")]).await;
    let user = stack.user().await;
    let trains = json!({"query": "trains"});
    let search = async || stack.post(SEARCH, &user, &trains).await.json();
    search().await;
    stack.memory.now_answers(Answers::Status(500));
    until("the search is past its time", async || search().await["meta"]["source"] == "stale").await;
    let found = search().await;
    assert_eq!((&found["meta"]["source"], &found["total_count"]), (&json!("stale"), &json!(1)));
    assert_eq!(found["meta"]["degraded_reasons"], json!(["memory_stale"]));
}

#[tokio::test]
async fn a_memory_that_is_not_there_is_503() {
    let stack = Stack::start(&[("TRIPSAGE_MCP_MEMORY_URL", "")]).await;
    let user = stack.user().await;
    let message: Value = json!({"messages": [{"role": "user", "content": "Hello"}]});
    for (path, body) in [(SEARCH, json!({"query": "x"})), (CONVERSATION, message)] {
        let refused = stack.send(Method::POST, path, Some(&user.token), Some(&body)).await;
        assert_eq!(refused.error(), (503, "MEMORY_UNAVAILABLE".into()), "{path}");
    }
    assert_eq!(stack.get(CONTEXT, &user).await.json()["meta"]["provider_errors"], json!({"memory": "not_configured"}));
}
