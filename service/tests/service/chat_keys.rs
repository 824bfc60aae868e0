//! A chat turn with an idempotency key: taken once, however often it is sent.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::sync::Notify;

use crate::{
    chat::{CHAT, types},
    fakes::Says,
    stack::{Answer, Database, Stack, User, read, until},
};

const KEY: (&str, &str) = ("Idempotency-Key", "turn-1");
const FLIGHT: Says = Says::Tool {
    name: "search_flights",
    arguments: r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01"}"#,
};

fn body(message: &str, more: &Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": message}], "stream": false});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn send(stack: &Stack, user: &User, body: &Value) -> Answer {
    stack.send_with(Method::POST, CHAT, Some(&user.token), Some(body), &[KEY]).await
}

async fn roles(stack: &Stack, user: &User, session: &Value) -> Vec<String> {
    let path = format!("{CHAT}/sessions/{}/messages", session.as_str().unwrap());
    let page = stack.get(&path, user).await.json();
    page["messages"].as_array().unwrap().iter().map(|said| said["role"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn a_turn_sent_again_is_answered_again_in_either_form_without_the_model(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    stack.llm.now_says(FLIGHT);
    let please = "find flights from JFK to CDG, book the cheapest flight";
    let first = send(&stack, &user, &body(please, &json!({}))).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (200, ""));
    let asked = stack.llm.requests().len();
    // Also while the model would not be asked.
    stack.llm.now_says(Says::Status(500));
    let again = send(&stack, &user, &body(please, &json!({}))).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, "true"));
    assert_eq!(again.json(), first.json());
    assert_eq!(again.header("x-session-id"), first.header("x-session-id"));

    let streamed = send(&stack, &user, &body(please, &json!({"stream": true}))).await;
    assert_eq!(streamed.header("idempotency-replayed"), "true");
    let events = streamed.events();
    assert_eq!(types(&events), ["started", "handoff", "tool_call", "tool_result", "delta", "final"]);
    let mut last = events.last().unwrap().clone();
    last.as_object_mut().unwrap().remove("type");
    assert_eq!(last, first.json());
    assert_eq!((&events[2]["args"]["origin"], &events[4]["content"]), (&json!("JFK"), &first.json()["content"]));

    assert_eq!(stack.llm.requests().len(), asked);
    assert_eq!(roles(&stack, &user, &first.json()["session_id"]).await, ["user", "assistant"]);
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_user() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    let first = send(&stack, &ann, &body("Hello", &json!({}))).await.json();
    for other in [body("Hello!", &json!({})), body("Hello", &json!({"temperature": 1.0}))] {
        assert_eq!(send(&stack, &ann, &other).await.error(), (409, "IDEMPOTENCY_CONFLICT".into()));
    }
    let bobs = send(&stack, &bob, &body("Hello", &json!({}))).await.json();
    assert_ne!(first["session_id"], bobs["session_id"]);
    assert_eq!(stack.llm.requests().len(), 2);
}

#[rstest]
#[tokio::test]
async fn of_many_at_once_one_is_taken_and_the_others_are_told_to_come_back(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let go_on = Arc::new(Notify::new());
    stack.llm.now_says(Says::Waits(Arc::clone(&go_on)));
    let hello = body("Hello", &json!({}));
    let all = join_all((0..6).map(|_| send(&stack, &user, &hello)));
    // The model goes on when all but one are refused.
    let refused = || async {
        let prefix = "tripsage_requests_total{method=\"POST\",route=\"/api/v1/chat\",status=\"409\"}";
        stack.metric(prefix).await == 5.0
    };
    let let_go = async {
        until("five are refused", refused).await;
        go_on.notify_one();
    };
    let (answers, ()) = tokio::join!(all, let_go);
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(taken.len(), 1);
    for answer in refused {
        assert_eq!(answer.error(), (409, "IDEMPOTENCY_IN_PROGRESS".into()));
        assert_eq!(answer.header("retry-after"), "1");
    }
    let again = send(&stack, &user, &hello).await.json();
    assert_eq!(again, taken[0].json());
    assert_eq!(stack.llm.requests().len(), 1);
    assert_eq!(roles(&stack, &user, &again["session_id"]).await, ["user", "assistant"]);
}

#[rstest]
#[tokio::test]
async fn a_turn_that_failed_is_taken_again_with_its_key_and_its_message_is_stored_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] stream: bool,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let hello = body("Hello", &json!({"stream": stream}));
    stack.llm.now_says(Says::Cut(2));
    let failed = send(&stack, &user, &hello).await;
    if stream {
        assert_eq!(failed.events().last().unwrap()["type"], "error");
    } else {
        assert_eq!(failed.error(), (502, "AI_SERVICE_ERROR".into()));
    }
    stack.llm.now_says(Says::Words(1));
    let taken = send(&stack, &user, &body("Hello", &json!({}))).await;
    assert_eq!((taken.status.as_u16(), taken.header("idempotency-replayed")), (200, ""));
    assert_eq!(roles(&stack, &user, &taken.json()["session_id"]).await, ["user", "assistant"]);
    let prompt = stack.llm.requests().pop().unwrap();
    let said: Vec<_> = prompt["messages"].as_array().unwrap().iter().skip(1).map(|m| m["content"].clone()).collect();
    assert_eq!(said, ["Hello"]);
    assert_eq!(send(&stack, &user, &hello).await.header("idempotency-replayed"), "true");
}

