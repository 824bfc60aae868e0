//! Journeys of a scenario file over a real socket: feeders, correlation, checks, think times, and what is sent byte for byte.
use crate::{
    scene::{Done, Server, drive, plan},
    service::Service,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use loadtest::{
    LoadPlan, Settings,
    written::{self, FeederSettings, JourneySettings},
};
use reports::record::{Measure, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use toml::Spanned;

/// The part of a scenario file that is looked at here.
#[derive(Deserialize)]
struct File {
    load: Settings,
    journeys: BTreeMap<Spanned<String>, JourneySettings>,
    #[serde(default)]
    feeders: BTreeMap<Spanned<String>, FeederSettings>,
}

const ORDERS: &str = r#"
    [load]
    duration = "400ms"
    users    = 8
    mix      = { orders = 1 }
    arrivals = { constant = { rate = "50/s" } }

    [feeders.goods]
    file  = "goods.csv"
    order = "shuffled"

    [[journeys.orders.steps]]
    name    = "orders.create"
    path    = "/orders"
    headers = { idempotency-key = "${key}" }
    body    = { good = "${goods.name}", count = "${random.int(1, 9)}", on = "${date+14..112d}", price = "${goods.price|number}" }
    expect  = { status = [201], json = [{ at = "/good", equals = "${goods.name}" }, { at = "/id", type = "string" }] }
    save    = { order = { json = "/id" }, version = { header = "etag" } }

    [[journeys.orders.steps]]
    name   = "orders.read"
    path   = "/orders/${saved.order}"
    query  = { good = "${goods.name}" }
    expect = { json = [{ at = "/id", equals = "${saved.order}" }, { at = "/good", equals = "${goods.name}" }], degraded = "/meta/degraded" }

    [[journeys.orders.steps]]
    name    = "orders.cancel"
    method  = "DELETE"
    path    = "/orders/${saved.order}"
    headers = { if-match = "${saved.version}" }
    expect  = { status = [204] }
    think   = "10ms"
"#;

const GOODS: &str = "name,price\ntea & milk,1.5\n\"a \"\"b\"\"/c\",2\nkäse,30\n";

/// The load of a scenario file, whose mix knows its journeys.
pub(crate) fn written_load(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("goods.csv"), GOODS).unwrap();
    let mut file: File = toml::from_str(text).unwrap();
    let written = written::read(&file.journeys, &file.feeders, folder.path()).unwrap();
    file.load.mix.adopt(&written.journeys);
    file.load
}

fn written_plan(text: &str) -> LoadPlan {
    plan(written_load(text))
}

/// A shop: what it was asked, its orders, and what is wrong with it.
#[derive(Default)]
struct Shop {
    asked: Mutex<Vec<String>>,
    orders: Mutex<BTreeMap<String, Value>>,
    lies_about: Option<&'static str>,
}

type Shared = State<Arc<Shop>>;

impl Shop {
    async fn start(self) -> (Server, Arc<Self>) {
        let shop = Arc::new(self);
        let router = Router::new()
            .route("/orders", post(create))
            .route("/orders/{id}", get(read).delete(cancel))
            .with_state(shop.clone());
        (Server::start(router).await, shop)
    }

    /// Everything about a request that the journey decides.
    fn note(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) {
        let headers = headers.iter().filter(|(name, _)| *name != header::HOST);
        let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.as_str(), value)).collect();
        let text = format!("{method} {uri} {headers:?} {}", String::from_utf8_lossy(body));
        self.asked.lock().unwrap().push(text);
    }
}

async fn create(State(shop): Shared, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    shop.note(&method, &uri, &headers, &body);
    let mut order: Value = serde_json::from_slice(&body).unwrap();
    let id = format!("order/{}", headers["idempotency-key"].to_str().unwrap());
    order["id"] = json!(id);
    assert!(shop.orders.lock().unwrap().insert(id.clone(), order.clone()).is_none(), "every key is used once");
    let etag = [(header::ETAG, format!("\"{}\"", id.len()))];
    match shop.lies_about {
        Some("good") => order["good"] = json!("something else"),
        Some("id") => drop(order.as_object_mut().unwrap().remove("id")),
        Some("version") => return (StatusCode::CREATED, Json(order)).into_response(),
        Some("load") => return StatusCode::TOO_MANY_REQUESTS.into_response(),
        _ => {}
    }
    (StatusCode::CREATED, etag, Json(order)).into_response()
}

