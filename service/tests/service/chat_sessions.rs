//! Chat sessions: begun, listed, read, ended, and gone in time.

use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, raw_sql};
use tempfile::TempDir;

use crate::{
    chat::{FLIGHTS_PLEASE, say},
    fakes::Says,
    stack::{Database, Stack, User, until},
};

const SESSIONS: &str = "/api/v1/chat/sessions";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

async fn begin(stack: &Stack, user: &User, body: Value) -> String {
    let made = stack.post(SESSIONS, user, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().unwrap().to_owned()
}

async fn sessions(stack: &Stack, user: &User) -> Vec<Value> {
    stack.get(SESSIONS, user).await.json()["sessions"].as_array().unwrap().clone()
}

#[rstest]
#[tokio::test]
async fn a_session_is_begun_handed_over_continued_and_ended(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let session = begin(&stack, &user, json!({"title": "Paris", "metadata": {"colour": "blue"}})).await;
    let arguments = r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01"}"#;
    stack.llm.now_says(Says::Tool { name: "search_flights", arguments });
    let answer = say(&stack, &user, FLIGHTS_PLEASE, json!({"session_id": session})).await;
    let events = answer.events();
    let of_type = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of_type("handoff"), of_type("tool_call"), of_type("tool_result"), of_type("final")), (1, 1, 1, 1));
    let last = events.last().unwrap();
    assert_eq!((&last["routed_to"], &last["session_id"]), (&json!("flight"), &json!(session)));

    let path = format!("{SESSIONS}/{session}/messages");
    let history = stack.get(&path, &user).await.json();
    assert_eq!((&history["session_id"], &history["total"]), (&json!(session), &json!(2)));
    let said = history["messages"].as_array().unwrap();
    assert_eq!((&said[0]["role"], &said[0]["content"]), (&json!("user"), &json!(FLIGHTS_PLEASE)));
    assert_eq!((&said[1]["role"], &said[1]["content"]), (&json!("assistant"), &last["content"]));
    assert_eq!(said[1]["tool_calls"], last["tool_calls"]);
    assert_eq!(said[1]["id"], last["id"]);

    stack.llm.now_says(Says::Words(1));
    assert_eq!(say(&stack, &user, "Thanks", json!({"session_id": session})).await.status, 200);
    let page = stack.get(&format!("{path}?limit=2&offset=1"), &user).await.json();
    let roles: Vec<_> = page["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(
        (roles, &page["total"], &page["offset"]),
        (vec![&json!("assistant"), &json!("user")], &json!(4), &json!(1))
    );

    let listed = sessions(&stack, &user).await;
    assert_eq!((&listed[0]["title"], &listed[0]["metadata"]), (&json!("Paris"), &json!({"colour": "blue"})));
    assert_eq!((&listed[0]["message_count"], &listed[0]["agent"]), (&json!(4), &json!("flight")));
    assert!(listed[0]["last_message_at"].is_string() && listed[0].get("ended_at").is_none(), "{listed:?}");

    let ended = stack.post(&format!("{SESSIONS}/{session}/end"), &user, &json!({})).await;
    assert_eq!(ended.status, 200);
    assert!(ended.json()["ended_at"].is_string());
    let again = stack.post(&format!("{SESSIONS}/{session}/end"), &user, &json!({})).await;
    assert_eq!(again.json(), ended.json());
    let asked = stack.llm.requests().len();
    let refused = say(&stack, &user, "Hello?", json!({"session_id": session})).await;
    assert_eq!(refused.error(), (409, "SESSION_ENDED".into()));
    assert_eq!(stack.llm.requests().len(), asked);
    assert_eq!(stack.get(&path, &user).await.json()["total"], 4);
}

