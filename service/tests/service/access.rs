//! The access matrix: every route of the OpenAPI document, asked by everyone who may come, with the expected status.
//!
//! A route without a row fails, and so does a row without a route.

use std::collections::BTreeSet;

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{JWT_KEY, Stack, User, until};

/// Who asks, in the order of a row.
const CALLERS: [&str; 8] = ["no token", "expired", "tampered", "stranger", "viewer", "editor", "owner", "admin"];

/// Who may do it.
#[derive(Clone, Copy)]
enum Access {
    /// Anyone, also without a token.
    Public(u16),
    /// Anyone with a token.
    User(u16),
    /// The owner; everyone else is told that there is no such thing.
    Owner(u16),
    /// The owner; everyone else is told that it is not for them.
    OwnerOnly(u16),
    /// By the part in the trip: stranger and administrator get 404, then viewer, editor, owner.
    Trip(u16, u16, u16),
    /// Administrators; others are told that it is not for them.
    Admin(u16),
}
use Access::{Admin, Owner, OwnerOnly, Public, Trip, User as Anyone};

/// A route, who may use it, and what is sent to it.
struct Row(&'static str, &'static str, Access, Option<fn(&Things) -> Value>);

/// What the paths and bodies name. All of it belongs to the owner; the trip is shared.
struct Things {
    owner: User,
    trip: String,
    viewer_id: String,
    viewer_email: String,
    booking: String,
    key: String,
    export: String,
    session: String,
}

const ROWS: &[Row] = &[
    Row("post", "/api/v1/auth/register", Public(409), Some(|things| account(&things.owner.email))),
    Row("post", "/api/v1/auth/login", Public(200), Some(|things| account(&things.owner.email))),
    Row("post", "/api/v1/auth/refresh", Public(401), Some(|_| json!({"refresh_token": "none"}))),
    Row("post", "/api/v1/auth/logout", Anyone(200), None),
    Row("get", "/api/v1/users/me", Anyone(200), None),
    Row("delete", "/api/v1/users/me", Anyone(401), Some(|_| json!({"password": "not the password"}))),
    Row("get", "/api/v1/users/me/preferences", Anyone(200), None),
    Row("put", "/api/v1/users/me/preferences", Anyone(200), Some(|_| json!({"preferences": {"theme": "dark"}}))),
    Row("post", "/api/v1/users/me/export", Anyone(202), None),
    Row("get", "/api/v1/users/me/exports/{id}", Owner(200), None),
    Row("get", "/api/v1/users/me/exports/{id}/archive", Owner(200), None),
    Row("get", "/api/v1/user/keys", Anyone(200), None),
    Row(
        "post",
        "/api/v1/user/keys",
        Anyone(201),
        Some(|_| json!({"name": "new", "service": "flights", "key": SECRET})),
    ),
    Row("post", "/api/v1/user/keys/validate", Anyone(200), Some(|_| json!({"service": "flights", "key": SECRET}))),
    Row("post", "/api/v1/user/keys/{id}/rotate", OwnerOnly(200), Some(|_| json!({"new_key": SECRET}))),
    Row("delete", "/api/v1/user/keys/{id}", OwnerOnly(204), None),
    Row("post", "/api/v1/flights/search", Anyone(200), Some(|_| search())),
    Row("get", "/api/v1/flights/offers/{id}", Anyone(200), None),
    Row("post", "/api/v1/bookings", Anyone(201), Some(|_| booking(None))),
    Row("get", "/api/v1/bookings", Anyone(200), None),
    Row("get", "/api/v1/bookings/{id}", Trip(200, 200, 200), None),
    Row("delete", "/api/v1/bookings/{id}", Trip(403, 403, 204), None),
    Row("post", "/api/v1/accommodations/search", Anyone(200), Some(|_| stay())),
    Row("post", "/api/v1/accommodations/details", Anyone(200), Some(|_| json!({"listing_id": "stay_1"}))),
    Row("post", "/api/v1/destinations/search", Anyone(200), Some(|_| json!({"query": "Lisbon"}))),
    Row("get", "/api/v1/destinations/{id}", Anyone(200), None),
    Row("post", "/api/v1/search/unified", Anyone(200), Some(|_| json!({"query": "Lisbon"}))),
    Row("post", "/api/v1/trips", Anyone(201), Some(|_| trip())),
    Row("get", "/api/v1/trips", Anyone(200), None),
    Row("get", "/api/v1/trips/{id}", Trip(200, 200, 200), None),
    Row("put", "/api/v1/trips/{id}", Trip(403, 200, 409), Some(|_| json!({"title": "Sea", "version": 1}))),
    Row("delete", "/api/v1/trips/{id}", Trip(403, 403, 204), None),
    Row("get", "/api/v1/trips/{id}/summary", Trip(200, 200, 200), None),
    Row(
        "post",
        "/api/v1/trips/{id}/share",
        Trip(403, 403, 200),
        Some(|things| json!({"user_emails": [things.viewer_email]})),
    ),
    Row("get", "/api/v1/trips/{id}/collaborators", Trip(200, 200, 200), None),
    Row(
        "put",
        "/api/v1/trips/{id}/collaborators/{user_id}",
        Trip(403, 403, 200),
        Some(|_| json!({"permission_level": "edit"})),
    ),
    Row("delete", "/api/v1/trips/{id}/collaborators/{user_id}", Trip(403, 403, 204), None),
    Row("get", "/api/v1/trips/{id}/itinerary", Trip(200, 200, 200), None),
    Row("post", "/api/v1/trips/{id}/itinerary/items", Trip(403, 201, 201), Some(|_| item())),
    Row("post", "/api/v1/chat", Anyone(200), Some(|_| hello())),
    Row("post", "/api/v1/chat/sessions", Anyone(201), Some(|_| json!({"title": "Alps"}))),
    Row("get", "/api/v1/chat/sessions", Anyone(200), None),
    Row("get", "/api/v1/chat/sessions/{id}/messages", Owner(200), None),
    Row("post", "/api/v1/chat/sessions/{id}/end", Owner(200), None),
    Row("post", "/api/v1/memory/search", Anyone(200), Some(|_| json!({"query": "trains"}))),
    Row("post", "/api/v1/memory/conversation", Anyone(200), Some(|_| hello())),
    Row("get", "/api/v1/memory/context", Anyone(200), None),
    Row("get", "/api/v1/admin/audit", Admin(200), None),
    Row("get", "/api/v1/admin/audit/verification", Admin(200), None),
    Row("get", "/api/v1/dashboard/overview", Admin(200), None),
    Row("get", "/health", Public(200), None),
    Row("get", "/health/live", Public(200), None),
    Row("get", "/health/ready", Public(200), None),
    Row("get", "/metrics", Public(200), None),
];
const SECRET: &str = "a-key-of-the-owner-1234";

