//! A stand-in for the service, as its contract says: accounts, search, streamed chat, trips. It can be told to be less honest.
use crate::{
    records::{self, Records},
    scene::Server,
};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What the stand-in has seen, and how it behaves.
#[derive(Default)]
pub(crate) struct Service {
    pub(crate) accounts: Mutex<BTreeSet<String>>,
    pub(crate) trips: Mutex<BTreeMap<String, Value>>,
    /// Trips that were sent so far, and what it does to one of them.
    pub(crate) trip_count: AtomicU64,
    pub(crate) token_count: AtomicU64,
    pub(crate) trick: Option<(u64, Trick)>,
    pub(crate) keys: Mutex<BTreeSet<String>>,
    pub(crate) searches: Mutex<Vec<String>>,
    pub(crate) refreshes: Mutex<u32>,
    /// Spent refresh tokens, and whether they are taken again.
    pub(crate) spent: Mutex<BTreeSet<String>>,
    pub(crate) takes_spent_tokens: bool,
    /// Does not answer who wants new tokens.
    pub(crate) hangs_refreshes: bool,
    /// What it keeps beside trips.
    pub(crate) records: Records,
    /// Seconds that an access token is good for.
    pub(crate) expires_in: u64,
    /// So many logins are refused, because the database has no connection left.
    pub(crate) refused_logins: AtomicU64,
    /// Answers from a stale cache without saying so.
    pub(crate) lies: bool,
    /// How chats go.
    pub(crate) chats: Chats,
    /// So many readings of trips get a 404 from an ingress that knows of no pod.
    pub(crate) lost_pods: AtomicU64,
}

/// How chats go.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chats {
    /// Answered.
    #[default]
    Answered,
    /// Refused: the model is down.
    Refused,
    /// Never answered.
    Hanging,
}

/// What a dishonest service does to a trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    /// Says that it has it, and has it not.
    Drop,
    /// Stores it under two ids.
    StoreTwice,
    /// Stores another one that nobody asked for.
    Invent,
    /// Stores something else after its first reading.
    Change,
    /// Stores it and does not answer.
    HangAfter,
    /// Does neither.
    HangBefore,
    /// Breaks down for good.
    Die,
    /// Cannot show it any more.
    BreakReading,
    /// Shows it without an id.
    LoseId,
    /// Shows the first page of a list whatever is asked for.
    OnePage,
}

pub(crate) type Shared = State<Arc<Service>>;

impl Service {
    pub(crate) async fn start(self) -> (Server, Arc<Self>) {
        let service = Arc::new(self);
        let router = Router::new()
            .route("/api/v1/auth/register", post(register))
            .route("/api/v1/auth/login", post(login))
            .route("/api/v1/auth/refresh", post(refresh))
            .route("/api/v1/flights/search", post(search))
            .route("/api/v1/chat", post(chat))
            .route("/api/v1/trips", post(create).get(list))
            .route("/api/v1/trips/{id}", get(read).put(records::change))
            .route("/api/v1/trips/{id}/share", post(records::share))
            .route("/api/v1/trips/{id}/collaborators", get(records::collaborators))
            .route("/api/v1/trips/{id}/itinerary/items", post(records::add_item))
            .route("/api/v1/trips/{id}/itinerary", get(records::itinerary))
            .route("/api/v1/bookings", post(records::book).get(records::bookings))
            .route("/api/v1/bookings/{id}", get(records::booking))
            .route("/api/v1/users/me", get(me))
            .with_state(service.clone());
        (Server::start(router).await, service)
    }

    /// A token says whose it is.
    fn tokens(&self, user: &Value) -> Json<Value> {
        let user = user.as_str().unwrap();
        let number = self.token_count.fetch_add(1, Ordering::SeqCst);
        Json(json!({ "access_token": user, "refresh_token": format!("{user} {number}"), "token_type": "bearer",
            "expires_in": self.expires_in }))
    }

    /// What it does to the trip that comes now.
    fn trick(&self) -> Option<Trick> {
        let count = self.trip_count.fetch_add(1, Ordering::SeqCst) + 1;
        self.trick.filter(|(number, _)| count.is_multiple_of(*number)).map(|(_, trick)| trick)
    }

    /// Whether this reading does not reach the service.
    fn has_lost_its_pod(&self) -> bool {
        one_less(&self.lost_pods)
    }

    fn is_dead(&self) -> bool {
        self.trick
            .is_some_and(|(number, trick)| trick == Trick::Die && self.trip_count.load(Ordering::SeqCst) >= number)
    }
}

pub(crate) fn refusal(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": true, "code": code, "message": "m", "type": "external", "details": {} })))
        .into_response()
}

