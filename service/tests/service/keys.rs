//! Users' own keys: stored after they were tried, never shown, used from the next call on, gone when they are deleted.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    chat::say,
    fakes::{Answers, Says},
    stack::{Answer, Brake, Database, Stack, User, read, until},
};

pub(crate) const KEYS: &str = "/api/v1/user/keys";
pub(crate) const SECRET: &str = "sk-canary-0123456789";
const OTHER_SECRET: &str = "sk-canary-9876543210";
const PLATFORM: (&str, &str) = ("TRIPSAGE_MCP_FLIGHTS_API_KEY", "platform-key");

pub(crate) fn flights_key(name: &str, secret: &str) -> Value {
    json!({"name": name, "service": "flights", "key": secret})
}

pub(crate) async fn search(stack: &Stack, user: &User, destination: &str) -> Answer {
    let body = json!({"origin": "JFK", "destination": destination, "departure_date": "2099-05-01"});
    stack.post("/api/v1/flights/search", user, &body).await
}

/// Stores a key and returns its id.
pub(crate) async fn store(stack: &Stack, user: &User, body: &Value) -> String {
    let stored = stack.post(KEYS, user, body).await;
    assert_eq!(stored.status, 201, "{stored:?}");
    stored.json()["id"].as_str().unwrap().to_owned()
}

async fn stored(stack: &Stack, user: &User) -> Vec<Value> {
    stack.get(KEYS, user).await.json().as_array().unwrap().clone()
}

async fn delete(stack: &Stack, user: &User, id: &str) -> Answer {
    stack.send(Method::DELETE, &format!("{KEYS}/{id}"), Some(&user.token), None).await
}

async fn source(stack: &Stack, user: &User, destination: &str) -> Value {
    search(stack, user, destination).await.json()["meta"]["source"].clone()
}

