//! One search over everything: a provider that fails costs only its own part.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fakes::Answers,
    stack::{Answer, Stack, User, until},
};

const UNIFIED: &str = "/api/v1/search/unified";

fn wish(change: &Value) -> Value {
    let mut body = json!({"query": "Lisbon", "origin": "JFK", "destination": "LIS", "adults": 2,
        "dates": {"start": "2099-05-01", "end": "2099-05-04"}});
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

async fn search(stack: &Stack, user: &User, change: Value) -> Answer {
    stack.post(UNIFIED, user, &wish(&change)).await
}

#[tokio::test]
async fn everything_is_found_at_once_and_its_parts_are_those_of_their_own_endpoints() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let live = search(&stack, &user, json!({"limit": 1})).await;
    assert_eq!(live.status, 200, "{live:?}");
    let live = live.json();
    let results = &live["results"];
    assert_eq!(results["flights"][0]["id"], "cheap");
    assert_eq!(results["accommodations"][0]["id"], "stay-2");
    assert_eq!(results["destinations"][0]["id"], "plc_LIS");
    assert_eq!(results["weather"]["city"], "Lisbon");
    let metadata = &live["metadata"];
    // Two flights, two stays, one weather, and of the places only the one that is asked for; one of each is shown.
    assert_eq!(
        json!([metadata["total_results"], metadata["returned_results"], metadata["cached_results"]]),
        json!([6, 4, 0])
    );
    assert_eq!(metadata["providers_queried"], json!(["flights", "airbnb", "google_maps", "weather"]));
    assert_eq!((&metadata["provider_errors"], &live["meta"]["degraded"]), (&json!({}), &json!(false)));
    assert!(metadata["search_time_ms"].is_u64() && metadata["search_id"].is_string(), "{metadata}");

    // The parts are remembered, and shared with their own endpoints.
    let again = search(&stack, &user, json!({})).await.json();
    assert_eq!((&again["metadata"]["cached_results"], &again["meta"]["source"]), (&json!(3), &json!("live")));
    let stays = json!({"location": "Lisbon", "check_in": "2099-05-01", "check_out": "2099-05-04", "adults": 2});
    assert_eq!(stack.post("/api/v1/accommodations/search", &user, &stays).await.json()["meta"]["source"], "cache");
    let flights = json!({"origin": "JFK", "destination": "LIS", "departure_date": "2099-05-01", "return_date": "2099-05-04", "adults": 2});
    assert_eq!(stack.post("/api/v1/flights/search", &user, &flights).await.json()["meta"]["source"], "cache");
}

#[rstest]
#[case(&["flights"], &["flights_missing"])]
#[case(&["airbnb"], &["stays_missing"])]
#[case(&["google_maps"], &["destinations_missing"])]
#[case(&["weather"], &["weather_missing"])]
#[case(&["flights", "airbnb", "google_maps"], &["flights_missing", "stays_missing", "destinations_missing"])]
#[tokio::test]
async fn who_fails_is_named_and_the_others_are_there(#[case] down: &[&str], #[case] reasons: &[&str]) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let servers = [
        ("flights", "flights", &stack.flights),
        ("airbnb", "accommodations", &stack.airbnb),
        ("google_maps", "destinations", &stack.google_maps),
        ("weather", "weather", &stack.weather),
    ];
    for (name, _, server) in servers {
        if down.contains(&name) {
            server.now_answers(Answers::ToolError);
        }
    }
    let partial = search(&stack, &user, json!({})).await;
    assert_eq!(partial.status, 200, "{partial:?}");
    let partial = partial.json();
    for (name, part, server) in servers {
        let is_down = down.contains(&name);
        assert_eq!(partial["results"][part].is_null(), is_down, "{part}");
        let error = &partial["metadata"]["provider_errors"][name];
        assert_eq!(error.as_str(), is_down.then_some("tool_error"));
        server.now_answers(Answers::Well);
    }
    assert_eq!((&partial["meta"]["degraded"], &partial["meta"]["degraded_reasons"]), (&json!(true), &json!(reasons)));

    // What was missing is not remembered as missing.
    let whole = search(&stack, &user, json!({})).await.json();
    assert_eq!((&whole["meta"]["degraded"], &whole["metadata"]["total_results"]), (&json!(false), &json!(7)));
}

