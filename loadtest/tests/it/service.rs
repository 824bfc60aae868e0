//! A stand-in for the service, as its contract says: accounts, search, streamed chat, trips. It can be told to be less honest.
use crate::scene::Server;
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What the stand-in has seen, and how it behaves.
#[derive(Default)]
pub(crate) struct Service {
    pub(crate) accounts: Mutex<BTreeSet<String>>,
    pub(crate) trips: Mutex<BTreeMap<String, Value>>,
    pub(crate) keys: Mutex<BTreeSet<String>>,
    pub(crate) searches: Mutex<Vec<String>>,
    pub(crate) refreshes: Mutex<u32>,
    /// Seconds that an access token is good for.
    pub(crate) expires_in: u64,
    /// Refuses to log anybody in.
    pub(crate) refuses_logins: bool,
    /// Answers from a stale cache without saying so.
    pub(crate) lies: bool,
}

type Shared = State<Arc<Service>>;

impl Service {
    pub(crate) async fn start(self) -> (Server, Arc<Self>) {
        let service = Arc::new(self);
        let router = Router::new()
            .route("/api/v1/auth/register", post(register))
            .route("/api/v1/auth/login", post(login))
            .route("/api/v1/auth/refresh", post(refresh))
            .route("/api/v1/flights/search", post(search))
            .route("/api/v1/chat", post(chat))
            .route("/api/v1/trips", post(create))
            .route("/api/v1/trips/{id}", get(read))
            .with_state(service.clone());
        (Server::start(router).await, service)
    }

    fn tokens(&self) -> Json<Value> {
        Json(json!({ "access_token": "access", "refresh_token": "refresh", "token_type": "bearer",
            "expires_in": self.expires_in }))
    }
}

fn refusal(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": true, "code": code, "message": "m", "type": "external", "details": {} })))
        .into_response()
}

fn is_user(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer access")
}

async fn register(State(service): Shared, Json(body): Json<Value>) -> Response {
    if service.accounts.lock().unwrap().insert(body["email"].to_string()) {
        (StatusCode::CREATED, Json(json!({ "id": "u" }))).into_response()
    } else {
        refusal(StatusCode::CONFLICT, "DUPLICATE")
    }
}

async fn login(State(service): Shared, Json(_): Json<Value>) -> Response {
    if service.refuses_logins {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "DATABASE_ERROR");
    }
    service.tokens().into_response()
}

async fn refresh(State(service): Shared, Json(_): Json<Value>) -> Response {
    *service.refreshes.lock().unwrap() += 1;
    service.tokens().into_response()
}

async fn search(State(service): Shared, headers: HeaderMap, body: String) -> Response {
    if !is_user(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let asked: Value = serde_json::from_str(&body).unwrap();
    service.searches.lock().unwrap().push(body);
    let way = |from: &Value, to: &Value, date: &Value| {
        let time = format!("{}T10:00:00Z", date.as_str().unwrap());
        json!([{ "departure_airport": from, "arrival_airport": to, "departure_time": time, "arrival_time": time,
            "flight_number": "AF1", "duration_minutes": 90 }])
    };
    let mut offer = json!({ "id": "o", "total_price": 10.5, "currency": asked["currency"], "cabin_class": asked["cabin_class"],
        "outbound_segments": way(&asked["origin"], &asked["destination"], &asked["departure_date"]) });
    if asked["return_date"].is_string() {
        offer["return_segments"] = way(&asked["destination"], &asked["origin"], &asked["return_date"]);
    }
    let source = if service.lies { "stale" } else { "live" };
    Json(json!({ "search_id": "s", "offers": [offer], "total_results": 1, "currency": asked["currency"],
        "meta": { "degraded": false, "source": source } }))
    .into_response()
}

async fn chat(headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if !is_user(&headers) || !body["messages"][0]["content"].is_string() || body["stream"] != true {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let events = [
        json!({ "type": "started", "session_id": "s" }).to_string(),
        json!({ "type": "delta", "content": "Hello " }).to_string(),
        json!({ "type": "delta", "content": "there" }).to_string(),
        json!({ "type": "final", "content": "Hello there", "meta": { "degraded": false } }).to_string(),
        "[DONE]".to_owned(),
    ];
    let paced = futures_util::stream::unfold(events.into_iter(), async |mut left| {
        let event = left.next()?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some((Ok::<_, std::io::Error>(format!("data: {event}\n\n")), left))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(paced)).into_response()
}

async fn create(State(service): Shared, headers: HeaderMap, Json(mut trip): Json<Value>) -> Response {
    let Some(key) = headers.get("idempotency-key").filter(|_| is_user(&headers)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let key = key.to_str().unwrap().to_owned();
    let date = |name: &str| trip[name].as_str().unwrap().parse::<jiff::civil::Date>().unwrap();
    trip["duration_days"] = (date("end_date") - date("start_date")).get_days().into();
    trip["id"] = format!("trip-of-{key}").into();
    trip["status"] = "planning".into();
    service.trips.lock().unwrap().insert(format!("trip-of-{key}"), trip.clone());
    let location = [(header::LOCATION, format!("/api/v1/trips/trip-of-{key}"))];
    assert!(service.keys.lock().unwrap().insert(key), "every key is used once");
    (StatusCode::CREATED, location, Json(trip)).into_response()
}

async fn read(State(service): Shared, Path(id): Path<String>) -> Response {
    match service.trips.lock().unwrap().get(&id) {
        Some(trip) => Json(trip.clone()).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"),
    }
}
