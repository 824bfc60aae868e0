//! What the stand-in keeps beside trips: bookings, items of itineraries, and with whom trips are shared.
use crate::service::{Service, Shared, refusal, user};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Mutex};

/// What it keeps, and how it behaves.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) bookings: Mutex<BTreeMap<String, (Value, u32)>>,
    pub(crate) items: Mutex<Vec<Value>>,
    /// Trip, e-mail address, permission.
    pub(crate) shares: Mutex<Vec<(String, String, String)>>,
    pub(crate) booking: Bookings,
    /// Shows and changes every trip for everybody.
    pub(crate) lets_anybody_in: bool,
}

/// How bookings go.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bookings {
    /// Booked at once.
    #[default]
    AtOnce,
    /// Not confirmed before it was read once.
    Later,
    /// Booked, without a confirmation.
    Unconfirmed,
    /// Booked, and not any more after its first reading.
    Revert,
    /// Two of each.
    Twice,
}

impl Records {
    pub(crate) fn is_shared(&self, trip: &Value, user: &Value) -> bool {
        self.shares.lock().unwrap().iter().any(|(id, email, _)| trip["id"] == *id && *user == *email)
    }
}

impl Service {
    /// What the sender may do with a trip: `owner`, `edit`, `view`, or nothing.
    pub(crate) fn role(&self, trip_id: &str, headers: &HeaderMap) -> Option<String> {
        let user = user(headers)?;
        let trips = self.trips.lock().unwrap();
        if trips.get(trip_id)?["user_id"] == user || self.records.lets_anybody_in {
            return Some("owner".to_owned());
        }
        let shares = self.records.shares.lock().unwrap();
        shares.iter().find(|(id, email, _)| id == trip_id && email == user).map(|(.., role)| role.clone())
    }
}

pub(crate) async fn change(
    State(service): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(patch): Json<Value>,
) -> Response {
    match service.role(&id, &headers).as_deref() {
        None => return refusal(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"),
        Some("view") => return refusal(StatusCode::FORBIDDEN, "AUTHORIZATION_ERROR"),
        Some(_) => {}
    }
    let mut trips = service.trips.lock().unwrap();
    let trip = trips.get_mut(&id).unwrap();
    (trip["title"], trip["version"]) = (patch["title"].clone(), (patch["version"].as_i64().unwrap() + 1).into());
    Json(trip.clone()).into_response()
}

fn collaborator(email: &str, role: &str) -> Value {
    json!({ "user_id": email, "email": email, "permission_level": role })
}

pub(crate) async fn share(State(service): Shared, Path(id): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    let (email, role) = (body["user_emails"][0].as_str().unwrap(), body["permission_level"].as_str().unwrap());
    service.records.shares.lock().unwrap().push((id, email.to_owned(), role.to_owned()));
    Json(json!({ "added": [collaborator(email, role)], "skipped": [] }))
}

pub(crate) async fn collaborators(State(service): Shared, Path(id): Path<String>) -> Json<Value> {
    let shares = service.records.shares.lock().unwrap();
    let of_trip = shares.iter().filter(|(trip, ..)| *trip == id);
    let found: Vec<Value> = of_trip.map(|(_, email, role)| collaborator(email, role)).collect();
    Json(json!({ "collaborators": found }))
}

pub(crate) async fn add_item(
    State(service): Shared,
    Path(id): Path<String>,
    Json(mut item): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut items = service.records.items.lock().unwrap();
    (item["id"], item["trip_id"]) = (format!("item-{}", items.len()).into(), id.into());
    items.push(item.clone());
    (StatusCode::CREATED, Json(item))
}

pub(crate) async fn itinerary(State(service): Shared, Path(id): Path<String>) -> Json<Value> {
    let items = service.records.items.lock().unwrap();
    let of_trip = items.iter().filter(|item| item["trip_id"] == id);
    let days: Vec<Value> = of_trip.map(|item| json!({ "date": item["date"], "items": [item] })).collect();
    Json(json!({ "days": days }))
}

/// A booking as it is shown after so many readings.
fn shown(booking: &Value, reads: u32, how: Bookings) -> Value {
    let mut shown = booking.clone();
    (shown["status"], shown["meta"]) = ("booked".into(), json!({ "degraded": false }));
    if how != Bookings::Unconfirmed {
        shown["confirmation_number"] = "TRIPSG".into();
    }
    if how == Bookings::Later && reads == 0 || how == Bookings::Revert && reads > 1 {
        (shown["status"], shown["reason"]) = ("saved".into(), "unconfirmed".into());
        shown["confirmation_number"] = Value::Null;
        shown["meta"] = json!({ "degraded": true, "degraded_reasons": ["booking_unconfirmed"] });
    }
    shown
}

pub(crate) async fn book(State(service): Shared, headers: HeaderMap, Json(mut booking): Json<Value>) -> Response {
    let how = service.records.booking;
    let mut bookings = service.records.bookings.lock().unwrap();
    booking["user_id"] = user(&headers).into();
    for _ in 0..if how == Bookings::Twice { 2 } else { 1 } {
        let id = format!("booking-{}", bookings.len());
        booking["id"] = id.as_str().into();
        bookings.insert(id, (booking.clone(), 0));
    }
    (StatusCode::CREATED, Json(shown(&booking, 0, how))).into_response()
}

pub(crate) async fn booking(State(service): Shared, Path(id): Path<String>) -> Response {
    let mut bookings = service.records.bookings.lock().unwrap();
    let Some((booking, reads)) = bookings.get_mut(&id) else { return StatusCode::NOT_FOUND.into_response() };
    *reads += 1;
    Json(shown(booking, *reads, service.records.booking)).into_response()
}

pub(crate) async fn bookings(State(service): Shared, headers: HeaderMap) -> Json<Value> {
    let owner = Value::from(user(&headers));
    let bookings = service.records.bookings.lock().unwrap();
    let own = bookings.values().filter(|(booking, _)| booking["user_id"] == owner);
    Json(json!({ "items": own.map(|(booking, _)| booking.clone()).collect::<Vec<_>>() }))
}
