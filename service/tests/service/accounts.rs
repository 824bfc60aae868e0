//! Whose key a call is made with, and how a key is kept: refusals, several instances, a database that is down, sealing.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::{
    fakes::Says,
    keys::{KEYS, SECRET, flights_key, search, store},
    stack::{MASTER_KEY, Stack, User, until},
};

const OTHER_SECRET: &str = "sk-canary-9876543210";
const PLATFORM: (&str, &str) = ("TRIPSAGE_MCP_FLIGHTS_API_KEY", "platform-key");
/// Longer than any test: a look-up is used until it is forgotten.
const LONG: (&str, &str) = ("TRIPSAGE_USER_KEY_TTL", "1h");
const SHORT: (&str, &str) = ("TRIPSAGE_USER_KEY_TTL", "1ms");
const SECOND_MASTER_KEY: &str = "second:HR4fAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw=";

fn url(stack: &Stack) -> String {
    format!("sqlite://{}/tripsage.db", stack.folder.path().display())
}

/// Runs a statement in the database of a stack, from outside.
async fn execute(stack: &Stack, sql: &'static str) {
    let mut connection = SqliteConnection::connect(&url(stack)).await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The stored form of the only key.
async fn sealed(stack: &Stack) -> String {
    let mut connection = SqliteConnection::connect(&url(stack)).await.unwrap();
    let row = sqlx::query("SELECT secret FROM api_keys").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get("secret")
}

async fn is_valid(stack: &Stack, user: &User) -> Value {
    stack.get(KEYS, user).await.json()[0]["is_valid"].clone()
}

#[tokio::test]
async fn a_refused_key_is_said_and_never_replaced_by_the_platforms() {
    let stack = Stack::start(&[PLATFORM, SHORT, ("TRIPSAGE_FLIGHTS_CACHE_TTL", "1ms")]).await;
    let (user, other) = (stack.user().await, stack.user().await);
    let id = store(&stack, &user, &flights_key("mine", SECRET)).await;
    assert_eq!(search(&stack, &user, "CDG").await.status, 200);
    stack.flights.now_refuses(SECRET);
    // Nor by what is remembered, which is stale by now.
    let is_refused = || async { search(&stack, &user, "CDG").await.status == 400 };
    until("the key is refused", is_refused).await;
    for destination in ["CDG", "LHR", "FCO", "ZRH", "MAD", "AMS", "VIE"] {
        assert_eq!(search(&stack, &user, destination).await.error(), (400, "INVALID_API_KEY".into()));
    }
    until("the refusal is noted", || async { is_valid(&stack, &user).await == false }).await;
    assert!(stack.flights.keys("search_flights").iter().all(|key| key == SECRET));
    // More refusals than open a breaker: they are the user's trouble, not the provider's.
    assert_eq!(stack.metric("tripsage_mcp_breaker_state{server=\"flights\"}").await, 0.0);
    assert_eq!(search(&stack, &other, "CDG").await.json()["meta"]["source"], "live");
    assert_eq!(stack.flights.keys("search_flights").last().unwrap(), "platform-key");
    let rotation = json!({"new_key": OTHER_SECRET});
    assert_eq!(stack.post(&format!("{KEYS}/{id}/rotate"), &user, &rotation).await.status, 200);
    assert_eq!(is_valid(&stack, &user).await, true);
    assert_eq!(search(&stack, &user, "LHR").await.status, 200);
}

#[tokio::test]
async fn the_newest_key_that_is_taken_is_used() {
    let stack = Stack::start(&[PLATFORM, SHORT]).await;
    let user = stack.user().await;
    store(&stack, &user, &flights_key("older", SECRET)).await;
    store(&stack, &user, &flights_key("newer", OTHER_SECRET)).await;
    assert_eq!(search(&stack, &user, "CDG").await.status, 200);
    assert_eq!(stack.flights.keys("search_flights"), [OTHER_SECRET]);
    stack.flights.now_refuses(OTHER_SECRET);
    assert_eq!(search(&stack, &user, "LHR").await.error().0, 400);
    until("the older key is used", || async { search(&stack, &user, "LHR").await.status == 200 }).await;
    assert_eq!(stack.flights.keys("search_flights").last().unwrap(), SECRET);
}

#[tokio::test]
async fn an_expired_key_is_not_used_and_neither_is_the_platforms() {
    let stack = Stack::start(&[PLATFORM, SHORT]).await;
    let user = stack.user().await;
    store(&stack, &user, &flights_key("mine", SECRET)).await;
    execute(&stack, "UPDATE api_keys SET expires_at = 1").await;
    let is_expired = || async { search(&stack, &user, "CDG").await.status == 400 };
    until("the key has expired", is_expired).await;
    assert_eq!(search(&stack, &user, "LHR").await.error(), (400, "INVALID_API_KEY".into()));
    assert_eq!(is_valid(&stack, &user).await, false);
    assert!(!stack.flights.keys("search_flights").contains(&"platform-key".to_owned()));
}

#[tokio::test]
async fn a_limit_of_a_users_key_is_that_users_alone() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    store(&stack, &user, &flights_key("mine", SECRET)).await;
    stack.flights.now_answers(crate::fakes::Answers::RateLimited(9));
    for destination in ["CDG", "LHR", "FCO", "ZRH", "MAD", "AMS"] {
        let answer = search(&stack, &user, destination).await;
        assert_eq!(answer.error(), (429, "RATE_LIMIT_EXCEEDED".into()));
        assert_eq!(answer.header("retry-after"), "9");
    }
    assert_eq!(stack.metric("tripsage_mcp_breaker_state{server=\"flights\"}").await, 0.0);
}

