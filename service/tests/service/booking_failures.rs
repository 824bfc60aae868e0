//! Bookings while the provider, the link, the service or the client dies: never booked without a confirmation, never two
//! orders, and in the end what is true at the provider.

use std::{process::Stdio, time::Duration};

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    bookings::{BOOKINGS, book, cancel, order, search},
    fakes::{Answers, FakeMcp},
    gate::{Gate, Mode},
    stack::{Answer, MASTER_KEY, PASSWORD, Stack, User, client, read, until},
};

/// Quick to notice, quick to ask again, and no breaker in the way.
const QUICK: [(&str, &str); 4] = [
    ("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "100ms"),
    ("TRIPSAGE_BOOKINGS_RETRY_WAIT", "20ms"),
    ("TRIPSAGE_BOOKINGS_ATTEMPTS", "1000"),
    ("TRIPSAGE_BREAKER_FAILURES", "100000"),
];

async fn read_booking(stack: &Stack, user: &User, id: &Value) -> Value {
    stack.get(&format!("{BOOKINGS}/{}", id.as_str().unwrap()), user).await.json()
}

async fn becomes(stack: &Stack, user: &User, id: &Value, status: &str, reason: Value) -> Value {
    let is_so = || async {
        let booking = read_booking(stack, user, id).await;
        booking["status"] == status && booking["reason"] == reason
    };
    until(&format!("{status} {reason}"), is_so).await;
    read_booking(stack, user, id).await
}

/// Checks that the answer promises nothing, and gives the booking's id.
fn unconfirmed(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{answer:?}");
    let booking = answer.json();
    assert_eq!((&booking["status"], &booking["reason"]), (&json!("saved"), &json!("unconfirmed")), "{booking}");
    assert!(booking["confirmation_number"].is_null() && booking["booked_at"].is_null(), "{booking}");
    assert_eq!(booking["cancellable"], false);
    assert_eq!(booking["meta"]["degraded_reasons"], json!(["booking_unconfirmed"]), "{booking}");
    booking["id"].clone()
}

#[rstest]
#[case::error(Answers::Status(500), 0)]
#[case::unavailable(Answers::Status(503), 0)]
#[case::limited(Answers::RateLimited(1), 0)]
#[case::our_key_refused(Answers::Status(401), 0)]
#[case::hangs(Answers::Never, 0)]
#[case::cut(Answers::CutOff, 0)]
#[case::rubbish(Answers::Bytes("<html>proxy</html>"), 0)]
#[case::other_id(Answers::OtherId, 0)]
#[case::rpc_error(Answers::RpcError(-32603), 0)]
#[case::done_then_hangs(Answers::DoneThen(&Answers::Never), 1)]
#[case::done_then_cut(Answers::DoneThen(&Answers::CutOff), 1)]
#[case::done_then_error(Answers::DoneThen(&Answers::Status(500)), 1)]
#[case::done_then_other_shape(Answers::DoneThen(&Answers::OtherShape), 1)]
#[tokio::test]
async fn an_order_whose_outcome_is_unknown_is_saved_and_then_found_out(
    #[case] answers: Answers,
    #[case] made: usize,
    #[values(true, false)] honours_keys: bool,
) {
    let stack = Stack::start(&QUICK).await;
    let user = stack.user().await;
    // Without keys at the provider, only asking first prevents a second order: so it must not look away while it is made.
    if !honours_keys {
        stack.flights.orders().forget_keys();
    }
    stack.flights.tool_now_answers("create_order", answers.clone());
    stack.flights.tool_now_answers("get_order", Answers::Status(503));
    let body = order("elsewhere");
    let first = book(&stack, &user, "k", &body).await;
    let id = unconfirmed(&first);
    assert!(first.json()["meta"]["provider_errors"]["flights"].is_string(), "{first:?}");
    assert_eq!(stack.flights.orders().orders().len(), made, "{answers:?}");
    let again = book(&stack, &user, "k", &body).await;
    assert_eq!((unconfirmed(&again), again.header("idempotency-replayed")), (id.clone(), "true"));
    assert_eq!(cancel(&stack, &user, &id).await.error(), (409, "BOOKING_UNCONFIRMED".into()));
    assert_eq!(read_booking(&stack, &user, &id).await["status"], "saved");
    // However often it was asked for: nobody ordered again without knowing that there is no order.
    assert_eq!(stack.flights.calls_of("create_order"), 1);

    stack.flights.tool_now_answers("create_order", Answers::Well);
    stack.flights.tool_now_answers("get_order", Answers::Well);
    let booking = becomes(&stack, &user, &id, "booked", Value::Null).await;
    assert_eq!((&booking["confirmation_number"], &booking["meta"]["degraded"]), (&json!("TRIPSG"), &json!(false)));
    let again = book(&stack, &user, "k", &body).await.json();
    assert_eq!((&again["id"], &again["status"]), (&id, &json!("booked")));
    assert_eq!(stack.flights.orders().orders().len(), 1, "{answers:?}");
    assert_eq!(stack.get(BOOKINGS, &user).await.json()["total"], 1);
    let booked = stack.metric("tripsage_bookings_total{outcome=\"booked\"}").await;
    assert_eq!((booked, stack.metric("tripsage_bookings_total{outcome=\"unconfirmed\"}").await >= 1.0), (1.0, true));
}

#[rstest]
#[case("closed", Mode::Closed)]
#[case("black-holed", Mode::BlackHole)]
#[tokio::test]
async fn a_link_that_is_gone_is_an_outcome_that_is_unknown(#[case] link: &str, #[case] mode: Mode) {
    let flights = FakeMcp::start().await;
    let gate = Gate::to(flights.address).await;
    let url = format!("http://{}/mcp", gate.address);
    let settings: Vec<_> = QUICK.into_iter().chain([("TRIPSAGE_MCP_FLIGHTS_URL", url.as_str())]).collect();
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    search(&stack, &user, "CDG").await;
    gate.set(mode);
    let id = unconfirmed(&book(&stack, &user, "k", &order("cheap")).await);
    assert!(flights.orders().orders().is_empty(), "{link}");
    // An offer that is not known cannot be booked at all.
    assert!(matches!(book(&stack, &user, "k2", &order("elsewhere")).await.error().0, 503 | 504), "{link}");
    gate.set(Mode::Open);
    becomes(&stack, &user, &id, "booked", Value::Null).await;
    assert_eq!(flights.orders().orders().len(), 1, "{link}");
}

#[tokio::test]
async fn behind_an_open_breaker_a_booking_waits_without_a_call() {
    let settings = [("TRIPSAGE_BREAKER_FAILURES", "1"), ("TRIPSAGE_BREAKER_OPEN", "300ms"), QUICK[1]];
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    search(&stack, &user, "CDG").await;
    stack.flights.now_answers(Answers::Status(500));
    unconfirmed(&book(&stack, &user, "k1", &order("cheap")).await);
    let calls = stack.flights.calls().len();
    let second = book(&stack, &user, "k2", &order("cheap")).await;
    let id = unconfirmed(&second);
    assert_eq!(second.json()["meta"]["provider_errors"]["flights"], "breaker_open");
    assert_eq!(stack.flights.calls().len(), calls);
    stack.flights.now_answers(Answers::Well);
    becomes(&stack, &user, &id, "booked", Value::Null).await;
}

#[tokio::test]
async fn a_client_that_asks_again_need_not_wait_for_the_background() {
    let stack = Stack::start(&[("TRIPSAGE_BOOKINGS_RETRY_WAIT", "1h")]).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::DoneThen(&Answers::CutOff));
    let id = unconfirmed(&book(&stack, &user, "k", &order("elsewhere")).await);
    let again = book(&stack, &user, "k", &order("elsewhere")).await.json();
    assert_eq!((&again["id"], &again["status"]), (&id, &json!("booked")));
    assert_eq!(stack.flights.orders().orders().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_comes_late_leaves_the_booking_saved_with_a_reason() {
    let stack = Stack::start(&QUICK).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::Status(500));
    let id = unconfirmed(&book(&stack, &user, "k", &order("elsewhere")).await);
    stack.flights.orders().refuse(Some("offer_expired"));
    stack.flights.tool_now_answers("create_order", Answers::Well);
    let booking = becomes(&stack, &user, &id, "saved", json!("offer_expired")).await;
    assert_eq!(booking["meta"]["degraded"], true);
    assert_eq!(cancel(&stack, &user, &id).await.status, 204);
    assert_eq!(read_booking(&stack, &user, &id).await["status"], "cancelled");
    assert!(stack.flights.orders().orders().is_empty());
}

#[tokio::test]
async fn a_refusal_settles_nothing_while_an_earlier_order_may_still_be_made() {
    let settings: Vec<_> = QUICK.into_iter().chain([("TRIPSAGE_BOOKINGS_RETRY_WAIT", "200ms")]).collect();
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::Status(500));
    let id = unconfirmed(&book(&stack, &user, "k", &order("elsewhere")).await);
    stack.flights.orders().refuse(Some("offer_expired"));
    stack.flights.tool_now_answers("create_order", Answers::Well);
    until("it is ordered again", || async { stack.flights.calls_of("create_order") >= 2 }).await;
    assert_eq!(read_booking(&stack, &user, &id).await["reason"], "unconfirmed");
    // The first one, that nobody has answered, is made at last.
    stack.flights.orders().refuse(None);
    becomes(&stack, &user, &id, "booked", json!(null)).await;
    assert_eq!(stack.flights.orders().orders().len(), 1);
}