#[rstest]
#[tokio::test]
async fn a_client_that_left_may_take_its_turn_again(#[values(true, false)] stream: bool) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Stalls(1));
    let hello = body("Hello", &json!({"stream": stream}));
    let request = stack.request(Method::POST, CHAT, Some(&user.token)).header(KEY.0, KEY.1).json(&hello);
    let leaving = tokio::spawn(async move { request.send().await.unwrap().text().await });
    until("the model is asked", || async { !stack.llm.requests().is_empty() }).await;
    leaving.abort();
    let free = || async { stack.metric("tripsage_inflight_requests").await == 0.0 };
    until("the turn has ended", free).await;
    assert_eq!(stack.metric("tripsage_llm_requests_total{outcome=\"cancelled\"}").await, 1.0);
    stack.llm.now_says(Says::Words(1));
    let taken = send(&stack, &user, &hello).await;
    assert_eq!((taken.status.as_u16(), taken.header("idempotency-replayed")), (200, ""));
}

#[tokio::test]
async fn a_turn_whose_history_is_not_kept_can_be_sent_again_too() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let secret = body("Secret", &json!({"save_history": false}));
    stack.llm.now_says(Says::Status(500));
    assert_eq!(send(&stack, &user, &secret).await.status, 502);
    stack.llm.now_says(Says::Words(1));
    let taken = send(&stack, &user, &secret).await;
    assert_eq!(taken.status, 200);
    assert_eq!(send(&stack, &user, &secret).await.json(), taken.json());
    assert_eq!(stack.get("/api/v1/chat/sessions", &user).await.json()["sessions"], json!([]));
}

#[tokio::test]
async fn a_turn_whose_service_died_is_taken_again_after_its_longest_time() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let hello = body("Hello", &json!({}));
    let first = send(&stack, &user, &hello).await.json();
    // As a service leaves it that is killed in the middle of the turn.
    let set = async |running_until: &str| {
        let unfinished = format!("UPDATE chat_turns SET status = 'running', running_until = {running_until}");
        execute(&stack, &unfinished).await;
        execute(&stack, "DELETE FROM chat_messages WHERE role = 'assistant'").await;
    };
    set("200000000000000000").await;
    assert_eq!(send(&stack, &user, &hello).await.error(), (409, "IDEMPOTENCY_IN_PROGRESS".into()));
    set("0").await;
    let taken = send(&stack, &user, &hello).await.json();
    assert_eq!(taken["session_id"], first["session_id"]);
    assert_eq!(roles(&stack, &user, &taken["session_id"]).await, ["user", "assistant"]);
    assert_eq!(stack.llm.requests().len(), 2);
}

#[rstest]
#[case::it_is_answered_late(false)]
#[case::its_client_leaves_late(true)]
#[tokio::test]
async fn a_turn_that_was_taken_again_meanwhile_stores_nothing(#[case] leaves: bool) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let hello = body("Hello", &json!({}));
    let begin = async |count: usize| {
        let go_on = Arc::new(Notify::new());
        stack.llm.now_says(Says::Waits(Arc::clone(&go_on)));
        let request = stack.request(Method::POST, CHAT, Some(&user.token)).header(KEY.0, KEY.1).json(&hello);
        let running = tokio::spawn(read(request));
        until("the model is asked", || async { stack.llm.requests().len() == count }).await;
        (running, go_on)
    };
    let (late, go_on) = begin(1).await;
    // As if its service had stood still.
    execute(&stack, "UPDATE chat_turns SET running_until = 0").await;
    let (again, go_on_again) = begin(2).await;
    if leaves {
        late.abort();
        let is_over = || async { stack.metric("tripsage_inflight_requests").await == 1.0 };
        until("the late turn has ended", is_over).await;
    } else {
        go_on.notify_one();
        let late = late.await.unwrap().json();
        assert_eq!(late["meta"]["degraded_reasons"], json!(["history_not_saved"]), "{late}");
    }
    assert_eq!(send(&stack, &user, &hello).await.error(), (409, "IDEMPOTENCY_IN_PROGRESS".into()));
    go_on_again.notify_one();
    let taken = again.await.unwrap().json();
    assert_eq!(taken["meta"]["degraded"], false, "{taken}");
    assert_eq!(roles(&stack, &user, &taken["session_id"]).await, ["user", "assistant"]);
    assert_eq!(send(&stack, &user, &hello).await.json(), taken);
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day_and_its_turn_is_forgotten() {
    let mut stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let hello = body("Hello", &json!({}));
    let first = send(&stack, &user, &hello).await.json();
    let day = 24 * 3_600 * 1_000_000_i64;
    for table in ["idempotency_keys", "chat_turns"] {
        execute(&stack, &format!("UPDATE {table} SET created_at = created_at - {day}")).await;
    }
    let second = send(&stack, &user, &hello).await;
    assert_eq!(second.header("idempotency-replayed"), "");
    assert_ne!(second.json()["session_id"], first["session_id"]);
    let folder = std::mem::replace(&mut stack.folder, tempfile::TempDir::new().unwrap());
    let url = stack.database_url.clone();
    stack.stop();
    stack.ended().await;
    // It purges when it starts.
    let next = Stack::with(folder, url, &[]).await;
    let left = || async {
        let mut connection = sqlx::SqliteConnection::connect(&next.database_url).await.unwrap();
        sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM chat_turns").fetch_one(&mut connection).await.unwrap()
    };
    until("only the second turn is left", || async { left().await == 1 }).await;
    assert_eq!(send(&next, &user, &hello).await.json(), second.json());
}

async fn execute(stack: &Stack, sql: &str) {
    let mut connection = sqlx::SqliteConnection::connect(&stack.database_url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
}