#[tokio::test]
async fn the_tools_of_a_chat_use_the_users_key_too() {
    let stack = Stack::start(&[PLATFORM, SHORT]).await;
    let user = stack.user().await;
    store(&stack, &user, &flights_key("mine", SECRET)).await;
    let arguments = "{\"origin\":\"JFK\",\"destination\":\"CDG\",\"departure_date\":\"2099-05-01\"}";
    stack.llm.now_says(Says::Tool { name: "search_flights", arguments });
    let turn = json!({"messages": [{"role": "user", "content": "flights to Paris?"}], "stream": false});
    let answer = stack.post("/api/v1/chat", &user, &turn).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["meta"]["degraded"]), (200, &json!(false)));
    stack.flights.now_refuses(SECRET);
    let arguments = "{\"origin\":\"JFK\",\"destination\":\"LHR\",\"departure_date\":\"2099-05-01\"}";
    stack.llm.now_says(Says::Tool { name: "search_flights", arguments });
    let answer = stack.post("/api/v1/chat", &user, &turn).await.json();
    assert_eq!(answer["meta"]["provider_errors"], json!({"flights": "key_refused"}), "{answer}");
    assert_eq!(stack.flights.keys("search_flights"), [SECRET, SECRET]);
}

#[rstest]
#[case("as a whole", false)]
#[case("as a stream", true)]
#[tokio::test]
async fn the_model_is_asked_with_the_users_key(#[case] how: &str, #[case] stream: bool) {
    let stack = Stack::start(&[("TRIPSAGE_LLM_API_KEY", "platform-key")]).await;
    let (user, other, revoked) = (stack.user().await, stack.user().await, stack.user().await);
    let key = |secret: &str| json!({"name": "mine", "service": "openai", "key": secret});
    assert_eq!(stack.post(KEYS, &user, &key("bad-key-1")).await.error(), (400, "INVALID_API_KEY".into()));
    store(&stack, &user, &key(SECRET)).await;
    store(&stack, &revoked, &key("sk-canary-revoked")).await;
    let turn = json!({"messages": [{"role": "user", "content": "hello"}], "stream": stream});
    for (user, expected) in [(&user, SECRET), (&other, "platform-key")] {
        assert_eq!(stack.post("/api/v1/chat", user, &turn).await.status, 200, "{how}");
        assert_eq!(stack.llm.keys().last().unwrap(), expected, "{how}");
    }
    // More often than opens a breaker.
    for _ in 0..6 {
        let answer = stack.post("/api/v1/chat", &revoked, &turn).await;
        if stream {
            assert_eq!(answer.events().last().unwrap()["code"], "INVALID_API_KEY");
        } else {
            assert_eq!(answer.error(), (400, "INVALID_API_KEY".into()));
        }
        assert_eq!(stack.llm.keys().last().unwrap(), "sk-canary-revoked", "{how}");
    }
    assert_eq!(stack.post("/api/v1/chat", &other, &turn).await.status, 200, "{how}");
}

#[rstest]
#[case("deleted", Method::DELETE, "", None, "platform-key")]
#[case("rotated", Method::POST, "/rotate", Some(json!({"new_key": OTHER_SECRET})), OTHER_SECRET)]
#[tokio::test]
async fn a_key_changed_on_one_instance_is_no_longer_used_by_another_after_the_time_set(
    #[case] change: &str,
    #[case] method: Method,
    #[case] path: &str,
    #[case] body: Option<Value>,
    #[case] next: &str,
) {
    let ttl = Duration::from_millis(300);
    let one = Stack::start(&[PLATFORM, LONG]).await;
    let database = url(&one);
    let two = Stack::start(&[PLATFORM, ("TRIPSAGE_USER_KEY_TTL", "300ms"), ("DATABASE_URL", &database)]).await;
    let user = one.user().await;
    let id = store(&one, &user, &flights_key("mine", SECRET)).await;
    for stack in [&one, &two] {
        assert_eq!(search(stack, &user, "CDG").await.status, 200);
        assert_eq!(stack.flights.keys("search_flights"), [SECRET]);
    }
    let changed = one.send(method, &format!("{KEYS}/{id}{path}"), Some(&user.token), body.as_ref()).await;
    assert!(changed.status.is_success(), "{change}: {changed:?}");
    let since = tokio::time::Instant::now();
    // Where it was changed at once, though a look-up would be good for an hour.
    assert_eq!(search(&one, &user, "CDG").await.status, 200);
    assert_eq!(one.flights.keys("search_flights"), [SECRET, next], "{change}");
    let is_honoured = || async {
        let asked = since.elapsed();
        search(&two, &user, "CDG").await;
        let is_new = two.flights.keys("search_flights").len() > 1;
        assert!(is_new || asked <= ttl, "{change}: the old key was used after {asked:?}");
        is_new
    };
    until("the other instance hears of it", is_honoured).await;
    assert_eq!(two.flights.keys("search_flights"), [SECRET, next], "{change}");
}