#[rstest]
#[case("56 years", 1_767_225_600)]
#[case("longer than time", u64::MAX)]
#[tokio::test]
async fn a_provider_that_asks_for_an_absurd_wait_stops_nothing(#[case] why: &str, #[case] seconds: u64) {
    let stack = Stack::start(&QUICK).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::RateLimited(seconds));
    unconfirmed(&book(&stack, &user, "k1", &order("elsewhere")).await);
    stack.flights.tool_now_answers("create_order", Answers::Status(500));
    let second = unconfirmed(&book(&stack, &user, "k2", &order("elsewhere")).await);
    stack.flights.tool_now_answers("create_order", Answers::Well);
    becomes(&stack, &user, &second, "booked", json!(null)).await;
    let (hour, due) = (3_600_000_000, first_due_in_micros(&stack).await);
    assert!(due <= 2 * hour, "{why}: asked again in {due} µs");
}

/// When the booking that is open is asked about again, from now on.
async fn first_due_in_micros(stack: &Stack) -> i64 {
    let mut database = SqliteConnection::connect(&stack.database_url).await.unwrap();
    let sql =
        "SELECT MIN(due_at) - CAST(unixepoch('subsec') * 1000000 AS INTEGER) FROM bookings WHERE state = 'pending'";
    sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap()
}

