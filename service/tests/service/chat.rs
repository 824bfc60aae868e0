//! The chat: its grammar, its tools, and a model that fails in every place.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fakes::{Answers, FakeLlm, FakeMcp, Says},
    gate::Gate,
    stack::{Answer, Database, Obstacle, Stack, User, until},
};

pub(crate) const CHAT: &str = "/api/v1/chat";
pub(crate) const FLIGHTS_PLEASE: &str = "find flights from JFK to CDG, book the cheapest flight";

pub(crate) async fn say(stack: &Stack, user: &User, message: &str, more: Value) -> Answer {
    let mut body = json!({"messages": [{"role": "user", "content": message}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    stack.post(CHAT, user, &body).await
}

/// The types of the events, deltas in a row as one.
pub(crate) fn types(events: &[Value]) -> Vec<&str> {
    let mut types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    types.dedup();
    types
}

#[rstest]
#[tokio::test]
async fn a_stream_begins_with_started_and_ends_with_one_final(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let answer = say(&stack, &user, "Hello there", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream"));
    let events = answer.events();
    assert_eq!(types(&events), ["started", "delta", "final"]);
    let last = events.last().unwrap();
    assert_eq!(last["content"], "word word word ");
    assert_eq!(last["session_id"], answer.header("x-session-id"));
    assert_eq!(last["usage"], json!({"prompt_tokens": 11, "completion_tokens": 3}));
    assert_eq!(last["meta"]["degraded"], false);
    let prompt = stack.llm.requests()[0].to_string();
    assert!(prompt.contains("likes trains") && prompt.contains("Hello there"), "{prompt}");
    let told = || async { stack.memory.calls().iter().any(|(tool, _)| tool == "add_observations") };
    until("the memory is told", told).await;
}

#[tokio::test]
async fn a_json_chat_hands_over_calls_a_tool_and_answers() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let arguments = r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01","max_stops":null}"#;
    stack.llm.now_says(Says::Tool { name: "search_flights", arguments });
    let streamed = say(&stack, &user, FLIGHTS_PLEASE, json!({})).await.events();
    assert_eq!(types(&streamed), ["started", "handoff", "tool_call", "tool_result", "delta", "final"]);
    assert_eq!((&streamed[1]["from"], &streamed[1]["to"]), (&json!("general"), &json!("flight")));
    assert_eq!(streamed[2]["args"]["destination"], "CDG");
    assert_eq!((&streamed[3]["status"], &streamed[3]["result"]["total_results"]), (&json!("success"), &json!(2)));

    let answer = say(&stack, &user, FLIGHTS_PLEASE, json!({"stream": false})).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(
        (&body["content"], &body["routed_to"], &body["finish_reason"]),
        (&json!("word word "), &json!("flight"), &json!("stop"))
    );
    assert_eq!(
        (&body["tool_calls"][0]["name"], &body["handoffs"][0]["trigger"]),
        (&json!("search_flights"), &json!("user_request"))
    );
    assert_eq!((&body["meta"]["degraded"], &body["meta"]["providers_queried"]), (&json!(false), &json!(["flights"])));
    let last = stack.llm.requests().pop().unwrap();
    let roles: Vec<_> =
        last["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    let handoffs =
        "tripsage_agent_handoffs_total{from=\"general\",to=\"flight\",trigger=\"user_request\",result=\"success\"}";
    assert_eq!(stack.metric(handoffs).await, 2.0);
}

#[rstest]
#[case("search_flights", r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01"}"#, "flights")]
#[case("get_current_weather", r#"{"city":"Oslo"}"#, "weather")]
#[case("search_flights", r#"{"origin":"JFK","destination":"CDG","departure_date":"2020-05-01"}"#, "")]
#[case("search_flights", "{\"origin\":", "")]
#[case("get_current_weather", "{}", "")]
#[case("launch_rocket", "{}", "")]
#[tokio::test]
async fn a_tool_that_fails_is_said_and_the_answer_goes_on(
    #[case] name: &'static str,
    #[case] arguments: &'static str,
    #[case] provider: &str,
) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.flights.now_answers(Answers::Status(500));
    stack.weather.now_answers(Answers::Status(500));
    stack.llm.now_says(Says::Tool { name, arguments });
    let events = say(&stack, &user, "Hello", json!({})).await.events();
    assert_eq!(types(&events), ["started", "tool_call", "tool_result", "delta", "final"]);
    assert_eq!(events[2]["status"], "error");
    let meta = &events.last().unwrap()["meta"];
    assert_eq!((&meta["degraded"], &meta["degraded_reasons"]), (&json!(true), &json!(["tool_failed"])));
    assert_eq!(meta["provider_errors"].get(provider).is_some(), !provider.is_empty(), "{meta}");
}

#[rstest]
#[case("refused", Says::Status(500), 502, "AI_SERVICE_ERROR", 0)]
#[case("wrong key", Says::Status(401), 502, "AI_SERVICE_ERROR", 0)]
#[case("rate limit", Says::Status(429), 503, "AI_SERVICE_UNAVAILABLE", 0)]
#[case("no first token", Says::Nothing, 504, "AI_SERVICE_TIMEOUT", 0)]
#[case("headers but no first token", Says::Stalls(0), 504, "AI_SERVICE_TIMEOUT", 0)]
#[case("cut before the first token", Says::Cut(0), 502, "AI_SERVICE_ERROR", 0)]
#[case("cut in the middle", Says::Cut(2), 502, "AI_SERVICE_ERROR", 2)]
#[case("error in the middle", Says::Fails(2), 502, "AI_SERVICE_ERROR", 2)]
#[case("stall in the middle", Says::Stalls(2), 504, "AI_SERVICE_TIMEOUT", 2)]
#[tokio::test]
async fn a_model_that_fails_is_one_error_in_either_form(
    #[case] how: &str,
    #[case] says: Says,
    #[case] status: u16,
    #[case] code: &str,
    #[case] deltas: usize,
) {
    let settings = [("TRIPSAGE_LLM_FIRST_TOKEN_TIMEOUT", "100ms"), ("TRIPSAGE_LLM_TOTAL_TIMEOUT", "300ms")];
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    stack.llm.now_says(says);
    let whole = say(&stack, &user, "Hello", json!({"stream": false})).await;
    assert_eq!(whole.error(), (status, code.into()), "{how}");

    let streamed = say(&stack, &user, "Hello", json!({})).await;
    assert_eq!(streamed.status, 200, "{how}");
    let events = streamed.events();
    assert_eq!(events.iter().filter(|event| event["type"] == "delta").count(), deltas, "{how}");
    let ends: Vec<_> =
        events.iter().filter(|event| ["final", "error"].contains(&event["type"].as_str().unwrap())).collect();
    assert_eq!(ends.len(), 1, "{how}");
    assert_eq!(
        (&ends[0]["type"], &ends[0]["status"], &ends[0]["code"]),
        (&json!("error"), &json!(status), &json!(code)),
        "{how}"
    );
    assert_eq!(ends[0], events.last().unwrap(), "{how}");

    // The session has its question and no answer; the next turn goes on from there.
    stack.llm.now_says(Says::Words(1));
    let session = streamed.header("x-session-id");
    let next = say(&stack, &user, "Again", json!({"session_id": session, "stream": false})).await;
    assert_eq!(next.status, 200, "{how}");
    let prompt = stack.llm.requests().pop().unwrap();
    let said: Vec<_> =
        prompt["messages"].as_array().unwrap().iter().skip(1).map(|message| message["content"].clone()).collect();
    assert_eq!(said, [json!("Hello"), json!("Again")], "{how}");
}

#[tokio::test]
async fn what_the_model_does_is_counted() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    for says in [Says::Words(3), Says::Status(429), Says::Words(3)] {
        stack.llm.now_says(says);
        say(&stack, &user, "Hello", json!({})).await;
    }
    for (metric, expected) in [
        ("tripsage_llm_requests_total{outcome=\"ok\"}", 2.0),
        ("tripsage_llm_requests_total{outcome=\"rate_limited\"}", 1.0),
        ("tripsage_llm_first_token_seconds_count", 2.0),
        ("tripsage_llm_duration_seconds_count", 3.0),
        ("tripsage_llm_tokens_total{direction=\"input\"}", 22.0),
        ("tripsage_llm_tokens_total{direction=\"output\"}", 6.0),
        ("tripsage_llm_breaker_state", 0.0),
    ] {
        assert_eq!(stack.metric(metric).await, expected, "{metric}");
    }
}

#[tokio::test]
async fn an_open_breaker_of_the_model_is_a_plain_503_for_streams_too() {
    let stack = Stack::start(&[("TRIPSAGE_BREAKER_FAILURES", "1")]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Status(500));
    assert_eq!(say(&stack, &user, "Hello", json!({"stream": false})).await.status, 502);
    let refused = say(&stack, &user, "Hello", json!({})).await;
    assert_eq!(refused.error(), (503, "AI_SERVICE_UNAVAILABLE".into()));
    assert_eq!(refused.header("retry-after"), "60");
    assert_eq!(stack.llm.requests().len(), 1);
    assert_eq!(stack.metric("tripsage_llm_breaker_state").await, 2.0);
}

#[rstest]
#[tokio::test]
async fn a_session_goes_on_with_its_history_for_its_owner_only(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let (ann, bob) = (stack.user().await, stack.user().await);
    let first = say(&stack, &ann, "First", json!({"stream": false})).await.json();
    let session = first["session_id"].clone();
    let next = say(&stack, &ann, "Second", json!({"stream": false, "session_id": session})).await;
    assert_eq!(next.json()["session_id"], session);
    let prompt = stack.llm.requests().pop().unwrap();
    let said: Vec<_> =
        prompt["messages"].as_array().unwrap().iter().skip(1).map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["First", "word word word ", "Second"]);
    assert_eq!(
        say(&stack, &bob, "Mine", json!({"session_id": session})).await.error(),
        (404, "RESOURCE_NOT_FOUND".into())
    );
    let unknown = json!({"session_id": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(say(&stack, &ann, "Hello", unknown).await.error().0, 404);
    let forgotten = say(&stack, &ann, "Secret", json!({"stream": false, "save_history": false})).await.json();
    let lost = say(&stack, &ann, "Hello", json!({"session_id": forgotten["session_id"]})).await;
    assert_eq!(lost.error().0, 404);
}

#[tokio::test]
async fn a_memory_that_fails_is_not_noticed() {
    let stack = Stack::start(&[("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "5s")]).await;
    let user = stack.user().await;
    for answers in [Answers::Status(500), Answers::Never] {
        stack.memory.now_answers(answers);
        let started = std::time::Instant::now();
        let answer = say(&stack, &user, "Hello", json!({"stream": false})).await.json();
        assert_eq!(answer["meta"]["degraded"], false);
        assert!(started.elapsed() < std::time::Duration::from_secs(4), "{:?}", started.elapsed());
    }
    assert!(
        stack.metric("tripsage_mcp_calls_total{server=\"memory\",tool=\"search_nodes\",outcome=\"bad_status\"}").await
            >= 1.0
    );
    assert_eq!(
        stack.metric("tripsage_mcp_calls_total{server=\"memory\",tool=\"search_nodes\",outcome=\"timeout\"}").await,
        1.0
    );
}

#[tokio::test]
async fn what_is_no_chat_is_refused_before_anything_is_spent() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let message = |role: &str, content: &str| json!({"role": role, "content": content});
    let cases = [
        (json!({"messages": []}), 422, "VALIDATION_ERROR"),
        (json!({"messages": [message("user", "")]}), 422, "VALIDATION_ERROR"),
        (json!({"messages": [message("pirate", "Arr")]}), 422, "VALIDATION_ERROR"),
        (json!({"messages": [message("user", "Hi")], "temperature": 3}), 422, "VALIDATION_ERROR"),
        (json!({"messages": [message("user", "Hi"), message("assistant", "Hi")]}), 400, "LAST_MESSAGE_NOT_FROM_USER"),
        (json!({"messages": [message("user", &"x".repeat(32_769))]}), 413, "PAYLOAD_TOO_LARGE"),
        (json!({"messages": [message("user", "Hi")], "session_id": "x"}), 422, "VALIDATION_ERROR"),
    ];
    for (body, status, code) in cases {
        assert_eq!(stack.post(CHAT, &user, &body).await.error(), (status, code.into()), "{:.80}", body.to_string());
    }
    assert!(stack.llm.requests().is_empty());
}

#[rstest]
#[tokio::test]
async fn a_database_that_does_not_write_is_503_before_the_model_is_asked(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let limits = [("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "200ms"), ("TRIPSAGE_DATABASE_POOL_WAIT", "100ms")];
    let Some(stack) = Stack::on(database, &limits).await else { return };
    let user = stack.user().await;
    let _obstacle = Obstacle::put(&stack.database_url).await;
    assert_eq!(say(&stack, &user, "Hello", json!({})).await.error(), (503, "DATABASE_ERROR".into()));
    assert!(stack.llm.requests().is_empty());
}

#[tokio::test]
async fn turns_in_a_row_use_their_connections_again() {
    let (llm, flights) = (FakeLlm::start().await, FakeMcp::start().await);
    let (to_llm, to_flights) = (Gate::to(llm.address).await, Gate::to(flights.address).await);
    let urls = [format!("http://{}/v1", to_llm.address), format!("http://{}/mcp", to_flights.address)];
    let settings = [
        ("TRIPSAGE_LLM_URL", urls[0].as_str()),
        ("TRIPSAGE_MCP_FLIGHTS_URL", &urls[1]),
        ("TRIPSAGE_FLIGHTS_CACHE_TTL", "1ms"),
    ];
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    let arguments = r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01"}"#;
    llm.now_says(Says::Tool { name: "search_flights", arguments });
    for _ in 0..5 {
        assert_eq!(say(&stack, &user, "Hello", json!({"stream": false})).await.status, 200);
    }
    assert_eq!(llm.requests().len(), 10);
    assert!(!flights.calls().is_empty());
    // One each; a connection that is put back a moment late costs another. Without reuse there are ten and five.
    let made = (to_llm.connections(), to_flights.connections());
    assert!(made.0 <= 4 && made.1 <= 2, "{made:?}");
}

#[rstest]
#[tokio::test]
async fn what_the_model_does_not_take_is_not_held_against_it(#[values(400, 413, 422)] status: u16) {
    let stack = Stack::start(&[("TRIPSAGE_BREAKER_FAILURES", "1")]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Status(status));
    let refused = say(&stack, &user, "Hello", json!({"stream": false})).await;
    assert_eq!(refused.error(), (502, "AI_SERVICE_ERROR".into()));
    stack.llm.now_says(Says::Words(1));
    assert_eq!(say(&stack, &user, "Hello", json!({"stream": false})).await.status, 200);
    assert_eq!(stack.metric("tripsage_llm_breaker_state").await, 0.0);
}

#[tokio::test]
async fn a_past_that_the_client_tells_is_cut_as_one_that_is_stored() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let message = |content: &str| json!({"role": "user", "content": content});
    let many: Vec<_> = (0..100).map(|number| message(&number.to_string())).collect();
    // 30,000 characters are more than the 4,000 tokens of a history; the newest message is no part of it.
    let long = vec![message("First"), message(&"x".repeat(30_000)), message("Second"), message(&"y".repeat(30_000))];
    for (messages, expected) in [(many.clone(), &many[49..]), (long.clone(), &long[2..])] {
        let body = json!({"messages": messages, "stream": false});
        assert_eq!(stack.post(CHAT, &user, &body).await.status, 200);
        let prompt = stack.llm.requests().pop().unwrap();
        assert_eq!(prompt["messages"].as_array().unwrap()[1..], *expected);
    }
}

#[rstest]
#[case::one_mebibyte(Says::Long(16), 200, "ok")]
#[case::more(Says::Long(17), 502, "malformed")]
#[case::arguments(Says::LongArguments(17), 502, "malformed")]
#[case::one_endless_event(Says::LongEvent, 502, "cut")]
#[tokio::test]
async fn a_completion_without_end_is_not_kept_in_memory(
    #[case] says: Says,
    #[case] status: u16,
    #[case] outcome: &str,
) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(says);
    assert_eq!(say(&stack, &user, "Hello", json!({"stream": false})).await.status, status);
    assert_eq!(stack.metric(&format!("tripsage_llm_requests_total{{outcome=\"{outcome}\"}}")).await, 1.0);
}