#[tokio::test]
async fn while_accounts_cannot_be_looked_up_nothing_is_billed_to_the_wrong_one() {
    let stack = Stack::start(&[PLATFORM, SHORT]).await;
    let (keyless, owner, unknown) = (stack.user().await, stack.user().await, stack.user().await);
    store(&stack, &owner, &flights_key("mine", SECRET)).await;
    for user in [&keyless, &owner] {
        assert_eq!(search(&stack, user, "CDG").await.status, 200);
    }
    execute(&stack, "ALTER TABLE api_keys RENAME TO away").await;
    // A user who had no key goes on; of others only what is remembered is answered.
    until("the look-up is old", || async { search(&stack, &unknown, "LHR").await.status == 503 }).await;
    assert_eq!(search(&stack, &unknown, "CDG").await.json()["meta"]["source"], "cache");
    assert_eq!(search(&stack, &keyless, "FCO").await.json()["meta"]["source"], "live");
    assert_eq!(search(&stack, &owner, "ZRH").await.error(), (503, "DATABASE_ERROR".into()));
    assert_eq!(stack.flights.keys("search_flights"), ["platform-key", SECRET, "platform-key"]);
    execute(&stack, "ALTER TABLE away RENAME TO api_keys").await;
    assert_eq!(search(&stack, &owner, "ZRH").await.status, 200);
    assert_eq!(stack.flights.keys("search_flights").last().unwrap(), SECRET);
}

#[tokio::test]
async fn a_secret_is_in_no_file_of_the_database() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    store(&stack, &user, &flights_key("a name to look for", SECRET)).await;
    let (mut has_name, mut has_secret) = (false, false);
    for file in std::fs::read_dir(stack.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        has_name |= has("a name to look for");
        has_secret |= has("canary");
    }
    assert!(has_name && !has_secret);
    assert!(sealed(&stack).await.starts_with("v1.first."));
}

#[rstest]
#[case("changed", "UPDATE api_keys SET secret = substr(secret, 1, length(secret) - 4) || 'AAAA'")]
#[case("cut", "UPDATE api_keys SET secret = substr(secret, 1, 40)")]
#[case("of another master key", "UPDATE api_keys SET secret = replace(secret, 'first', 'third')")]
#[case("empty", "UPDATE api_keys SET secret = ''")]
#[tokio::test]
async fn a_sealed_secret_that_does_not_open_is_a_bug_of_ours_and_stops_nothing_else(
    #[case] why: &str,
    #[case] tamper: &'static str,
) {
    let stack = Stack::start(&[PLATFORM]).await;
    let (user, other) = (stack.user().await, stack.user().await);
    let id = store(&stack, &user, &flights_key("mine", SECRET)).await;
    execute(&stack, tamper).await;
    let answer = search(&stack, &user, "CDG").await;
    assert_eq!(answer.error(), (500, "INTERNAL_ERROR".into()), "{why}");
    assert!(!answer.text.contains("api_keys"), "{why}");
    assert_eq!(stack.flights.keys("search_flights"), [] as [&str; 0], "{why}");
    assert_eq!(search(&stack, &other, "CDG").await.status, 200, "{why}");
    let rotation = json!({"new_key": OTHER_SECRET});
    assert_eq!(stack.post(&format!("{KEYS}/{id}/rotate"), &user, &rotation).await.status, 200, "{why}");
    assert_eq!(search(&stack, &user, "CDG").await.status, 200, "{why}");
    assert_eq!(stack.flights.keys("search_flights").last().unwrap(), OTHER_SECRET, "{why}");
}

#[tokio::test]
async fn a_master_key_is_replaced_from_one_start_to_the_next() {
    let mut first = Stack::start(&[]).await;
    let user = first.user().await;
    store(&first, &user, &flights_key("mine", SECRET)).await;
    let database = url(&first);
    let before = sealed(&first).await;
    first.stop();
    let both = format!("{SECOND_MASTER_KEY},{MASTER_KEY}");
    let mut second = Stack::start(&[("DATABASE_URL", &database), ("TRIPSAGE_MASTER_KEYS", &both)]).await;
    until("the key is resealed", || async { sealed(&first).await.starts_with("v1.second.") }).await;
    // Only its data key is wrapped anew.
    assert_eq!(sealed(&first).await.rsplit('.').next(), before.rsplit('.').next());
    assert_eq!(search(&second, &user, "CDG").await.status, 200);
    second.stop();
    let third = Stack::start(&[("DATABASE_URL", &database), ("TRIPSAGE_MASTER_KEYS", SECOND_MASTER_KEY)]).await;
    assert_eq!(search(&third, &user, "CDG").await.status, 200);
    assert_eq!(third.flights.keys("search_flights"), [SECRET]);
}