#[tokio::test]
async fn bookings_whose_passengers_cannot_be_read_are_there_all_the_same() {
    let mut first = Stack::start(&QUICK).await;
    let user = first.user().await;
    assert_eq!(book(&first, &user, "k1", &order("elsewhere")).await.status, 201);
    let database = first.database_url.clone();
    first.stop();
    let other = "other:HR4fAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw=";
    let settings: Vec<_> =
        QUICK.into_iter().chain([("DATABASE_URL", database.as_str()), ("TRIPSAGE_MASTER_KEYS", other)]).collect();
    let second = Stack::start(&settings).await;
    assert_eq!(book(&second, &user, "k2", &order("elsewhere")).await.status, 201);
    let bookings = second.get(BOOKINGS, &user).await.json();
    assert_eq!(bookings["total"], 2);
    let (readable, sealed) = (&bookings["items"][0], &bookings["items"][1]);
    assert_eq!((readable["passengers"].as_array().unwrap().len(), &readable["meta"]["degraded"]), (1, &json!(false)));
    assert_eq!(
        (&sealed["passengers"], &sealed["contact"], &sealed["status"]),
        (&json!([]), &json!(null), &json!("booked"))
    );
    assert_eq!(sealed["meta"]["degraded_reasons"], json!(["passengers_missing"]));
    assert_eq!(read_booking(&second, &user, &sealed["id"]).await["id"], sealed["id"]);
}

