//! A service that says that it has what it has not ends the run with an exit code of its own.
use crate::program::Workplace;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Forty trips in two seconds.
const SCENARIO: &str = r#"
title = "Trips only"

[load]
duration = "2s"
users    = 4
mix      = { trip-creation = 1 }
arrivals = { constant = { rate = "20/s" } }
"#;

/// Trips that came, and those that it has.
#[derive(Default)]
struct Forgetful {
    count: u64,
    trips: BTreeMap<String, Value>,
}

type Shared = State<Arc<Mutex<Forgetful>>>;

fn owner(headers: &HeaderMap) -> Value {
    headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").into()
}

async fn login(Json(body): Json<Value>) -> Json<Value> {
    Json(json!({ "access_token": body["email"], "refresh_token": "r", "expires_in": 3_600 }))
}

/// Takes every tenth trip for granted.
async fn create(State(service): Shared, headers: HeaderMap, Json(mut trip): Json<Value>) -> Response {
    let mut service = service.lock().unwrap();
    service.count += 1;
    let id = format!("trip-{}", service.count);
    let nights: i64 =
        trip["destinations"].as_array().unwrap().iter().map(|stop| stop["duration_days"].as_i64().unwrap()).sum();
    (trip["id"], trip["user_id"], trip["duration_days"]) = (id.as_str().into(), owner(&headers), nights.into());
    trip["status"] = "planning".into();
    if !service.count.is_multiple_of(10) {
        service.trips.insert(id.clone(), trip.clone());
    }
    (StatusCode::CREATED, [("location", format!("/api/v1/trips/{id}"))], Json(trip)).into_response()
}

async fn read(State(service): Shared, Path(id): Path<String>) -> Response {
    let trip = service.lock().unwrap().trips.get(&id).cloned();
    let absent = || Json(json!({ "error": true, "code": "RESOURCE_NOT_FOUND", "message": "there is no such trip" }));
    trip.map_or_else(|| (StatusCode::NOT_FOUND, absent()).into_response(), |trip| Json(trip).into_response())
}

async fn list(State(service): Shared, headers: HeaderMap) -> Json<Value> {
    let owner = owner(&headers);
    let service = service.lock().unwrap();
    let own: Vec<&Value> = service.trips.values().filter(|trip| trip["user_id"] == owner).collect();
    Json(json!({ "items": own }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn acknowledged_writes_that_are_lost_are_exit_code_11_and_named() {
    let router = Router::new()
        .route("/api/v1/auth/register", post(async || (StatusCode::CREATED, "{}")))
        .route("/api/v1/auth/login", post(login))
        .route("/api/v1/trips", post(create).get(list))
        .route("/api/v1/trips/{id}", get(read))
        .route("/health/live", get(async || "{}"))
        .with_state(Arc::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let run = move || {
        let place = Workplace::new(SCENARIO);
        let output = place.harness(&["run", "./scenario.toml", "--out", "runs", "--target", &url]);
        (output, std::fs::read_to_string(place.run_folder().join("summary.json")).unwrap())
    };
    let (output, summary) = tokio::task::spawn_blocking(run).await.unwrap();
    server.abort();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(11), "{out}\n{err}");
    let first = out.lines().next().unwrap();
    assert!(
        first.starts_with("DATA VIOLATED (exit 11)  40 acknowledged writes read back, 4 lost, 0 duplicated"),
        "{out}"
    );
    assert!(out.contains("lost: trip "), "{out}");
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["oracle"]["violations"], json!({ "lost": 4, "stale": 4 }));
}
