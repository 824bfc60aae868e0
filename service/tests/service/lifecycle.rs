//! Health, metrics, shedding, request ids, and the end.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::{
    fakes::{Answers, Says},
    stack::{Database, Stack, config, read, until},
};

#[tokio::test]
async fn probes_and_metrics_answer_without_a_token() {
    let stack = Stack::start(&[]).await;
    let health = stack.probe("/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("healthy")));
    let names: Vec<_> =
        health.json()["components"].as_array().unwrap().iter().map(|part| part["name"].clone()).collect();
    assert_eq!(names, ["database", "flights", "airbnb", "google_maps", "weather", "time", "memory", "webcrawl", "llm"]);
    assert_eq!(stack.probe("/health/live").await.json()["status"], "alive");
    assert_eq!(stack.probe("/health/ready").await.json()["ready"], true);
}

#[tokio::test]
async fn the_metrics_page_is_openmetrics_and_counts_requests() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.get("/api/v1/users/me", &user).await;
    stack.get("/api/v1/trips/00000000-0000-4000-8000-000000000000", &user).await;
    let page = stack.probe("/metrics").await;
    assert!(page.header("content-type").starts_with("application/openmetrics-text"));
    assert_eq!(page.text.lines().last(), Some("# EOF"));
    for line in page.text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(series.starts_with("tripsage_") && value.parse::<f64>().is_ok(), "{line}");
    }
    let me = "tripsage_requests_total{method=\"GET\",route=\"/api/v1/users/me\",status=\"200\"} 1";
    let missing = "tripsage_requests_total{method=\"GET\",route=\"/api/v1/trips/{id}\",status=\"404\"} 1";
    for line in [me, missing, "tripsage_inflight_requests 0"] {
        assert!(page.text.lines().any(|found| found == line), "{line} in\n{}", page.text);
    }
}

#[tokio::test]
async fn errors_have_one_envelope_and_request_ids_go_through() {
    let stack = Stack::start(&[]).await;
    let given = [("x-request-id", "trace-7")];
    let answer = stack.send_with(Method::GET, "/nowhere", None, None, &given).await;
    assert_eq!(answer.error(), (404, "RESOURCE_NOT_FOUND".into()));
    assert_eq!(answer.header("x-request-id"), "trace-7");
    let odd = [("x-request-id", "no spaces, please")];
    let answer = stack.send_with(Method::DELETE, "/health", None, None, &odd).await;
    assert_eq!(answer.error(), (405, "METHOD_NOT_ALLOWED".into()));
    assert_eq!(answer.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn one_too_many_is_shed_at_once_and_the_place_is_given_back() {
    let stack = Stack::start(&[("TRIPSAGE_MAX_IN_FLIGHT", "1")]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Stalls(1));
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let mut stream = stack.request(Method::POST, "/api/v1/chat", Some(&user.token)).json(&body).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let shed = stack.get("/api/v1/users/me", &user).await;
    assert_eq!(shed.error(), (503, "CONCURRENT_LIMIT_EXCEEDED".into()));
    assert_eq!(shed.header("retry-after"), "1");
    assert_eq!(stack.probe("/health/ready").await.status, 200);
    assert_eq!(stack.metric("tripsage_shed_total").await, 1.0);
    // The reader leaves; its stream ends when the next event finds nobody, at the latest at its deadline.
    drop(stream);
    stack.llm.now_says(Says::Words(1));
    let free = || async { stack.metric("tripsage_inflight_requests").await == 0.0 };
    until("the place is free", free).await;
    assert_eq!(stack.get("/api/v1/users/me", &user).await.status, 200);
}

#[tokio::test]
async fn a_stop_lets_requests_in_progress_end() {
    let mut stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.flights.now_answers(Answers::Late(Duration::from_millis(300)));
    let flight = json!({"origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01"});
    let request = stack.request(Method::POST, "/api/v1/flights/search", Some(&user.token)).json(&flight);
    let searching = tokio::spawn(read(request));
    until("the search is under way", || async { !stack.flights.calls().is_empty() }).await;
    stack.stop();
    assert_eq!(searching.await.unwrap().status, 200);
    let address = stack.address;
    stack.ended().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stop_gives_a_stream_that_does_not_end_its_terminal_event() {
    let mut stack = Stack::start(&[("TRIPSAGE_DRAIN", "3s")]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Stalls(1));
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let request = stack.request(Method::POST, "/api/v1/chat", Some(&user.token)).json(&body);
    let streaming = tokio::spawn(read(request));
    until("the model is asked", || async { !stack.llm.requests().is_empty() }).await;
    stack.stop();
    let events = streaming.await.unwrap().events();
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["code"], &last["status"]),
        (&json!("error"), &json!("SHUTTING_DOWN"), &json!(503))
    );
    stack.ended().await;
}

#[rstest]
#[tokio::test]
async fn what_was_stored_is_there_after_a_restart(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(mut stack) = Stack::on(database, &[]).await else { return };
    let user = stack.user().await;
    let trip = json!({"title": "Alps", "start_date": "2099-05-01", "end_date": "2099-05-08", "destinations": [{"name": "Zermatt"}]});
    assert_eq!(stack.post("/api/v1/trips", &user, &trip).await.status, 201);
    let folder = std::mem::replace(&mut stack.folder, tempfile::TempDir::new().unwrap());
    let url = stack.database_url.clone();
    stack.stop();
    stack.ended().await;
    let next = Stack::with(folder, url, &[]).await;
    // The same signing key: the old token still works.
    assert_eq!(next.get("/api/v1/trips", &user).await.json()["total"], 1);
}

#[tokio::test]
async fn replicas_that_start_at_once_on_a_new_database_all_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let Some(url) = Database::Postgres.url(&folder).await else { return };
    let bind = || service::bind(config(&[("DATABASE_URL", url.clone())]));
    let replicas = join_all((0..4).map(|_| bind())).await;
    assert!(replicas.iter().all(Result::is_ok), "{:?}", replicas.iter().filter_map(|r| r.as_ref().err()).next());
}

#[tokio::test]
async fn a_service_that_cannot_start_says_why() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let database = format!("sqlite://{}/tripsage.db", folder.path().display());
    let address = taken.local_addr().unwrap().to_string();
    let cases = [
        (vec![("TRIPSAGE_LISTEN", address.clone()), ("DATABASE_URL", database)], format!("cannot listen on {address}")),
        (vec![("DATABASE_URL", "sqlite:///nowhere/at/all/x.db".to_owned())], "cannot open the database".to_owned()),
        (
            vec![("DATABASE_URL", "postgres:///x?host=/nowhere/at/all".to_owned())],
            "cannot open the database".to_owned(),
        ),
        (
            vec![("DATABASE_URL", "mysql://x/y".to_owned())],
            "DATABASE_URL must start with sqlite:// or postgres://".to_owned(),
        ),
    ];
    for (vars, expected) in cases {
        let error = service::bind(config(&vars)).await.err().unwrap();
        let mut chain = vec![error.to_string()];
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            chain.push(cause.to_string());
            source = cause.source();
        }
        assert!(chain.contains(&expected), "{expected} in {chain:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_gives_its_place_back() {
    let stack = Stack::start(&[("TRIPSAGE_REQUEST_DEADLINE", "200ms")]).await;
    let user = stack.user().await;
    for path in ["/api/v1/chat", "/api/v1/trips"] {
        let never = reqwest::Body::wrap_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let answer = read(stack.request(Method::POST, path, Some(&user.token)).body(never)).await;
        assert_eq!(answer.error(), (408, "REQUEST_TIMEOUT".into()), "{path}");
    }
}