#[tokio::test]
async fn a_deleted_user_leaves_no_order_that_nobody_knows_of() {
    let quick = [("TRIPSAGE_ERASURE_SETTLE", "1ms"), ("TRIPSAGE_ACCOUNT_WORK_EVERY", "10ms")];
    let settings: Vec<_> = QUICK.into_iter().chain(quick).collect();
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::DoneThen(&Answers::CutOff));
    stack.flights.tool_now_answers("get_order", Answers::Status(500));
    unconfirmed(&book(&stack, &user, "k", &order("elsewhere")).await);
    let goodbye = json!({"password": PASSWORD});
    let deleted = stack.send(Method::DELETE, "/api/v1/users/me", Some(&user.token), Some(&goodbye)).await;
    assert_eq!(deleted.status, 202);
    stack.flights.tool_now_answers("get_order", Answers::Well);
    let left = || async {
        let mut database = SqliteConnection::connect(&stack.database_url).await.unwrap();
        let sql = "SELECT (SELECT COUNT(*) FROM bookings) + (SELECT COUNT(*) FROM deletions WHERE finished_at IS NULL)";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut database).await.unwrap()
    };
    until("the booking is erased", || async { left().await == 0 }).await;
    let orders = stack.flights.orders().orders();
    assert_eq!((orders.len(), &orders[0]["status"]), (1, &json!("cancelled")));
}

#[tokio::test]
async fn a_booking_that_is_given_up_can_still_be_cancelled_at_the_provider() {
    let settings: Vec<_> = QUICK.into_iter().chain([("TRIPSAGE_BOOKINGS_ATTEMPTS", "2")]).collect();
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::DoneThen(&Answers::CutOff));
    stack.flights.tool_now_answers("get_order", Answers::Status(500));
    let id = unconfirmed(&book(&stack, &user, "k", &order("elsewhere")).await);
    becomes(&stack, &user, &id, "saved", json!("never_confirmed")).await;
    let asked = stack.flights.calls_of("get_order");
    assert_eq!(asked, 2);
    // It may have an order: without asking it is not simply called cancelled.
    assert_eq!(cancel(&stack, &user, &id).await.error().0, 502);
    stack.flights.tool_now_answers("get_order", Answers::Well);
    let is_over = || async { matches!(cancel(&stack, &user, &id).await.status.as_u16(), 204 | 404) };
    until("it is cancelled", is_over).await;
    assert_eq!(read_booking(&stack, &user, &id).await["status"], "cancelled");
    let orders = stack.flights.orders().orders();
    assert_eq!((orders.len(), &orders[0]["status"]), (1, &json!("cancelled")));
}

#[rstest]
#[case(Answers::Status(500), 502)]
#[case(Answers::RateLimited(1), 503)]
#[case(Answers::Never, 504)]
#[case(Answers::DoneThen(&Answers::Never), 504)]
#[case(Answers::DoneThen(&Answers::CutOff), 502)]
#[tokio::test]
async fn a_cancellation_whose_outcome_is_unknown_is_an_error_and_then_found_out(
    #[case] answers: Answers,
    #[case] status: u16,
) {
    let stack = Stack::start(&QUICK).await;
    let user = stack.user().await;
    let id = book(&stack, &user, "k", &order("elsewhere")).await.json()["id"].clone();
    stack.flights.tool_now_answers("cancel_order", answers.clone());
    assert_eq!(cancel(&stack, &user, &id).await.error().0, status, "{answers:?}");
    let booking = read_booking(&stack, &user, &id).await;
    let seen = (&booking["status"], &booking["reason"], &booking["cancellable"]);
    assert_eq!(seen, (&json!("booked"), &json!("cancellation_unconfirmed"), &json!(false)), "{answers:?}");
    stack.flights.tool_now_answers("cancel_order", Answers::Well);
    becomes(&stack, &user, &id, "cancelled", Value::Null).await;
    assert_eq!(stack.flights.orders().orders()[0]["status"], "cancelled");
    assert_eq!(cancel(&stack, &user, &id).await.error().0, 404);
}

