//! Offers and bookings when all goes well, and what is refused.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    fakes::Answers,
    stack::{Answer, Stack, User, until},
};

pub(crate) const BOOKINGS: &str = "/api/v1/bookings";

pub(crate) fn order(offer_id: &str) -> Value {
    json!({"offer_id": offer_id, "contact": {"email": "ann@example.org", "phone": "+41 44 000 00 00"}, "passengers":
        [{"type": "adult", "given_name": "Ann", "family_name": "Lee", "date_of_birth": "1990-02-28"}]})
}

pub(crate) async fn book(stack: &Stack, user: &User, key: &str, body: &Value) -> Answer {
    stack.send_with(Method::POST, BOOKINGS, Some(&user.token), Some(body), &[("Idempotency-Key", key)]).await
}

pub(crate) async fn search(stack: &Stack, user: &User, destination: &str) {
    let search = json!({"origin": "JFK", "destination": destination, "departure_date": "2099-05-01"});
    assert_eq!(stack.post("/api/v1/flights/search", user, &search).await.status, 200);
}

pub(crate) async fn cancel(stack: &Stack, user: &User, id: &Value) -> Answer {
    let path = format!("{BOOKINGS}/{}", id.as_str().unwrap());
    stack.send(Method::DELETE, &path, Some(&user.token), None).await
}

async fn trip(stack: &Stack, user: &User) -> String {
    let trip = json!({"title": "Paris", "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Paris"}]});
    stack.post("/api/v1/trips", user, &trip).await.json()["id"].as_str().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_offer_is_held_booked_listed_and_cancelled() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let trip_id = trip(&stack, &user).await;
    search(&stack, &user, "CDG").await;

    let mut held = order("cheap");
    (held["hold_only"], held["metadata"]) = (json!(true), json!({"seat": "12A"}));
    let held = stack.post(BOOKINGS, &user, &held).await;
    assert_eq!(held.status, 201, "{held:?}");
    let held = held.json();
    assert_eq!((&held["status"], &held["expires_at"]), (&json!("saved"), &json!("2099-04-30T00:00:00Z")));
    assert!(held["confirmation_number"].is_null() && held["booked_at"].is_null() && held["reason"].is_null(), "{held}");
    assert_eq!((&held["meta"]["degraded"], &held["metadata"]["seat"]), (&json!(false), &json!("12A")));

    let mut booked = order("cheap");
    booked["trip_id"] = json!(trip_id);
    let booked = stack.post(BOOKINGS, &user, &booked).await;
    assert_eq!(booked.status, 201, "{booked:?}");
    let location = booked.header("location").to_owned();
    let booked = booked.json();
    let expected = json!({"status": "booked", "confirmation_number": "TRIPSG", "total_price": 310.25, "currency": "USD",
        "trip_id": trip_id, "offer_id": "cheap", "cancellable": true, "hold_only": false});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&booked[field], value, "{field}");
    }
    assert_eq!(booked["passengers"], order("cheap")["passengers"]);
    assert_eq!(booked["contact"], order("cheap")["contact"]);
    assert_eq!(booked["meta"]["providers_queried"], json!(["flights"]));
    assert!(booked["booked_at"].is_string() && booked["outbound_segments"][0]["arrival_airport"] == "CDG", "{booked}");
    let mut read = stack.get(&location, &user).await.json();
    assert_eq!(read["meta"].take()["providers_queried"], json!([]));
    read["meta"] = booked["meta"].clone();
    assert_eq!(read, booked);
    // Of the offer nothing had to be asked: the search has told it.
    assert_eq!(stack.flights.calls_of("get_offer_details"), 0);
    assert_eq!(stack.flights.orders().orders().len(), 2);

    let (held_id, booked_id) = (held["id"].as_str().unwrap(), booked["id"].as_str().unwrap());
    let by_trip = format!("?trip_id={trip_id}");
    let lists = [
        ("", vec![booked_id, held_id], 2),
        ("?limit=1", vec![booked_id], 2),
        ("?skip=1", vec![held_id], 2),
        ("?status=saved", vec![held_id], 1),
        ("?status=cancelled", vec![], 0),
        (by_trip.as_str(), vec![booked_id], 1),
    ];
    for (query, expected, total) in lists {
        let list = stack.get(&format!("{BOOKINGS}{query}"), &user).await.json();
        assert_eq!((ids(&list), &list["total"]), (expected, &json!(total)), "{query}");
    }
    for query in ["?limit=0", "?limit=101", "?status=pending", "?trip_id=x", "?colour=red"] {
        assert_eq!(stack.get(&format!("{BOOKINGS}{query}"), &user).await.error().0, 422, "{query}");
    }

    assert_eq!(cancel(&stack, &user, &booked["id"]).await.status, 204);
    assert_eq!(cancel(&stack, &user, &booked["id"]).await.error(), (404, "RESOURCE_NOT_FOUND".into()));
    let after = stack.get(&location, &user).await.json();
    assert_eq!((&after["status"], &after["cancellable"]), (&json!("cancelled"), &json!(false)));
    let statuses: Vec<_> = stack.flights.orders().orders().iter().map(|order| order["status"].clone()).collect();
    assert_eq!(statuses, ["held", "cancelled"]);
    for (outcome, count) in [("saved", 1.0), ("booked", 1.0), ("cancelled", 1.0)] {
        let series = format!("tripsage_bookings_total{{outcome=\"{outcome}\"}}");
        assert_eq!(stack.metric(&series).await, count, "{outcome}");
    }
    let is_told = || async { stack.memory.calls_of("add_observations") == 1 };
    until("the memory is told of the booking", is_told).await;
    let told = stack.memory.calls()[0].1["observations"][0].clone();
    assert_eq!(told, "booked a flight from JFK to CDG at 2099-05-01T08:00:00");
}

