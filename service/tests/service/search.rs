//! The flight search: live, remembered, stale, or an honest error.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fakes::Answers,
    gate::{Gate, Mode},
    stack::{Answer, Stack, User, until},
};

const SEARCH: &str = "/api/v1/flights/search";

fn flight(destination: &str) -> Value {
    json!({"origin": "JFK", "destination": destination, "departure_date": "2099-05-01", "adults": 1, "cabin_class": "economy"})
}

async fn search(stack: &Stack, user: &User, destination: &str) -> Answer {
    stack.post(SEARCH, user, &flight(destination)).await
}

#[tokio::test]
async fn a_live_answer_is_complete_and_the_next_one_is_remembered() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let live = search(&stack, &user, "CDG").await;
    assert_eq!(live.status, 200, "{live:?}");
    let live = live.json();
    assert_eq!(live["offers"][0]["id"], "cheap");
    assert_eq!(
        (&live["total_results"], &live["min_price"], &live["max_price"]),
        (&json!(2), &json!(300.5), &json!(600.0))
    );
    assert_eq!((&live["cached"], &live["currency"]), (&json!(false), &json!("USD")));
    assert!(live["search_duration_ms"].is_u64() && live["search_parameters"]["origin"] == "JFK");
    let meta = json!({"degraded": false, "degraded_reasons": [], "source": "live", "providers_queried": ["flights"], "provider_errors": {}});
    assert_eq!(live["meta"], meta);

    let again = search(&stack, &user, "cdg").await.json();
    assert_eq!(
        (&again["cached"], &again["meta"]["source"], &again["meta"]["cache_age_s"]),
        (&json!(true), &json!("cache"), &json!(0))
    );
    assert_eq!((&again["offers"], &again["search_id"]), (&live["offers"], &live["search_id"]));
    assert_eq!(stack.flights.calls().len(), 1);
    let mut pickier = flight("CDG");
    pickier["max_price"] = json!(400);
    assert_eq!(stack.post(SEARCH, &user, &pickier).await.json()["total_results"], 1);
    assert_eq!(stack.flights.calls().len(), 2);
}

#[tokio::test]
async fn a_search_in_the_past_or_nonsense_is_422() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    for (field, value) in [("departure_date", json!("2020-01-01")), ("destination", json!("JFK")), ("adults", json!(0))]
    {
        let mut body = flight("CDG");
        body[field] = value;
        let answer = stack.post(SEARCH, &user, &body).await;
        assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()));
        assert_eq!(answer.json()["details"]["errors"][0]["field"], field);
    }
    assert!(stack.flights.calls().is_empty());
}