#[tokio::test]
async fn only_when_all_fail_the_answer_is_503_and_names_them() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    for server in [&stack.flights, &stack.airbnb, &stack.google_maps, &stack.weather] {
        server.now_answers(Answers::ToolError);
    }
    let answer = search(&stack, &user, json!({})).await;
    assert_eq!(answer.error(), (503, "SEARCH_UNAVAILABLE".into()));
    assert_eq!(answer.header("retry-after"), "1");
    let errors =
        json!({"flights": "tool_error", "airbnb": "tool_error", "google_maps": "tool_error", "weather": "tool_error"});
    assert_eq!(answer.json()["details"]["provider_errors"], errors);
    // Of one part that was asked, one that fails is all.
    stack.airbnb.now_answers(Answers::Well);
    assert_eq!(search(&stack, &user, json!({"types": ["weather"]})).await.error().0, 503);
    assert_eq!(search(&stack, &user, json!({"types": ["weather", "accommodations"]})).await.status, 200);
}

#[tokio::test]
async fn one_that_hangs_costs_its_own_time_and_no_more() {
    let stack = Stack::start(&[("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "100ms"), ("TRIPSAGE_REQUEST_DEADLINE", "1s")]).await;
    let user = stack.user().await;
    for server in [&stack.flights, &stack.airbnb, &stack.weather] {
        server.now_answers(Answers::Never);
    }
    let started = Instant::now();
    let answer = search(&stack, &user, json!({})).await.json();
    // At once, each 100 + (100..400) + 100 ms, and never past the deadline; one after the other it would be 900 ms or more.
    assert!(started.elapsed() < Duration::from_millis(1000), "{:?}", started.elapsed());
    let errors = json!({"flights": "timeout", "airbnb": "timeout", "weather": "timeout"});
    assert_eq!(answer["metadata"]["provider_errors"], errors);
    assert!(answer["results"]["destinations"].is_array(), "{answer}");
}

#[tokio::test]
async fn a_stale_part_makes_the_whole_stale() {
    let stack = Stack::start(&[("TRIPSAGE_STAYS_CACHE_TTL", "1ms")]).await;
    let user = stack.user().await;
    assert_eq!(search(&stack, &user, json!({})).await.status, 200);
    stack.airbnb.now_answers(Answers::ToolError);
    let is_stale = || async { search(&stack, &user, json!({})).await.json()["meta"]["source"] == "stale" };
    until("the stays are stale", is_stale).await;
    let stale = search(&stack, &user, json!({})).await.json();
    assert_eq!(
        (&stale["meta"]["degraded_reasons"], &stale["metadata"]["total_results"]),
        (&json!(["stays_stale"]), &json!(7))
    );
}

#[rstest]
#[case(json!({"query": ""}), "query")]
#[case(json!({"query": "x".repeat(501)}), "query")]
#[case(json!({"types": ["cars"]}), "types[0]")]
#[case(json!({"types": ["flights"], "origin": null}), "origin")]
#[case(json!({"types": ["flights"], "destination": "Lisbon"}), "destination")]
#[case(json!({"types": ["accommodations"], "dates": {"start": "2099-05-01"}}), "dates")]
#[case(json!({"dates": {"start": "2020-05-01", "end": "2099-05-04"}}), "dates.start")]
#[case(json!({"dates": {"start": "2099-05-04", "end": "2099-05-01"}}), "dates.end")]
#[case(json!({"origin": "lis"}), "destination")]
#[case(json!({"adults": 0}), "adults")]
#[case(json!({"infants": 3}), "infants")]
#[case(json!({"limit": 51}), "limit")]
#[case(json!({"colour": "red"}), "colour")]
#[tokio::test]
async fn nonsense_is_422_and_asks_nobody(#[case] change: Value, #[case] field: &str) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let answer = search(&stack, &user, change).await;
    assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()));
    assert_eq!(answer.json()["details"]["errors"][0]["field"], field);
    assert!(stack.flights.calls().is_empty() && stack.weather.calls().is_empty());
}
