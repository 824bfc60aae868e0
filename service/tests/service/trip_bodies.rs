//! Bodies of trips as nobody would write them: any JSON is answered, and what is accepted comes back as it was sent.

use std::future::Future;

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::stack::{Stack, User};

const TRIPS: &str = "/api/v1/trips";

/// Runs a property against one service, over the same cases each time.
fn hold<T, F>(cases: u32, of: impl Strategy<Value = T>, property: impl Fn(Target, T) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = ()> + Send,
{
    let runtime = Runtime::new().unwrap();
    let target = runtime.block_on(async {
        let stack = Stack::start(&[]).await;
        let user = stack.user().await;
        let trip = stack.post(TRIPS, &user, &draft()).await.header("location").to_owned();
        Target(std::sync::Arc::new((stack, user, trip)))
    });
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&of, |value| {
        runtime.block_on(property(target.clone(), value));
        Ok(())
    });
    outcome.unwrap();
}

/// A service, a user, and a trip of that user as a path.
#[derive(Clone)]
struct Target(std::sync::Arc<(Stack, User, String)>);

impl Target {
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answer = self.0.0.send(method, path, Some(&self.0.1.token), body).await;
        (answer.status.as_u16(), answer.json())
    }
}

fn draft() -> Value {
    json!({"title": "Alps", "description": "Snow", "start_date": "2030-01-01", "end_date": "2030-01-08",
        "destinations": [{"name": "Zermatt", "coordinates": {"latitude": 46.0, "longitude": 7.7}, "duration_days": 7}],
        "preferences": {"budget": {"total": 1000, "currency": "EUR"}}})
}

fn item() -> Value {
    json!({"type": "flight", "title": "BSL-LIS", "date": "2030-01-01", "end_date": "2030-01-01", "cost": 1.5,
        "time_slot": {"start": "07:00", "end": "09:15"}, "location": "Basel", "currency": "EUR"})
}

/// Texts with what breaks things: quotes, NUL, wildcards, dates, numbers, letters of any script.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<String>(),
        1 => prop::sample::select(vec!["", "\0", "%_\\", "'; --", "-000001-01-01", "+010000-01-01", "9999-12-31", "0000-01-01",
            "2030-02-30", "2030-01-01T00:00:00", "24:00", "00:00", "XXX", "booked", "\u{feff}", "null"]).prop_map(str::to_owned),
        1 => (0_usize..700).prop_map(|count| "é".repeat(count)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(text(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A body that was good until some of its values were replaced.
fn broken(body: Value) -> impl Strategy<Value = Value> {
    let places = places(&body);
    vec((prop::sample::select(places), any_json()), 1..4).prop_map(move |changes| {
        let mut body = body.clone();
        for (place, value) in changes {
            if let Some(at) = body.pointer_mut(&place) {
                *at = value;
            }
        }
        body
    })
}

/// JSON pointers to all values in it, its whole included.
fn places(value: &Value) -> Vec<String> {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, part)| (key.clone(), part)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(index, part)| (index.to_string(), part)).collect(),
        _ => Vec::new(),
    };
    let within = parts.into_iter().flat_map(|(key, part)| {
        places(part).into_iter().map(move |place| format!("/{key}{place}")).collect::<Vec<_>>()
    });
    std::iter::once(String::new()).chain(within).collect()
}

#[test]
fn any_json_is_answered_and_what_is_accepted_can_be_read_again() {
    let any_body = prop_oneof![1 => any_json(), 4 => broken(draft())];
    hold(400, any_body, |target, body| async move {
        let (status, answer) = target.send(Method::POST, TRIPS, Some(&body)).await;
        assert!([201, 400, 422].contains(&status), "{status} {answer} to {body}");
        if status == 201 {
            let path = format!("{TRIPS}/{}", answer["id"].as_str().unwrap());
            assert_eq!(target.send(Method::GET, &path, None).await, (200, answer));
            assert_eq!(target.send(Method::GET, &format!("{path}/summary"), None).await.0, 200);
        }
    });
}

#[test]
fn any_json_changes_a_trip_or_is_refused() {
    let mut patch = draft();
    patch["version"] = json!(1);
    patch["status"] = json!("planning");
    hold(300, prop_oneof![1 => any_json(), 4 => broken(patch)], |target, mut body| async move {
        let path = target.0.2.as_str();
        let before = target.send(Method::GET, path, None).await.1;
        if body["version"] == 1 {
            body["version"] = before["version"].clone();
        }
        let (status, answer) = target.send(Method::PUT, path, Some(&body)).await;
        assert!([200, 400, 409, 422].contains(&status), "{status} {answer} to {body}");
        let after = target.send(Method::GET, path, None).await.1;
        assert_eq!(after, if status == 200 { answer } else { before }, "{status} to {body}");
    });
}

#[test]
fn any_json_is_an_item_or_is_refused() {
    let any_body = prop_oneof![1 => any_json(), 4 => broken(item())];
    hold(300, any_body, |target, body| async move {
        let path = target.0.2.as_str();
        let (status, answer) = target.send(Method::POST, &format!("{path}/itinerary/items"), Some(&body)).await;
        assert!([201, 400, 422].contains(&status), "{status} {answer} to {body}");
        if status == 201 {
            let (status, itinerary) = target.send(Method::GET, &format!("{path}/itinerary"), None).await;
            let days = itinerary["days"].as_array().unwrap();
            assert!(days.iter().any(|day| day["items"].as_array().unwrap().contains(&answer)), "{status} {answer}");
        }
    });
}

#[test]
fn a_valid_draft_comes_back_as_it_was_sent() {
    let name = || "[^\\x00]{1,100}";
    let destination = (name(), prop::option::of(name()), -90.0..=90.0_f64, -180.0..=180.0_f64, 0_u32..=3650).prop_map(
        |(name, city, latitude, longitude, days)| {
            let mut stop = json!({"name": name, "coordinates": {"latitude": latitude, "longitude": longitude},
                "duration_days": days});
            stop.as_object_mut().unwrap().extend(city.map(|city| ("city".to_owned(), json!(city))));
            stop
        },
    );
    let preferences =
        btree_map("[a-z]{1,8}".prop_filter("a budget has rules", |key| key != "budget"), any_json(), 0..4)
            .prop_map(|map| map.into_iter().collect::<Map<_, _>>());
    let dates = (1_i16..=9998, 1_i8..=12, 1_i8..=28, 0_i32..=366);
    let draft = (name(), dates, vec(destination, 1..5), preferences).prop_map(
        |(title, (year, month, day, nights), destinations, preferences)| {
            let start = jiff::civil::date(year, month, day);
            let end = start + jiff::Span::new().days(nights);
            let draft = json!({"title": title, "start_date": start, "end_date": end, "destinations": destinations,
                "preferences": preferences});
            (draft, nights)
        },
    );
    hold(200, draft, |target, (draft, nights)| async move {
        let (status, trip) = target.send(Method::POST, TRIPS, Some(&draft)).await;
        assert_eq!(status, 201, "{trip} to {draft}");
        for (field, value) in draft.as_object().unwrap() {
            assert_eq!(&trip[field], value, "{field}");
        }
        assert_eq!(trip["duration_days"], nights);
        let path = format!("{TRIPS}/{}", trip["id"].as_str().unwrap());
        assert_eq!(target.send(Method::GET, &path, None).await, (200, trip));
    });
}