#[rstest]
#[case(Answers::Status(500), 502, "FLIGHT_API_ERROR", 2)]
#[case(Answers::CutOff, 502, "FLIGHT_API_ERROR", 2)]
#[case(Answers::Status(404), 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::Status(401), 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::Bytes("{\"jsonrpc\":"), 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::Bytes("<html>proxy</html>"), 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::OtherId, 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::OtherShape, 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::RpcError(-32603), 502, "FLIGHT_API_ERROR", 2)]
#[case(Answers::RpcError(-32602), 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::ToolError, 502, "FLIGHT_API_ERROR", 1)]
#[case(Answers::RateLimited(7), 503, "FLIGHT_API_UNAVAILABLE", 1)]
#[case(Answers::Never, 504, "FLIGHT_API_TIMEOUT", 2)]
#[tokio::test]
async fn a_provider_that_fails_is_an_honest_error(
    #[case] answers: Answers,
    #[case] status: u16,
    #[case] code: &str,
    #[case] attempts: usize,
) {
    let stack = Stack::start(&[("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "50ms")]).await;
    let user = stack.user().await;
    stack.flights.now_answers(answers.clone());
    let answer = search(&stack, &user, "CDG").await;
    assert_eq!(answer.error(), (status, code.into()), "{answers:?}");
    assert_eq!(stack.flights.calls().len(), attempts, "{answers:?}");
    assert!(!answer.text.contains("offers"));
    let retry_after = if let Answers::RateLimited(seconds) = answers { seconds.to_string() } else { String::new() };
    assert_eq!(answer.header("retry-after"), retry_after);
    // Failures are not remembered.
    stack.flights.now_answers(Answers::Well);
    assert_eq!(search(&stack, &user, "CDG").await.json()["meta"]["source"], "live");
}

#[tokio::test]
async fn the_whole_request_ends_at_its_deadline() {
    let settings = [("TRIPSAGE_REQUEST_DEADLINE", "300ms"), ("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "5s")];
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    stack.flights.now_answers(Answers::Never);
    let started = Instant::now();
    assert_eq!(search(&stack, &user, "CDG").await.error(), (504, "FLIGHT_API_TIMEOUT".into()));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn five_failures_open_the_breaker_for_that_server_alone() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.flights.now_answers(Answers::Status(500));
    for destination in ["AAA", "BBB", "CCC"] {
        assert_eq!(search(&stack, &user, destination).await.status, 502);
    }
    // 2 + 2 + 1 attempts: the sixth met the open breaker.
    assert_eq!(stack.flights.calls().len(), 5);
    let refused = search(&stack, &user, "DDD").await;
    assert_eq!(refused.error(), (503, "FLIGHT_API_UNAVAILABLE".into()));
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(stack.flights.calls().len(), 5);
    assert_eq!(stack.metric("tripsage_mcp_breaker_state{server=\"flights\"}").await, 2.0);
    assert_eq!(stack.metric("tripsage_mcp_breaker_state{server=\"weather\"}").await, 0.0);
    assert_eq!(stack.probe("/health").await.json()["status"], "degraded");
    assert_eq!(stack.probe("/health/ready").await.status, 200);
}

#[tokio::test]
async fn probes_close_the_breaker_when_the_server_is_well_again() {
    let stack = Stack::start(&[("TRIPSAGE_BREAKER_OPEN", "50ms")]).await;
    let user = stack.user().await;
    stack.flights.now_answers(Answers::Status(500));
    for destination in ["AAA", "BBB", "CCC"] {
        assert_ne!(search(&stack, &user, destination).await.status, 200);
    }
    stack.flights.now_answers(Answers::Well);
    let state = || stack.metric("tripsage_mcp_breaker_state{server=\"flights\"}");
    until("half-open", || async { state().await == 1.0 }).await;
    for (destination, after) in [("AAA", 1.0), ("BBB", 1.0), ("CCC", 0.0)] {
        assert_eq!(search(&stack, &user, destination).await.status, 200);
        assert_eq!(state().await, after);
    }
}

#[tokio::test]
async fn tool_errors_do_not_open_the_breaker() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.flights.now_answers(Answers::ToolError);
    for number in 0..10 {
        assert_eq!(search(&stack, &user, &format!("A{}A", (b'A' + number) as char)).await.status, 502);
    }
    assert_eq!(stack.flights.calls().len(), 10);
}

#[tokio::test]
async fn a_provider_that_fails_later_is_stood_in_for_by_a_stale_answer() {
    let stack = Stack::start(&[("TRIPSAGE_FLIGHTS_CACHE_TTL", "1ms"), ("TRIPSAGE_STALE_FOR", "1h")]).await;
    let user = stack.user().await;
    let live = search(&stack, &user, "CDG").await.json();
    stack.flights.now_answers(Answers::Status(503));
    let is_stale = || async { search(&stack, &user, "CDG").await.json()["meta"]["source"] == "stale" };
    until("the entry is stale", is_stale).await;
    for _ in 0..3 {
        let stale = search(&stack, &user, "CDG").await;
        assert_eq!(stale.status, 200);
        let stale = stale.json();
        assert_eq!(stale["offers"], live["offers"]);
        let meta = &stale["meta"];
        assert_eq!((&meta["degraded"], &meta["source"]), (&json!(true), &json!("stale")));
        assert_eq!(meta["degraded_reasons"], json!(["flights_stale"]));
        assert!(meta["provider_errors"]["flights"].is_string() && meta["cache_age_s"].is_u64(), "{meta}");
    }
    assert_eq!(search(&stack, &user, "LHR").await.error().0, 503);
    let counted = stack
        .metric("tripsage_degraded_responses_total{route=\"/api/v1/flights/search\",reason=\"flights_stale\"}")
        .await;
    assert_eq!(counted, 4.0);
}

#[tokio::test]
async fn fifty_who_ask_the_same_make_one_call() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.flights.now_answers(Answers::Late(Duration::from_millis(100)));
    let answers = join_all((0..50).map(|_| search(&stack, &user, "CDG"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(stack.flights.calls().len(), 1);
}

#[rstest]
#[case("closed", Mode::Closed, 503)]
#[case("black-holed", Mode::BlackHole, 504)]
#[tokio::test]
async fn after_the_link_is_back_every_search_works_at_once(
    #[case] link: &str,
    #[case] mode: Mode,
    #[case] status: u16,
) {
    let flights = crate::fakes::FakeMcp::start().await;
    let gate = Gate::to(flights.address).await;
    let url = format!("http://{}/mcp", gate.address);
    let settings = [
        ("TRIPSAGE_MCP_FLIGHTS_URL", url.as_str()),
        ("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "1s"),
        ("TRIPSAGE_BREAKER_FAILURES", "100"),
    ];
    let stack = Stack::start(&settings).await;
    let user = stack.user().await;
    let destinations = |first: u8| (0..8).map(move |number| format!("{}{}A", first as char, (b'A' + number) as char));
    // Eight connections in the pool.
    flights.now_answers(Answers::Late(Duration::from_millis(30)));
    let (stack, user) = (&stack, &user);
    let warm_up = destinations(b'A').map(|to| async move { search(stack, user, &to).await.status });
    assert!(join_all(warm_up).await.iter().all(|status| *status == 200));
    flights.now_answers(Answers::Well);

    gate.set(mode);
    assert_eq!(search(stack, user, "XXX").await.status, status, "{link}");
    gate.set(Mode::Open);
    // Not one of the pooled connections may take a call with it: each would cost an attempt of 1 s.
    for to in destinations(b'B') {
        let started = Instant::now();
        assert_eq!(search(stack, user, &to).await.json()["meta"]["source"], "live", "{link}");
        assert!(started.elapsed() < Duration::from_millis(990), "{link}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn without_an_address_for_the_provider_a_search_is_503() {
    let stack = Stack::start(&[("TRIPSAGE_MCP_FLIGHTS_URL", "")]).await;
    let user = stack.user().await;
    assert_eq!(search(&stack, &user, "CDG").await.error(), (503, "FLIGHT_API_UNAVAILABLE".into()));
}