#[tokio::test]
async fn a_cancellation_that_is_refused_leaves_the_booking_booked() {
    let stack = Stack::start(&QUICK).await;
    let user = stack.user().await;
    let id = book(&stack, &user, "k", &order("elsewhere")).await.json()["id"].clone();
    stack.flights.tool_now_answers("cancel_order", Answers::ToolError);
    assert_eq!(cancel(&stack, &user, &id).await.error(), (409, "CANCELLATION_REFUSED".into()));
    let booking = read_booking(&stack, &user, &id).await;
    assert_eq!((&booking["status"], &booking["reason"]), (&json!("booked"), &json!("not_cancelled")));
    assert_eq!((&booking["confirmation_number"], &booking["cancellable"]), (&json!("TRIPSG"), &json!(true)));
    stack.flights.tool_now_answers("cancel_order", Answers::Well);
    assert_eq!(cancel(&stack, &user, &id).await.status, 204);
}

#[tokio::test]
async fn of_two_replicas_only_one_orders_again() {
    let one = Stack::start(&QUICK).await;
    let user = one.user().await;
    let flights = format!("http://{}/mcp", one.flights.address);
    let database = format!("sqlite://{}/tripsage.db", one.folder.path().display());
    let shared = [("TRIPSAGE_MCP_FLIGHTS_URL", flights.as_str()), ("DATABASE_URL", database.as_str())];
    let settings: Vec<_> = QUICK.into_iter().chain(shared).collect();
    let two = Stack::start(&settings).await;
    one.flights.orders().forget_keys();
    one.flights.tool_now_answers("create_order", Answers::Status(500));
    let mut ids = Vec::new();
    for key in 0..5 {
        ids.push(unconfirmed(&book(&one, &user, &key.to_string(), &order("elsewhere")).await));
    }
    // Slow enough that the other replica would meet an order in the making.
    one.flights.tool_now_answers("create_order", Answers::Late(Duration::from_millis(60)));
    for id in &ids {
        becomes(&two, &user, id, "booked", Value::Null).await;
    }
    assert_eq!(one.flights.orders().orders().len(), ids.len());
}

#[tokio::test]
async fn a_confirmation_that_cannot_be_stored_is_not_promised_and_asked_for_again() {
    let limits = [
        ("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "200ms"),
        ("TRIPSAGE_DATABASE_POOL_WAIT", "100ms"),
        ("TRIPSAGE_REQUEST_DEADLINE", "1s"),
        ("TRIPSAGE_BOOKINGS_RETRY_WAIT", "20ms"),
    ];
    let stack = Stack::start(&limits).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::Late(Duration::from_millis(150)));
    let request = stack.request(Method::POST, BOOKINGS, Some(&user.token)).json(&order("elsewhere"));
    let booking = tokio::spawn(read(request));
    until("the order is on its way", || async { stack.flights.calls_of("create_order") == 1 }).await;
    let database = format!("sqlite://{}/tripsage.db", stack.folder.path().display());
    let mut other = SqliteConnection::connect(&database).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let id = unconfirmed(&booking.await.unwrap());
    assert_eq!(stack.flights.orders().orders().len(), 1);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    becomes(&stack, &user, &id, "booked", Value::Null).await;
    assert_eq!((stack.flights.calls_of("create_order"), stack.flights.orders().orders().len()), (1, 1));
}