#[tokio::test]
async fn a_key_lives_from_its_trial_to_its_deletion() {
    let stack = Stack::start(&[PLATFORM]).await;
    let (user, other) = (stack.user().await, stack.user().await);
    stack.flights.now_refuses("bad-key-1");
    let validate = format!("{KEYS}/validate");
    for (key, is_valid) in [(SECRET, true), ("bad-key-1", false)] {
        let verdict = stack.post(&validate, &user, &json!({"key": key, "service": "flights"})).await;
        assert_eq!((verdict.status.as_u16(), &verdict.json()["is_valid"]), (200, &json!(is_valid)), "{verdict:?}");
    }
    assert_eq!(stack.flights.keys("validate_key"), [SECRET, "bad-key-1"]);
    assert_eq!(stored(&stack, &user).await, [] as [Value; 0]);

    let id = store(&stack, &user, &flights_key("mine", SECRET)).await;
    let keys = stack.get(KEYS, &user).await;
    assert!(!keys.text.contains("canary"), "{}", keys.text);
    let key = &keys.json()[0];
    assert_eq!(
        (&key["id"], &key["name"], &key["service"], &key["is_valid"]),
        (&json!(id), &json!("mine"), &json!("flights"), &json!(true))
    );
    let lives = |key: &Value| {
        let instant = |field: &str| key[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        instant("expires_at").duration_since(instant("updated_at"))
    };
    assert_eq!(lives(key), jiff::SignedDuration::from_hours(90 * 24));
    assert_eq!(stored(&stack, &other).await, [] as [Value; 0]);

    // Each account asks for itself: what one was offered is not shown to another.
    assert_eq!(source(&stack, &user, "CDG").await, "live");
    assert_eq!(source(&stack, &other, "CDG").await, "live");
    assert_eq!(source(&stack, &user, "CDG").await, "cache");
    assert_eq!(stack.flights.keys("search_flights"), [SECRET, "platform-key"]);
    let was_used = || async { stored(&stack, &user).await[0]["last_used"].is_string() };
    until("the use is noted", was_used).await;

    let rotate = format!("{KEYS}/{id}/rotate");
    assert_eq!(
        stack.post(&rotate, &user, &json!({"new_key": "bad-key-1"})).await.error(),
        (400, "INVALID_API_KEY".into())
    );
    let rotated = stack.post(&rotate, &user, &json!({"new_key": OTHER_SECRET})).await;
    assert_eq!((rotated.status.as_u16(), &rotated.json()["id"]), (200, &json!(id)));
    assert!(!rotated.text.contains("canary"));
    assert_eq!(source(&stack, &user, "CDG").await, "live");
    assert_eq!(stack.flights.keys("search_flights").last().unwrap(), OTHER_SECRET);

    let deleted = delete(&stack, &user, &id).await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(source(&stack, &user, "LHR").await, "live");
    assert_eq!(stack.flights.keys("search_flights").last().unwrap(), "platform-key");
    assert_eq!(delete(&stack, &user, &id).await.error(), (404, "RESOURCE_NOT_FOUND".into()));
}

#[rstest]
#[case("refused", Answers::Status(401), 400, "INVALID_API_KEY")]
#[case("refused without a challenge", Answers::Status(403), 400, "INVALID_API_KEY")]
#[case("limited", Answers::RateLimited(7), 429, "RATE_LIMIT_EXCEEDED")]
#[case("failing", Answers::Status(500), 502, "EXTERNAL_API_ERROR")]
#[case("of another shape", Answers::OtherShape, 502, "EXTERNAL_API_ERROR")]
#[case("late", Answers::Never, 504, "EXTERNAL_API_TIMEOUT")]
#[tokio::test]
async fn a_key_that_was_not_taken_is_not_stored(
    #[case] why: &str,
    #[case] answers: Answers,
    #[case] status: u16,
    #[case] code: &str,
) {
    let stack = Stack::start(&[("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "50ms")]).await;
    let user = stack.user().await;
    stack.flights.now_answers(answers.clone());
    let answer = stack.post(KEYS, &user, &flights_key("mine", SECRET)).await;
    assert_eq!(answer.error(), (status, code.into()), "{why}");
    assert_eq!(answer.header("retry-after"), if status == 429 { "7" } else { "" }, "{why}");
    assert_eq!(stored(&stack, &user).await, [] as [Value; 0], "{why}");
    let verdict = stack.post(&format!("{KEYS}/validate"), &user, &json!({"key": SECRET, "service": "flights"})).await;
    // To try a key that is refused is no error.
    assert_eq!(verdict.status.as_u16(), if status == 400 { 200 } else { status }, "{why}");
    stack.flights.now_answers(Answers::Well);
    assert_eq!(stack.post(KEYS, &user, &flights_key("mine", SECRET)).await.status, 201, "{why}");
}

#[rstest]
#[case("no such service", "service", json!("calendar"), 422, "VALIDATION_ERROR")]
#[case("no name", "name", json!(""), 422, "VALIDATION_ERROR")]
#[case("a short key", "key", json!("sk-1"), 422, "VALIDATION_ERROR")]
#[case("a key that would be two headers", "key", json!("sk-12345678\r\nX-A: b"), 422, "VALIDATION_ERROR")]
#[case("a key that is a number", "key", json!(1234567890), 422, "VALIDATION_ERROR")]
#[case("a life that is over", "expires_at", json!("2020-01-01T00:00:00Z"), 422, "VALIDATION_ERROR")]
#[case("an unknown field", "is_valid", json!(true), 422, "VALIDATION_ERROR")]
#[case("a service without an address", "service", json!("webcrawl"), 503, "EXTERNAL_API_UNAVAILABLE")]
#[case("a name that is taken", "name", json!("taken"), 409, "DUPLICATE_KEY")]
#[tokio::test]
async fn what_makes_no_key_is_said(
    #[case] why: &str,
    #[case] field: &str,
    #[case] value: Value,
    #[case] status: u16,
    #[case] code: &str,
) {
    let stack = Stack::start(&[("TRIPSAGE_MCP_WEBCRAWL_URL", "")]).await;
    let user = stack.user().await;
    store(&stack, &user, &flights_key("taken", SECRET)).await;
    let mut body = flights_key("mine", OTHER_SECRET);
    body[field] = value;
    let answer = stack.post(KEYS, &user, &body).await;
    assert_eq!(answer.error(), (status, code.into()), "{why}");
    assert!(!answer.text.contains("canary") && !answer.text.contains("12345678"), "{}", answer.text);
    assert_eq!(stored(&stack, &user).await.len(), 1, "{why}");
}

#[tokio::test]
async fn a_key_is_its_owners_alone() {
    let stack = Stack::start(&[]).await;
    let (owner, other) = (stack.user().await, stack.user().await);
    let id = store(&stack, &owner, &flights_key("mine", SECRET)).await;
    let rotation = json!({"new_key": OTHER_SECRET});
    let rotate = |id: &str| format!("{KEYS}/{id}/rotate");
    let calls = stack.flights.calls().len();
    for (id, status) in [(id.as_str(), 403), ("00000000-0000-4000-8000-000000000000", 404), ("mine", 404)] {
        assert_eq!(stack.post(&rotate(id), &other, &rotation).await.error().0, status, "{id}");
        assert_eq!(delete(&stack, &other, id).await.error().0, status, "{id}");
    }
    assert_eq!(stack.flights.calls().len(), calls);
    assert_eq!(stored(&stack, &owner).await.len(), 1);
    for (method, path) in
        [(Method::GET, KEYS.to_owned()), (Method::POST, rotate(&id)), (Method::DELETE, format!("{KEYS}/{id}"))]
    {
        assert_eq!(stack.send(method, &path, None, None).await.error().0, 401, "{path}");
    }
    // The same name for the same service is free for another user.
    store(&stack, &other, &flights_key("mine", SECRET)).await;
}

#[tokio::test]
async fn a_user_may_have_twenty_keys() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    for number in 0..20 {
        store(&stack, &user, &flights_key(&format!("key {number}"), SECRET)).await;
    }
    let one_more = flights_key("one more", SECRET);
    assert_eq!(stack.post(KEYS, &user, &one_more).await.error(), (409, "TOO_MANY_KEYS".into()));
    let newest = stored(&stack, &user).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(delete(&stack, &user, &newest).await.status, 204);
    store(&stack, &user, &one_more).await;
}

#[tokio::test]
async fn of_two_keys_at_once_the_one_too_many_is_refused() {
    let Some(stack) = Stack::on(Database::Postgres, &[]).await else { return };
    let user = stack.user().await;
    for number in 0..19 {
        store(&stack, &user, &flights_key(&format!("key {number}"), SECRET)).await;
    }
    let mut brake = Brake::on(&stack.database_url, "api_keys").await;
    let storing = ["this", "that"].map(|name| {
        let request = stack.request(Method::POST, KEYS, Some(&user.token));
        tokio::spawn(read(request.json(&flights_key(name, SECRET))))
    });
    brake.holds(2).await;
    brake.release().await;
    let mut statuses = Vec::new();
    for answer in storing {
        statuses.push(answer.await.unwrap().status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!((statuses, stored(&stack, &user).await.len()), (vec![201, 409], 20));
}

#[tokio::test]
async fn without_a_master_key_nothing_is_stored_and_everything_else_works() {
    let stack = Stack::start(&[("TRIPSAGE_MASTER_KEYS", ""), PLATFORM]).await;
    let user = stack.user().await;
    let answer = stack.post(KEYS, &user, &flights_key("mine", SECRET)).await;
    assert_eq!(answer.error(), (503, "KEYS_NOT_CONFIGURED".into()));
    assert_eq!(stack.flights.keys("validate_key"), [] as [&str; 0]);
    assert_eq!(stored(&stack, &user).await, [] as [Value; 0]);
    assert_eq!(source(&stack, &user, "CDG").await, "live");
    assert_eq!(stack.flights.keys("search_flights"), ["platform-key"]);
}

#[tokio::test]
async fn an_offer_to_one_account_is_not_remembered_for_another() {
    let stack = Stack::start(&[PLATFORM]).await;
    let (user, other) = (stack.user().await, stack.user().await);
    store(&stack, &user, &flights_key("mine", SECRET)).await;
    search(&stack, &user, "CDG").await;
    let offer = "/api/v1/flights/offers/cheap";
    assert_eq!(stack.get(offer, &user).await.status, 200);
    assert_eq!(stack.flights.calls_of("get_offer_details"), 0);
    stack.get(offer, &other).await;
    assert_eq!(stack.flights.keys("get_offer_details"), ["platform-key"]);
}

#[tokio::test]
async fn the_weather_at_a_destination_is_asked_for_on_the_users_own_account() {
    let stack = Stack::start(&[]).await;
    let (user, other) = (stack.user().await, stack.user().await);
    let key = |secret: &str| json!({"name": "mine", "service": "weather", "key": secret});
    store(&stack, &user, &key(SECRET)).await;
    let body = json!({"query": "Lisbon", "include_weather": true});
    let found = stack.post("/api/v1/destinations/search", &user, &body).await.json();
    assert_eq!(found["meta"]["degraded"], false, "{found}");
    assert_eq!(stack.weather.keys("get_current_weather"), [SECRET, SECRET]);
    let details = stack.get("/api/v1/destinations/plc_LIS", &user).await.json();
    assert_eq!(details["meta"]["degraded"], false, "{details}");
    assert_eq!(stack.weather.keys("get_forecast"), [SECRET]);
    // The key is for the weather alone.
    let none = || vec![String::new()];
    assert_eq!((stack.time.keys("get_current_time"), stack.google_maps.keys("place_details")), (none(), none()));

    store(&stack, &other, &key(OTHER_SECRET)).await;
    let calls = &[("search_destinations", r#"{"query":"Lisbon","include_weather":true}"#)];
    stack.llm.now_says(Says::Tools { calls, then: &Says::Words(1) });
    let answer = say(&stack, &other, "Hello", json!({"stream": false})).await.json();
    assert_eq!(answer["tool_calls"][0]["status"], "success", "{answer}");
    assert_eq!(stack.weather.keys("get_current_weather"), [SECRET, SECRET, OTHER_SECRET, OTHER_SECRET]);
}