#[rstest]
#[case("unknown", 404, "RESOURCE_NOT_FOUND")]
#[case("expired", 422, "OFFER_EXPIRED")]
#[case("waitlist", 422, "OFFER_NOT_BOOKABLE")]
#[case("strange", 502, "FLIGHT_API_ERROR")]
#[tokio::test]
async fn what_is_not_on_offer_is_not_booked(#[case] offer_id: &str, #[case] status: u16, #[case] code: &str) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    assert_eq!(book(&stack, &user, "k", &order(offer_id)).await.error(), (status, code.into()));
    assert_eq!(stack.flights.calls_of("create_order"), 0);
    assert_eq!(stack.get(BOOKINGS, &user).await.json()["total"], 0);
    // The key was not spent.
    assert_eq!(book(&stack, &user, "k", &order("elsewhere")).await.status, 201);
}

#[rstest]
#[case("offer_expired", 422, "OFFER_EXPIRED")]
#[case("offer_not_found", 404, "RESOURCE_NOT_FOUND")]
#[case("invalid_passengers", 422, "BOOKING_REFUSED")]
#[tokio::test]
async fn what_the_provider_refuses_is_not_booked(
    #[case] reason: &'static str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.flights.orders().refuse(Some(reason));
    assert_eq!(book(&stack, &user, "k", &order("elsewhere")).await.error(), (status, code.into()));
    assert_eq!(stack.get(BOOKINGS, &user).await.json()["total"], 0);
    // The key stands for this refusal, whatever the provider would say by now.
    stack.flights.orders().refuse(None);
    assert_eq!(book(&stack, &user, "k", &order("elsewhere")).await.error(), (status, code.into()));
    assert!(stack.flights.orders().orders().is_empty());
    assert_eq!(book(&stack, &user, "k2", &order("elsewhere")).await.json()["status"], "booked");
}

#[rstest]
#[case(Answers::Status(500), 502)]
#[case(Answers::RateLimited(3), 503)]
#[case(Answers::Never, 504)]
#[tokio::test]
async fn an_offer_that_cannot_be_looked_up_is_an_honest_error(#[case] answers: Answers, #[case] status: u16) {
    let stack = Stack::start(&[("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "50ms")]).await;
    let user = stack.user().await;
    stack.flights.now_answers(answers);
    assert_eq!(book(&stack, &user, "k", &order("elsewhere")).await.error().0, status);
    assert_eq!(stack.get("/api/v1/flights/offers/elsewhere", &user).await.error().0, status);
    assert_eq!(stack.get(BOOKINGS, &user).await.json()["total"], 0);
}

#[tokio::test]
async fn a_wrong_body_is_named_field_by_field() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let mut unborn = order("elsewhere");
    unborn["passengers"][0]["date_of_birth"] = json!("2999-01-01");
    let mut nobody = order("elsewhere");
    nobody["passengers"] = json!([]);
    let mut unreachable = order("elsewhere");
    unreachable["contact"]["email"] = json!("ann");
    for (body, field) in
        [(unborn, "passengers[0].date_of_birth"), (nobody, "passengers"), (unreachable, "contact.email")]
    {
        let answer = stack.post(BOOKINGS, &user, &body).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()));
        assert_eq!(answer.json()["details"]["errors"][0]["field"], field);
    }
    assert!(stack.flights.calls().is_empty());
}