fn account(email: &str) -> Value {
    json!({"email": email, "password": crate::stack::PASSWORD})
}

fn search() -> Value {
    json!({"origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01"})
}

fn trip() -> Value {
    json!({"title": "Alps", "start_date": "2099-01-01", "end_date": "2099-01-08", "destinations": [{"name": "Zermatt"}]})
}

fn stay() -> Value {
    json!({"location": "Lisbon", "check_in": "2099-05-01", "check_out": "2099-05-03", "adults": 1})
}

fn item() -> Value {
    json!({"type": "activity", "title": "Walk", "date": "2099-01-02"})
}

fn booking(trip: Option<&str>) -> Value {
    let passenger = json!({"type": "adult", "given_name": "Ann", "family_name": "Lee", "date_of_birth": "1990-01-01"});
    let mut booking = json!({"offer_id": "elsewhere", "passengers": [passenger],
        "contact": {"email": "ann@example.org", "phone": "+41791234567"}});
    if let Some(trip) = trip {
        booking["trip_id"] = json!(trip);
    }
    booking
}

fn hello() -> Value {
    json!({"messages": [{"role": "user", "content": "Hello"}]})
}

impl Access {
    /// The statuses, in the order of [`CALLERS`].
    fn statuses(self) -> [u16; 8] {
        match self {
            Public(status) => [status; 8],
            Anyone(status) => [401, 401, 401, status, status, status, status, status],
            Owner(status) => [401, 401, 401, 404, 404, 404, status, 404],
            OwnerOnly(status) => [401, 401, 401, 403, 403, 403, status, 403],
            Trip(viewer, editor, owner) => [401, 401, 401, 404, viewer, editor, owner, 404],
            Admin(status) => [401, 401, 401, 403, 403, 403, 403, status],
        }
    }
}