pub(crate) fn user(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn is_user(headers: &HeaderMap) -> bool {
    user(headers).is_some_and(|user| user.ends_with("@load.example.com"))
}

/// Takes one off, if any is left.
fn one_less(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

async fn register(State(service): Shared, Json(body): Json<Value>) -> Response {
    if service.accounts.lock().unwrap().insert(body["email"].to_string()) {
        (StatusCode::CREATED, Json(json!({ "id": "u" }))).into_response()
    } else {
        refusal(StatusCode::CONFLICT, "DUPLICATE")
    }
}

async fn login(State(service): Shared, Json(body): Json<Value>) -> Response {
    if one_less(&service.refused_logins) {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "DATABASE_ERROR");
    }
    service.tokens(&body["email"]).into_response()
}

async fn refresh(State(service): Shared, Json(body): Json<Value>) -> Response {
    *service.refreshes.lock().unwrap() += 1;
    if service.hangs_refreshes {
        std::future::pending().await
    }
    let token = body["refresh_token"].as_str().unwrap();
    if !service.spent.lock().unwrap().insert(token.to_owned()) && !service.takes_spent_tokens {
        return refusal(StatusCode::UNAUTHORIZED, "INVALID_TOKEN");
    }
    service.tokens(&token.split(' ').next().into()).into_response()
}

async fn me(headers: HeaderMap) -> Json<Value> {
    Json(json!({ "email": user(&headers) }))
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
    let mut offer = json!({ "id": "o", "total_price": 10.5, "currency": asked["currency"], "cabin_class": asked["cabin_class"], "bookable": true,
        "outbound_segments": way(&asked["origin"], &asked["destination"], &asked["departure_date"]) });
    if asked["return_date"].is_string() {
        offer["return_segments"] = way(&asked["destination"], &asked["origin"], &asked["return_date"]);
    }
    let source = if service.lies { "stale" } else { "live" };
    Json(json!({ "search_id": "s", "offers": [offer], "total_results": 1, "currency": asked["currency"],
        "meta": { "degraded": false, "source": source } }))
    .into_response()
}

async fn chat(State(service): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    match service.chats {
        Chats::Answered => {}
        Chats::Refused => return refusal(StatusCode::SERVICE_UNAVAILABLE, "AI_SERVICE_UNAVAILABLE"),
        Chats::Hanging => std::future::pending().await,
    }
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
    (trip["id"], trip["status"]) = (format!("trip-of-{key}").into(), "planning".into());
    trip["user_id"] = user(&headers).into();
    trip["version"] = 1.into();
    let trick = service.trick();
    if service.is_dead() {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR");
    }
    let store = |id: &str, trip: &Value| {
        let mut trip = trip.clone();
        trip["id"] = id.into();
        service.trips.lock().unwrap().insert(id.to_owned(), trip);
    };
    if !matches!(trick, Some(Trick::Drop | Trick::HangBefore)) {
        store(&format!("trip-of-{key}"), &trip);
    }
    match trick {
        Some(Trick::StoreTwice) => store(&format!("second-of-{key}"), &trip),
        Some(Trick::Invent) => {
            let mut other = trip.clone();
            other["title"] = "Nowhere #999999".into();
            store("invented", &other);
        }
        Some(Trick::HangAfter | Trick::HangBefore) => std::future::pending().await,
        _ => {}
    }
    let location = [(header::LOCATION, format!("/api/v1/trips/trip-of-{key}"))];
    assert!(service.keys.lock().unwrap().insert(key), "every key is used once");
    (StatusCode::CREATED, location, Json(trip)).into_response()
}

async fn read(State(service): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if service.has_lost_its_pod() {
        return (StatusCode::NOT_FOUND, "default backend - 404").into_response();
    }
    if service.is_dead() {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR");
    }
    let role = service.role(&id, &headers);
    let mut trips = service.trips.lock().unwrap();
    let Some(trip) = trips.get_mut(&id).filter(|_| role.is_some()) else {
        return refusal(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND");
    };
    let shown = Json(trip.clone()).into_response();
    let is_target = |number: u64| trip["title"].as_str().is_some_and(|title| title.ends_with(&format!("#{number}")));
    match service.trick.filter(|(number, _)| is_target(*number)).map(|(_, trick)| trick) {
        // It loses its places once it has been read.
        Some(Trick::Change) => trip["destinations"] = json!([]),
        Some(Trick::BreakReading) => return refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        Some(Trick::LoseId) => return Json(json!({ "title": trip["title"] })).into_response(),
        _ => {}
    }
    shown
}

#[derive(serde::Deserialize)]
struct Slice {
    skip: usize,
    limit: usize,
}

async fn list(State(service): Shared, Query(slice): Query<Slice>, headers: HeaderMap) -> Response {
    if service.has_lost_its_pod() {
        return (StatusCode::NOT_FOUND, "default backend - 404").into_response();
    }
    if service.is_dead() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "DATABASE_ERROR");
    }
    let user = Value::from(user(&headers));
    let trips = service.trips.lock().unwrap();
    let listed = trips
        .values()
        .filter(|trip| trip["user_id"] == user || service.records.is_shared(trip, &user))
        .map(|trip| json!({ "id": trip["id"], "title": trip["title"] }));
    let shows_one_page = service.trick.is_some_and(|(_, trick)| trick == Trick::OnePage);
    let items: Vec<Value> = listed.skip(if shows_one_page { 0 } else { slice.skip }).take(slice.limit).collect();
    Json(json!({ "items": items, "total": trips.len() })).into_response()
}