#[tokio::test]
async fn an_offer_is_told_from_memory_or_by_the_provider() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    search(&stack, &user, "CDG").await;
    search(&stack, &user, "OLD").await;
    let offer = |id: &str| format!("/api/v1/flights/offers/{id}");
    // Found for "CDG", and again, expired, for "OLD": the newest counts, and the provider does not know it.
    assert_eq!(stack.get(&offer("cheap"), &user).await.error(), (410, "OFFER_EXPIRED".into()));
    assert_eq!(stack.flights.calls_of("get_offer_details"), 1);
    search(&stack, &user, "LHR").await;
    let known = stack.get(&offer("cheap"), &user).await;
    assert_eq!((known.status.as_u16(), &known.json()["total_price"]), (200, &json!(300.5)));
    assert!(known.json()["search_id"].is_string());
    assert_eq!(stack.flights.calls_of("get_offer_details"), 1);
    let told = stack.get(&offer("elsewhere"), &user).await;
    assert_eq!((told.status.as_u16(), &told.json()["id"]), (200, &json!("elsewhere")));
    assert!(told.json()["search_id"].is_null());
    let long = "x".repeat(201);
    for (id, status) in [("nothing", 404), ("expired", 410), ("strange", 502), ("%FF", 404), (long.as_str(), 404)] {
        assert_eq!(stack.get(&offer(id), &user).await.error().0, status, "{id}");
    }
    stack.flights.now_answers(Answers::Status(503));
    assert_eq!(stack.get(&offer("cheap"), &user).await.status, 200);
}

#[tokio::test]
async fn a_key_stands_for_one_order() {
    let stack = Stack::start(&[]).await;
    let (ann, bob) = (stack.user().await, stack.user().await);
    stack.flights.tool_now_answers("create_order", Answers::Late(std::time::Duration::from_millis(50)));
    let body = order("elsewhere");
    let answers = join_all((0..20).map(|_| book(&stack, &ann, "same", &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let id = answers[0].json()["id"].clone();
    assert!(answers.iter().all(|answer| answer.json()["id"] == id));
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
    assert_eq!((stack.flights.calls_of("create_order"), stack.flights.orders().orders().len()), (1, 1));

    let again = book(&stack, &ann, "same", &body).await;
    assert_eq!((again.header("idempotency-replayed"), &again.json()["status"]), ("true", &json!("booked")));
    let mut other = order("elsewhere");
    other["hold_only"] = json!(true);
    assert_eq!(book(&stack, &ann, "same", &other).await.error(), (409, "IDEMPOTENCY_CONFLICT".into()));
    assert_eq!(book(&stack, &bob, "same", &other).await.status, 201);
    assert_eq!(stack.flights.orders().orders().len(), 2);
}

#[tokio::test]
async fn those_who_share_a_trip_see_its_bookings_and_only_editors_add_to_them() {
    let stack = Stack::start(&[]).await;
    let (ann, eve, vic, bob) = (stack.user().await, stack.user().await, stack.user().await, stack.user().await);
    let trip_id = trip(&stack, &ann).await;
    let path = format!("sqlite://{}/tripsage.db", stack.folder.path().display());
    let mut database = SqliteConnection::connect(&path).await.unwrap();
    for (user, permission) in [(&eve, "edit"), (&vic, "view")] {
        sqlx::query(
            "INSERT INTO trip_collaborators (trip_id, user_id, permission, added_by, added_at) \
             SELECT $1, id, $2, id, 0 FROM users WHERE email = $3",
        )
        .bind(&trip_id)
        .bind(permission)
        .bind(&user.email)
        .execute(&mut database)
        .await
        .unwrap();
    }
    let mut body = order("elsewhere");
    body["trip_id"] = json!(trip_id);
    for (user, status) in [(&ann, 201), (&eve, 201), (&vic, 403), (&bob, 404)] {
        assert_eq!(stack.post(BOOKINGS, user, &body).await.status, status, "{}", user.email);
    }
    assert_eq!(stack.flights.orders().orders().len(), 2);

    let list = stack.get(&format!("{BOOKINGS}?trip_id={trip_id}"), &ann).await.json();
    let of_eve = list["items"][0]["id"].clone();
    let path = format!("{BOOKINGS}/{}", of_eve.as_str().unwrap());
    for (user, seen, own, read, cancelled) in
        [(&ann, 2, 1, 200, 403), (&vic, 2, 0, 200, 403), (&bob, 0, 0, 404, 404), (&eve, 2, 1, 200, 204)]
    {
        let list = stack.get(&format!("{BOOKINGS}?trip_id={trip_id}"), user).await.json();
        assert_eq!(list["total"], seen, "{}", user.email);
        assert_eq!(stack.get(BOOKINGS, user).await.json()["total"], own, "{}", user.email);
        assert_eq!(stack.get(&path, user).await.status, read, "{}", user.email);
        assert_eq!(cancel(&stack, user, &of_eve).await.status, cancelled, "{}", user.email);
    }
    assert_eq!(stack.get(&format!("{BOOKINGS}/nonsense"), &ann).await.error().0, 404);
}
