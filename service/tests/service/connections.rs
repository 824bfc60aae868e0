//! What a connection may take, and what becomes of it at the stop.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::{
    fakes::Answers,
    stack::{Stack, read, until},
    wire::Wire,
};

const INTERNAL: (&str, &str) = ("TRIPSAGE_INTERNAL_LISTEN", "127.0.0.1:0");

async fn cut(stack: &Stack, reason: &str) -> bool {
    stack.metric(&format!("tripsage_connections_cut_total{{reason=\"{reason}\"}}")).await == 1.0
}

#[tokio::test]
async fn a_client_that_sends_its_head_slowly_is_cut() {
    let stack = Stack::start(&[INTERNAL, ("TRIPSAGE_HEADER_TIMEOUT", "200ms")]).await;
    let mut wire = Wire::to(stack.address).await;
    wire.send("GET /health/live HTTP/1.1\r\nhost: ").await;
    // A byte now and then does not help: the time is that of the whole head.
    let mut sent = 0;
    while wire.read(Duration::from_millis(20)).await.is_none() {
        wire.send("x").await;
        sent += 1;
        assert!(sent < 200, "still open after 4 s");
    }
    assert!(sent > 1, "cut before its time");
    until("the cut is counted", || cut(&stack, "header")).await;
}

#[tokio::test]
async fn a_connection_between_requests_has_the_idle_time_not_that_of_a_head() {
    let stack = Stack::start(&[("TRIPSAGE_HEADER_TIMEOUT", "50ms")]).await;
    let mut wire = Wire::to(stack.address).await;
    for _ in 0..3 {
        wire.get("/health/live", "").await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 200"));
        assert_eq!(wire.read(Duration::from_millis(200)).await, None);
    }
    let stack = Stack::start(&[("TRIPSAGE_IDLE_TIMEOUT", "100ms")]).await;
    let mut used = Wire::to(stack.address).await;
    used.get("/health/live", "").await;
    assert!(used.answer().await.starts_with("HTTP/1.1 200"));
    assert_eq!(used.end().await, "");
}

#[rstest]
#[case("TRIPSAGE_HEADER_TIMEOUT")]
#[case("TRIPSAGE_IDLE_TIMEOUT")]
#[tokio::test]
async fn a_connection_on_which_nothing_is_ever_sent_is_closed_after_the_shorter_of_both(#[case] shorter: &str) {
    let stack = Stack::start(&[(shorter, "100ms")]).await;
    let mut fresh = Wire::to(stack.address).await;
    assert_eq!(fresh.end().await, "");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let stack = Stack::start(&[("TRIPSAGE_HEADER_BYTES_MAX", "4096")]).await;
    for (bytes, status) in [(3_000, "200"), (5_000, "431")] {
        let mut wire = Wire::to(stack.address).await;
        wire.get("/health/live", &format!("x-filler: {}\r\n", "x".repeat(bytes))).await;
        let answer = wire.answer().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_too_many_waits_for_another_to_close() {
    let stack = Stack::start(&[INTERNAL, ("TRIPSAGE_MAX_CONNECTIONS", "2")]).await;
    let mut wires = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::to(stack.address).await;
        wire.get("/health/live", "").await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 200"));
        wires.push(wire);
    }
    let mut third = Wire::to(stack.address).await;
    third.get("/health/live", "").await;
    until("it is delayed", || async { stack.metric("tripsage_connections_delayed_total").await == 1.0 }).await;
    assert_eq!(third.read(Duration::from_millis(100)).await, None);
    // Operators have connections of their own; one is the client that asks for this page.
    assert_eq!(stack.metric("tripsage_connections ").await, 3.0);
    drop(wires.pop());
    assert!(third.answer().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let stack = Stack::start(&[INTERNAL, ("TRIPSAGE_WRITE_TIMEOUT", "200ms")]).await;
    let mut wire = Wire::to(stack.address).await;
    // 1.5 MB each: more than any two sockets hold.
    for _ in 0..20 {
        wire.get("/docs/swagger-ui-bundle.js", "").await;
    }
    until("the cut is counted", || cut(&stack, "write")).await;
}

#[tokio::test]
async fn who_is_connected_at_the_stop_gets_one_more_answer() {
    let mut stack = Stack::start(&[]).await;
    let mut used = Wire::to(stack.address).await;
    used.get("/health/live", "").await;
    assert!(!used.answer().await.contains("connection: close"));
    let mut fresh = Wire::to(stack.address).await;
    stack.stop();
    for wire in [&mut used, &mut fresh] {
        wire.get("/health/ready", "").await;
    }
    for wire in [&mut used, &mut fresh] {
        let answer = wire.answer().await;
        assert!(answer.starts_with("HTTP/1.1 503"), "not ready any more: {answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(wire.end().await, "");
    }
    stack.ended().await;
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_cut_and_the_service_ends() {
    let mut stack = Stack::start(&[("TRIPSAGE_DRAIN", "300ms"), ("TRIPSAGE_REQUEST_DEADLINE", "1m")]).await;
    let user = stack.user().await;
    // The first attempt and its retry are both within the time of an attempt, 2 s.
    stack.flights.now_answers(Answers::Never);
    let flight = json!({"origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01"});
    let request = stack.request(Method::POST, "/api/v1/flights/search", Some(&user.token)).json(&flight);
    let searching = tokio::spawn(request.send());
    until("the search is under way", || async { !stack.flights.calls().is_empty() }).await;
    stack.stop();
    stack.ended().await;
    assert!(searching.await.unwrap().is_err());
}

#[tokio::test]
async fn operators_have_a_listener_of_their_own() {
    let stack = Stack::start(&[INTERNAL]).await;
    let internal = stack.internal_address.unwrap();
    let cases = [
        (stack.address, "/metrics", 404),
        (internal, "/metrics", 200),
        (stack.address, "/health/ready", 200),
        (internal, "/health/ready", 200),
        (stack.address, "/api/v1/users/me", 401),
        (internal, "/api/v1/users/me", 404),
    ];
    for (address, path, status) in cases {
        let answer = read(crate::stack::client().get(format!("http://{address}{path}"))).await;
        assert_eq!(answer.status, status, "{address}{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{address}{path}");
    }
}