async fn read(State(shop): Shared, uri: Uri, headers: HeaderMap, Path(id): Path<String>) -> Response {
    shop.note(&Method::GET, &uri, &headers, &Bytes::new());
    match shop.orders.lock().unwrap().get(&id) {
        Some(order) => {
            let mut order = order.clone();
            order["meta"] = json!({ "degraded": shop.lies_about == Some("nothing") });
            Json(order).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn cancel(State(shop): Shared, uri: Uri, headers: HeaderMap, Path(id): Path<String>) -> StatusCode {
    shop.note(&Method::DELETE, &uri, &headers, &Bytes::new());
    assert_eq!(headers[header::IF_MATCH], format!("\"{}\"", id.len()));
    let is_there = shop.orders.lock().unwrap().remove(&id).is_some();
    if is_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

fn classes(done: &Done) -> BTreeMap<(String, Outcome), u64> {
    done.by_class(Measure::Response)
}

fn class(step: &str, outcome: Outcome) -> (String, Outcome) {
    (step.to_owned(), outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journey_of_three_steps_carries_on_what_it_was_answered() {
    let (server, shop) = Shop::default().start().await;
    let done = drive(written_plan(ORDERS), &server.url).await;
    done.assert_conserved();
    let full = |step: &str| (class(step, Outcome::Full), 20);
    assert_eq!(classes(&done), BTreeMap::from([full("orders.create"), full("orders.read"), full("orders.cancel")]));
    assert!(shop.orders.lock().unwrap().is_empty(), "every order was cancelled");
    assert_eq!((done.counts().planned, done.counts().offered), (20, 60));
    let asked = shop.asked.lock().unwrap();
    let created: Vec<_> = asked.iter().filter(|line| line.starts_with("POST")).collect();
    for price in ["1.5", "2", "30"] {
        let seen = created.iter().filter(|line| line.contains(&format!(r#""price":{price}}}"#))).count();
        assert!((6..=7).contains(&seen), "20 arrivals take each of 3 shuffled rows 6 or 7 times: {price} {seen} times");
    }
    let reads: BTreeSet<_> = asked.iter().filter(|line| line.starts_with("GET")).collect();
    assert_eq!(reads.len(), 20);
    assert!(reads.iter().any(|line| line.contains("/orders/order%2Frun-1-0-0?good=")), "{reads:?}");
    assert!(reads.iter().any(|line| line.contains("good=a%20%22b%22%2Fc")), "{reads:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_follows_from_the_seed_byte_for_byte() {
    let mut asked = Vec::new();
    for _ in 0..2 {
        let (server, shop) = Shop::default().start().await;
        drive(written_plan(ORDERS), &server.url).await;
        let mut lines = shop.asked.lock().unwrap().clone();
        // Users send at the same time, so the order at the service may differ.
        lines.sort();
        asked.push(lines);
    }
    assert_eq!(asked[0].len(), 60);
    assert_eq!(asked[0], asked[1]);
    let (server, shop) = Shop::default().start().await;
    let other = LoadPlan::new(written_plan(ORDERS).settings().clone(), 43, "2030-01-01".parse().unwrap()).unwrap();
    drive(other, &server.url).await;
    let mut lines = shop.asked.lock().unwrap().clone();
    lines.sort();
    assert_ne!(lines, asked[0], "another seed asks for other things");
}

#[rstest::rstest]
#[case("good", Outcome::Wrong, &[("orders.create", Outcome::Wrong)])]
#[case("id", Outcome::Wrong, &[("orders.create", Outcome::Wrong)])]
#[case("version", Outcome::Wrong, &[("orders.create", Outcome::Wrong)])]
#[case("load", Outcome::Limited, &[("orders.create", Outcome::Limited)])]
#[case("nothing", Outcome::Degraded, &[("orders.create", Outcome::Full), ("orders.read", Outcome::Degraded), ("orders.cancel", Outcome::Full)])]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_not_as_expected_is_counted_and_ends_the_journey(
    #[case] lies_about: &'static str,
    #[case] outcome: Outcome,
    #[case] expected: &[(&str, Outcome)],
) {
    let (server, _) = Shop { lies_about: Some(lies_about), ..Shop::default() }.start().await;
    let done = drive(written_plan(ORDERS), &server.url).await;
    done.assert_conserved();
    assert_eq!(done.outcome(outcome), 20);
    let expected = expected.iter().map(|(step, outcome)| (class(step, *outcome), 20));
    assert_eq!(classes(&done), expected.collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journey_that_logs_in_reads_a_streamed_chat_and_one_with_a_token_of_its_own_keeps_it() {
    let (server, service) = Service { expires_in: 3_600, ..Service::default() }.start().await;
    let text = r#"
        [load]
        duration = "200ms"
        users    = 4
        mix      = { talk = 1, stranger = 1 }
        arrivals = { constant = { rate = "50/s" } }
        [journeys.talk]
        login = true
        [[journeys.talk.steps]]
        name   = "talk.ask"
        path   = "/api/v1/chat"
        body   = { stream = true, messages = [{ role = "user", content = "Where to on ${date+1d}?" }] }
        stream = true
        [[journeys.stranger.steps]]
        name    = "stranger.search"
        path    = "/api/v1/flights/search"
        headers = { authorization = "Bearer not-yours" }
        body    = {}
        expect  = { status = [401] }
    "#;
    let done = drive(written_plan(text), &server.url).await;
    done.assert_conserved();
    let expected = [(class("talk.ask", Outcome::Full), 5), (class("stranger.search", Outcome::Full), 5)];
    assert_eq!(classes(&done), BTreeMap::from(expected));
    assert_eq!(done.histogram(Measure::Gap).len(), 5, "each answer has two pieces of text");
    assert_eq!(service.accounts.lock().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_makes_the_next_address_impossible_is_a_wrong_step_and_nothing_is_lost() {
    let router = Router::new()
        .route("/", get(async || Json(json!({ "id": " ".repeat(30_000) }))))
        .route("/{id}", get(async || "never asked"));
    let server = Server::start(router).await;
    let text = r#"
        [load]
        duration = "100ms"
        users    = 2
        mix      = { long = 1 }
        arrivals = { constant = { rate = "50/s" } }
        [[journeys.long.steps]]
        name = "long.first"
        path = "/"
        save = { id = { json = "/id" } }
        [[journeys.long.steps]]
        name = "long.second"
        path = "/${saved.id}"
    "#;
    let done = drive(written_plan(text), &server.url).await;
    done.assert_conserved();
    let expected = [(class("long.first", Outcome::Full), 5), (class("long.second", Outcome::Wrong), 5)];
    assert_eq!(classes(&done), BTreeMap::from(expected));
}

#[test]
fn a_mix_names_journeys_that_are_there() {
    let text = ORDERS.replace("{ orders = 1 }", "{ order = 1 }");
    let mut file: File = toml::from_str(&text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("goods.csv"), GOODS).unwrap();
    let written = written::read(&file.journeys, &file.feeders, folder.path()).unwrap();
    file.load.mix.adopt(&written.journeys);
    let expected = "unknown journey `order`; known are `flight-search`, `flight-search-cached`, `flight-search-uncached`, \
                    `chat`, `chat-long`, `trip-creation`, `trip-creation-large`, `booking`, \
                    `collaboration`, `token-refresh`, `traveller`, `orders`";
    assert_eq!(file.load.check().unwrap_err().to_string(), expected);
}

#[rstest::rstest]
#[case("[journeys.x]\nsteps = []", "[]", "a journey has 1 to 64 steps, not 0")]
#[case("[journeys.chat]\nsteps = [{ name = 'a', path = '/' }]", "chat", "the name `chat` is taken")]
#[case("[journeys.x]\nsteps = [{ name = 'trips.read', path = '/' }]", "'trips.read'", "the name `trips.read` is taken")]
#[case(
    "[journeys.x]\nsteps = [{ name = 'a', path = '/' }, { name = 'a', path = '/' }]",
    "'a'",
    "the name `a` is taken"
)]
#[case(
    "[journeys.x]\nsteps = [{ name = 'a b', path = '/' }]",
    "'a b'",
    "`a b` is not a name: 1 to 64 letters, digits, `.`, `_` and `-`"
)]
#[case(
    "[journeys.x]\nsteps = [{ name = 'a', path = '/', think = '1s' }]",
    "'1s'",
    "the first step is due with its arrival and \
    cannot wait for `think`"
)]
#[case(
    "[journeys.x]\nsteps = [{ name = 'a', path = '/${saved.b}', save = { b = { json = '' } } }]",
    "'/${saved.b}'",
    "`b` is saved \
    by no earlier step; nothing is"
)]
#[case(
    "[journeys.x]\nlogin = true\nsteps = [{ name = 'a', path = '/', headers = { Authorization = 'b' } }]",
    "'b'",
    "the header \
    `Authorization` is set by the generator"
)]
#[case("[journeys]\n[feeders.saved]\nfile = 'goods.csv'", "saved", "the name `saved` is taken")]
#[case(
    "[journeys]\n[feeders.\"a.b\"]\nfile = 'goods.csv'",
    "\"a.b\"",
    "`a.b` is not a name: 1 to 64 letters, digits, `.`, `_` and `-`"
)]
#[case("[journeys]\n[feeders.a]\nfile = 'bad.csv'", "'bad.csv'", "bad.csv, line 3: 1 cells, but the header has 2")]
fn what_is_wrong_is_refused_at_its_place(#[case] text: &str, #[case] place: &str, #[case] expected: &str) {
    #[derive(Deserialize)]
    struct Part {
        journeys: BTreeMap<Spanned<String>, JourneySettings>,
        #[serde(default)]
        feeders: BTreeMap<Spanned<String>, FeederSettings>,
    }
    let part: Part = toml::from_str(text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("goods.csv"), GOODS).unwrap();
    std::fs::write(folder.path().join("bad.csv"), "a,b\n1,2\n3\n").unwrap();
    let errors = written::read(&part.journeys, &part.feeders, folder.path()).unwrap_err();
    let seen: Vec<_> = errors.iter().map(|error| (&text[error.span.clone()], error.to_string())).collect();
    assert_eq!(seen, [(place, expected.to_owned())]);
}