#[tokio::test]
async fn a_client_that_leaves_while_it_is_booked_still_gets_one_order() {
    let settings: Vec<_> = QUICK.into_iter().chain([("TRIPSAGE_REQUEST_DEADLINE", "1s")]).skip(1).collect();
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    stack.flights.tool_now_answers("create_order", Answers::DoneThen(&Answers::Never));
    let request = stack.request(Method::POST, BOOKINGS, Some(&user.token)).json(&order("elsewhere"));
    let leaving = tokio::spawn(request.header("Idempotency-Key", "k").send());
    until("the order is made", || async { stack.flights.orders().orders().len() == 1 }).await;
    leaving.abort();
    stack.flights.tool_now_answers("create_order", Answers::Well);
    let id = stack.get(BOOKINGS, &user).await.json()["items"][0]["id"].clone();
    // When the lease of the request that was left has ended.
    becomes(&stack, &user, &id, "booked", Value::Null).await;
    assert_eq!(stack.flights.orders().orders().len(), 1);
}

/// The real program on a folder of its own, so that it can be killed.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    async fn start(folder: &TempDir, flights: &FakeMcp) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tripsage"))
            .env_clear()
            .env("TRIPSAGE_JWT_KEY", "a key for tests, long enough for HS256")
            .env("TRIPSAGE_MASTER_KEYS", MASTER_KEY)
            .env("TRIPSAGE_RATE_LIMITS", "off")
            .env("TRIPSAGE_ARGON2_MEMORY_KIB", "8")
            .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
            .env("TRIPSAGE_REQUEST_DEADLINE", "1s")
            .env("TRIPSAGE_BOOKINGS_RETRY_WAIT", "20ms")
            .env("TRIPSAGE_MCP_FLIGHTS_URL", format!("http://{}/mcp", flights.address))
            .env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display()))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = timeout(Duration::from_secs(10), lines.next_line()).await.unwrap().unwrap().unwrap();
            if let Some(address) = serde_json::from_str::<Value>(&line).unwrap()["address"].as_str() {
                break address.to_owned();
            }
        };
        // Keeps the pipe from filling up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }

    fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        client().request(method, format!("http://{}/api/v1{path}", self.address)).bearer_auth(token)
    }

    async fn book(&self, token: &str) -> Answer {
        let request = self.request(Method::POST, "/bookings", token).header("Idempotency-Key", "k");
        read(request.json(&order("elsewhere"))).await
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

#[rstest]
#[case("before the provider has made the order", Answers::Never, 0)]
#[case("after the provider has made the order", Answers::DoneThen(&Answers::Never), 1)]
#[tokio::test]
async fn a_service_that_is_killed_while_it_books_makes_one_order(
    #[case] when: &str,
    #[case] answers: Answers,
    #[case] made: usize,
) {
    let (folder, flights) = (TempDir::new().unwrap(), FakeMcp::start().await);
    let program = Program::start(&folder, &flights).await;
    let credentials = json!({"email": "ann@example.org", "password": PASSWORD});
    read(program.request(Method::POST, "/auth/register", "").json(&credentials)).await;
    let login = read(program.request(Method::POST, "/auth/login", "").json(&credentials)).await.json();
    let token = login["access_token"].as_str().unwrap().to_owned();

    flights.tool_now_answers("create_order", answers);
    let request = program.request(Method::POST, "/bookings", &token).header("Idempotency-Key", "k");
    let booking = tokio::spawn(request.json(&order("elsewhere")).send());
    until("the order is on its way", || async { flights.calls_of("create_order") == 1 }).await;
    program.kill().await;
    assert!(booking.await.unwrap().is_err());
    assert_eq!(flights.orders().orders().len(), made, "{when}");

    flights.tool_now_answers("create_order", Answers::Well);
    let next = Program::start(&folder, &flights).await;
    // The key is known: nothing is ordered for it while the lease of the one that died lasts.
    let again = next.book(&token).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"), "{when}");
    let id = again.json()["id"].clone();
    let is_booked = || async {
        let path = format!("/bookings/{}", id.as_str().unwrap());
        read(next.request(Method::GET, &path, &token)).await.json()["status"] == "booked"
    };
    until("the booking is known to be booked", is_booked).await;
    assert_eq!(flights.orders().orders().len(), 1, "{when}");
    let booked = next.book(&token).await.json();
    assert_eq!((&booked["id"], &booked["confirmation_number"]), (&id, &json!("TRIPSG")), "{when}");
    next.kill().await;
}