impl Things {
    async fn of(stack: &Stack, owner: User, viewer: &User, editor: &User) -> Self {
        let post = async |path: &str, body: Value| {
            let answer = stack.post(path, &owner, &body).await;
            assert!(answer.status.is_success(), "{path}: {answer:?}");
            answer.json()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        post("/api/v1/flights/search", search()).await;
        let trip = text(&post("/api/v1/trips", trip()).await["id"]);
        let share = format!("/api/v1/trips/{trip}/share");
        let viewers = post(&share, json!({"user_emails": [viewer.email], "permission_level": "view"})).await;
        post(&share, json!({"user_emails": [editor.email], "permission_level": "edit"})).await;
        let booking = text(&post("/api/v1/bookings", booking(Some(&trip))).await["id"]);
        let session = text(&post("/api/v1/chat/sessions", json!({})).await["id"]);
        let key = json!({"name": "mine", "service": "flights", "key": SECRET});
        let key = text(&post("/api/v1/user/keys", key).await["id"]);
        let export = text(&post("/api/v1/users/me/export", json!({})).await["export_id"]);
        let path = format!("/api/v1/users/me/exports/{export}");
        until("the export is ready", || async { stack.get(&path, &owner).await.json()["status"] == "ready" }).await;
        Self {
            viewer_id: text(&viewers["added"][0]["user_id"]),
            viewer_email: viewer.email.clone(),
            owner,
            trip,
            booking,
            session,
            key,
            export,
        }
    }

    fn path(&self, template: &str) -> String {
        let id = match template.split('/').nth(3) {
            Some("trips") => &self.trip,
            Some("chat") => &self.session,
            Some("bookings") => &self.booking,
            Some("user") => &self.key,
            Some("users") => &self.export,
            Some("flights") => "elsewhere",
            Some("destinations") => "place_1",
            _ => "",
        };
        template.replace("{id}", id).replace("{user_id}", &self.viewer_id)
    }
}

/// The routes of the document, as `method path`.
fn documented() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&service::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")));
    operations.collect()
}

/// The token of `user`, an hour old.
fn expired(token: &str) -> String {
    let mut claims = claims(token);
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 60);
    encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_KEY.as_bytes())).unwrap()
}

/// The token of `user` with the claims of an administrator, under the old signature.
fn tampered(token: &str) -> String {
    let mut claims = claims(token);
    claims["scopes"] = json!(["admin:access"]);
    let forged =
        encode(&Header::default(), &claims, &EncodingKey::from_secret(b"another key, as long as the other")).unwrap();
    let (body, _) = forged.rsplit_once('.').unwrap();
    format!("{body}.{}", token.rsplit_once('.').unwrap().1)
}

fn claims(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let rows: BTreeSet<_> = ROWS.iter().map(|Row(method, path, ..)| format!("{method} {path}")).collect();
    assert_eq!(rows.len(), ROWS.len(), "a route has two rows");
    let documented = documented();
    let (without_row, without_route): (Vec<_>, Vec<_>) =
        (documented.difference(&rows).collect(), rows.difference(&documented).collect());
    assert!(without_row.is_empty() && without_route.is_empty(), "no row: {without_row:?}; no route: {without_route:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_gets_what_the_matrix_says() {
    let stack =
        Stack::start(&[("TRIPSAGE_ADMIN_EMAILS", "user0@example.org"), ("TRIPSAGE_ACCOUNT_WORK_EVERY", "20ms")]).await;
    let admin = stack.user().await;
    let (stranger, viewer, editor) = (stack.user().await, stack.user().await, stack.user().await);
    let mut wrong = Vec::new();
    for Row(method, template, access, body) in ROWS {
        let things = Things::of(&stack, stack.user().await, &viewer, &editor).await;
        let owner = &things.owner.token;
        let (expired, tampered) = (expired(owner), tampered(owner));
        let tokens = [
            None,
            Some(expired.as_str()),
            Some(tampered.as_str()),
            Some(stranger.token.as_str()),
            Some(viewer.token.as_str()),
            Some(editor.token.as_str()),
            Some(owner.as_str()),
            Some(admin.token.as_str()),
        ];
        let cells: Vec<_> = CALLERS.into_iter().zip(tokens).zip(access.statuses()).collect();
        // The owner comes last: what the owner does may be the end of the thing.
        let (owners, others): (Vec<_>, Vec<_>) = cells.into_iter().partition(|((caller, _), _)| *caller == "owner");
        for ((caller, token), expected) in others.into_iter().chain(owners) {
            let body = body.map(|body| body(&things));
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = stack.send(method.clone(), &things.path(template), token, body.as_ref()).await;
            if answer.status.as_u16() != expected {
                wrong.push(format!(
                    "{method} {template}, {caller}: {} instead of {expected}: {}",
                    answer.status, answer.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