#[tokio::test]
async fn what_is_no_session_of_ones_own_is_404_and_nonsense_is_422() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    let session = begin(&stack, &ann, json!({})).await;
    for (user, id) in [(&bob, session.as_str()), (&ann, NOBODY), (&ann, "x")] {
        assert_eq!(stack.get(&format!("{SESSIONS}/{id}/messages"), user).await.error().0, 404, "{id}");
        assert_eq!(stack.post(&format!("{SESSIONS}/{id}/end"), user, &json!({})).await.error().0, 404, "{id}");
    }
    for query in ["limit=0", "limit=101", "limit=x", "offset=-1", "page=1"] {
        let answer = stack.get(&format!("{SESSIONS}/{session}/messages?{query}"), &ann).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()), "{query}");
    }
    for query in ["limit=0", "limit=101"] {
        assert_eq!(stack.get(&format!("{SESSIONS}?{query}"), &ann).await.error().0, 422, "{query}");
    }
    let long = "x".repeat(9_000);
    for body in [
        json!({"title": ""}),
        json!({"title": "x".repeat(201)}),
        json!({"metadata": {"x": long}}),
        json!({"metadata": []}),
        json!([]),
        json!([null, null]),
    ] {
        assert_eq!(stack.post(SESSIONS, &ann, &body).await.error(), (422, "VALIDATION_ERROR".into()), "{body:.80}");
    }
    assert!(sessions(&stack, &bob).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_session_may_be_about_a_trip_that_one_sees(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let (ann, bob) = (stack.user().await, stack.user().await);
    let trip = json!({"title": "Alps", "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Zermatt"}]});
    let trip = stack.post("/api/v1/trips", &ann, &trip).await.json()["id"].clone();
    begin(&stack, &ann, json!({"trip_id": trip})).await;
    assert_eq!(sessions(&stack, &ann).await[0]["trip_id"], trip);
    for (user, trip) in [(&bob, &trip), (&ann, &json!(NOBODY))] {
        let refused = stack.post(SESSIONS, user, &json!({"trip_id": trip})).await;
        assert_eq!(refused.error(), (404, "RESOURCE_NOT_FOUND".into()));
    }
}

#[tokio::test]
async fn the_list_begins_with_the_session_used_last() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    for title in ["a", "b", "c"] {
        begin(&stack, &user, json!({"title": title})).await;
    }
    let first = sessions(&stack, &user).await[2]["id"].clone();
    say(&stack, &user, "Hello", json!({"session_id": first})).await;
    let listed = stack.get(&format!("{SESSIONS}?limit=2"), &user).await.json();
    let titles: Vec<_> = listed["sessions"].as_array().unwrap().iter().map(|session| &session["title"]).collect();
    assert_eq!(titles, ["a", "c"]);
}

#[tokio::test]
async fn idle_sessions_end_and_ended_ones_are_deleted_in_time() {
    let mut stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let hours_ago = |hours: i64| format!("(unixepoch() - {hours} * 3600) * 1000000");
    // Name, last use, end; and what becomes of it.
    let cases = [
        ("used lately", 23, None, Some(false)),
        ("idle", 25, None, Some(true)),
        ("ended", 30 * 24 - 1, Some(30 * 24 - 1), Some(true)),
        ("ended long ago", 30 * 24 + 1, Some(30 * 24 + 1), None),
    ];
    let mut connection = SqliteConnection::connect(&stack.database_url).await.unwrap();
    for (name, used, ended, _) in cases {
        let answer = say(&stack, &user, "Hello", json!({})).await;
        let id = answer.header("x-session-id");
        let ended = ended.map_or("NULL".to_owned(), hours_ago);
        let used = hours_ago(used);
        let change = format!(
            "UPDATE chat_sessions SET title = '{name}', updated_at = {used}, ended_at = {ended} WHERE id = '{id}'"
        );
        raw_sql(AssertSqlSafe(change)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let folder = std::mem::replace(&mut stack.folder, TempDir::new().unwrap());
    let url = stack.database_url.clone();
    stack.stop();
    stack.ended().await;
    // It purges when it starts.
    let next = Stack::with(folder, url, &[]).await;
    until("the oldest session is deleted", || async { sessions(&next, &user).await.len() == 3 }).await;
    let listed = sessions(&next, &user).await;
    for (name, _, _, expected) in cases {
        let found = listed.iter().find(|session| session["title"] == name);
        assert_eq!(found.map(|session| session.get("ended_at").is_some()), expected, "{name}");
    }
}
