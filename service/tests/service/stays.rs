//! Stays: live, remembered, stale, with pages missing, or an honest error.

use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fakes::Answers,
    stack::{Answer, Stack, User, until},
};

const SEARCH: &str = "/api/v1/accommodations/search";
const DETAILS: &str = "/api/v1/accommodations/details";

fn stay(change: &Value) -> Value {
    let mut body = json!({"location": "Lisbon", "check_in": "2099-05-01", "check_out": "2099-05-04"});
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

async fn search(stack: &Stack, user: &User, change: Value) -> Answer {
    stack.post(SEARCH, user, &stay(&change)).await
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["listings"].as_array().unwrap().iter().map(|listing| listing["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_live_answer_is_complete_and_the_next_one_is_remembered() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let trip_id = "6b9f7a52-6e0f-4c39-9df4-5c2f7f5a3f10";
    let live = search(&stack, &user, json!({"trip_id": trip_id, "adults": 2})).await;
    assert_eq!(live.status, 200, "{live:?}");
    let live = live.json();
    // The cheapest first; a kind that we do not know is `other`; 3 nights.
    assert_eq!(ids(&live), ["stay-2", "stay-1"]);
    assert_eq!(
        (&live["listings"][1]["property_type"], &live["listings"][0]["total_price"]),
        (&json!("other"), &json!(180.0))
    );
    let prices = json!([live["min_price"], live["max_price"], live["avg_price"], live["currency"], live["count"]]);
    assert_eq!(prices, json!([60.0, 120.0, 90.0, "USD", 2]));
    assert_eq!((&live["trip_id"], &live["search_request"]["adults"]), (&json!(trip_id), &json!(2)));
    let meta = json!({"degraded": false, "degraded_reasons": [], "source": "live", "providers_queried": ["airbnb"], "provider_errors": {}});
    assert_eq!(live["meta"], meta);
    let (tool, arguments) = stack.airbnb.calls().remove(0);
    let asked =
        json!({"location": "Lisbon", "checkin": "2099-05-01", "checkout": "2099-05-04", "adults": 2, "children": 0});
    assert_eq!((tool.as_str(), arguments), ("search_accommodations", asked));

    // Another trip and another spelling are the same search.
    let again = search(&stack, &user, json!({"location": " lisbon ", "adults": 2})).await.json();
    assert_eq!((&again["meta"]["source"], &again["search_id"]), (&json!("cache"), &live["search_id"]));
    assert_eq!(stack.airbnb.calls().len(), 1);
}

#[rstest]
#[case(json!({"min_price": 61}), &["stay-1"])]
#[case(json!({"max_price": 100}), &["stay-2"])]
#[case(json!({"property_type": "apartment"}), &["stay-2"])]
#[case(json!({"min_rating": 4.6}), &[])]
#[case(json!({"amenities": ["WIFI"]}), &["stay-2", "stay-1"])]
#[case(json!({"amenities": ["pool"]}), &[])]
#[case(json!({"adults": 5}), &[])]
#[case(json!({"rooms": 3}), &[])]
#[tokio::test]
async fn what_the_provider_does_not_filter_is_filtered_and_is_another_search(
    #[case] filter: Value,
    #[case] left: &[&str],
) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    assert_eq!(search(&stack, &user, json!({})).await.json()["count"], 2);
    assert_eq!(ids(&search(&stack, &user, filter).await.json()), left);
    assert_eq!(stack.airbnb.calls().len(), 2);
}

#[rstest]
#[case(json!({"check_in": "2020-01-01", "check_out": "2020-01-02"}), "check_in")]
#[case(json!({"check_out": "2099-05-01"}), "check_out")]
#[case(json!({"check_out": "2099-08-01"}), "check_out")]
#[case(json!({"location": ""}), "location")]
#[case(json!({"adults": 0}), "adults")]
#[case(json!({"rooms": 9}), "rooms")]
#[case(json!({"min_rating": 6}), "min_rating")]
#[case(json!({"property_type": "castle"}), "property_type")]
#[case(json!({"min_price": -1}), "min_price")]
#[case(json!({"colour": "red"}), "colour")]
#[tokio::test]
async fn nonsense_is_422_and_asks_nobody(#[case] change: Value, #[case] field: &str) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let answer = search(&stack, &user, change).await;
    assert_eq!(answer.error(), (422, "VALIDATION_ERROR".into()));
    assert_eq!(answer.json()["details"]["errors"][0]["field"], field);
    assert!(stack.airbnb.calls().is_empty());
}

#[rstest]
#[case(Answers::Status(500), 502, "ACCOMMODATION_API_ERROR")]
#[case(Answers::CutOff, 502, "ACCOMMODATION_API_ERROR")]
#[case(Answers::Bytes("<html>proxy</html>"), 502, "ACCOMMODATION_API_ERROR")]
#[case(Answers::OtherShape, 502, "ACCOMMODATION_API_ERROR")]
#[case(Answers::ToolError, 502, "ACCOMMODATION_API_ERROR")]
#[case(Answers::RateLimited(7), 503, "ACCOMMODATION_API_UNAVAILABLE")]
#[case(Answers::Never, 504, "ACCOMMODATION_API_TIMEOUT")]
#[tokio::test]
async fn a_provider_that_fails_is_an_honest_error(#[case] answers: Answers, #[case] status: u16, #[case] code: &str) {
    let stack = Stack::start(&[("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "50ms")]).await;
    let user = stack.user().await;
    stack.airbnb.now_answers(answers.clone());
    for (path, body) in [(SEARCH, stay(&json!({}))), (DETAILS, json!({"listing_id": "stay-1"}))] {
        assert_eq!(stack.post(path, &user, &body).await.error(), (status, code.into()), "{path} {answers:?}");
    }
    // Failures are not remembered.
    stack.airbnb.now_answers(Answers::Well);
    assert_eq!(search(&stack, &user, json!({})).await.json()["meta"]["source"], "live");
}

#[tokio::test]
async fn without_an_address_for_the_provider_stays_are_503() {
    let stack = Stack::start(&[("TRIPSAGE_MCP_AIRBNB_URL", "")]).await;
    let user = stack.user().await;
    for (path, body) in [(SEARCH, stay(&json!({}))), (DETAILS, json!({"listing_id": "stay-1"}))] {
        assert_eq!(stack.post(path, &user, &body).await.error(), (503, "ACCOMMODATION_API_UNAVAILABLE".into()));
    }
}

#[tokio::test]
async fn all_pages_are_read_and_a_missing_one_is_said_and_not_remembered() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.airbnb.first_answers([Answers::Well, Answers::Status(404)]);
    let partial = search(&stack, &user, json!({"location": "Porto"})).await;
    assert_eq!(partial.status, 200, "{partial:?}");
    let partial = partial.json();
    assert_eq!(ids(&partial), ["stay-1"]);
    let meta = &partial["meta"];
    assert_eq!((&meta["degraded"], &meta["degraded_reasons"]), (&json!(true), &json!(["stays_partial"])));

    let whole = search(&stack, &user, json!({"location": "Porto"})).await.json();
    assert_eq!((ids(&whole), &whole["meta"]["source"]), (vec!["stay-2", "stay-1"], &json!("live")));
    assert_eq!(whole["meta"]["degraded"], false);
    assert_eq!(search(&stack, &user, json!({"location": "Porto"})).await.json()["meta"]["source"], "cache");
    assert_eq!(stack.airbnb.calls().len(), 4);
}

#[tokio::test]
async fn a_provider_that_fails_later_is_stood_in_for_by_a_stale_answer() {
    let stack = Stack::start(&[("TRIPSAGE_STAYS_CACHE_TTL", "1ms"), ("TRIPSAGE_STALE_FOR", "1h")]).await;
    let user = stack.user().await;
    let live = search(&stack, &user, json!({})).await.json();
    let details = json!({"listing_id": "stay-1"});
    assert_eq!(stack.post(DETAILS, &user, &details).await.status, 200);
    stack.airbnb.now_answers(Answers::Status(503));
    until("the entry is stale", || async {
        search(&stack, &user, json!({})).await.json()["meta"]["source"] == "stale"
    })
    .await;
    let stale = search(&stack, &user, json!({})).await.json();
    assert_eq!(stale["listings"], live["listings"]);
    let meta = &stale["meta"];
    assert_eq!((&meta["degraded"], &meta["degraded_reasons"]), (&json!(true), &json!(["stays_stale"])));
    assert!(meta["provider_errors"]["airbnb"].is_string() && meta["cache_age_s"].is_u64(), "{meta}");
    let old = stack.post(DETAILS, &user, &details).await.json();
    assert_eq!((&old["listing"]["id"], &old["meta"]["degraded_reasons"]), (&json!("stay-1"), &json!(["stays_stale"])));
    let prefix = "tripsage_degraded_responses_total{route=\"/api/v1/accommodations/search\",reason=\"stays_stale\"}";
    assert!(stack.metric(prefix).await >= 2.0);
}

#[tokio::test]
async fn fifty_who_ask_the_same_make_one_call() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.airbnb.now_answers(Answers::Late(Duration::from_millis(100)));
    let answers = join_all((0..50).map(|_| search(&stack, &user, json!({})))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(stack.airbnb.calls().len(), 1);
}

#[tokio::test]
async fn a_listing_is_remembered_and_whether_it_is_free_is_asked_anew() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let plain = stack.post(DETAILS, &user, &json!({"listing_id": "stay-1"})).await.json();
    assert_eq!(
        (&plain["listing"]["id"], &plain["availability"], &plain["total_price"]),
        (&json!("stay-1"), &json!(null), &json!(null))
    );
    let dated = json!({"listing_id": "stay-1", "check_in": "2099-05-01", "check_out": "2099-05-04", "adults": 2, "children": 1});
    for _ in 0..2 {
        let answer = stack.post(DETAILS, &user, &dated).await.json();
        let expected = json!({"is_available": true, "check_in": "2099-05-01", "check_out": "2099-05-04", "nights": 3, "total_price": 170.0});
        assert_eq!((&answer["availability"], &answer["total_price"]), (&expected, &json!(170.0)));
        assert_eq!((&answer["meta"]["degraded"], &answer["meta"]["source"]), (&json!(false), &json!("cache")));
    }
    let calls = stack.airbnb.calls();
    let tools: Vec<_> = calls.iter().map(|(tool, _)| tool.as_str()).collect();
    assert_eq!(tools, ["get_listing_details", "check_availability", "check_availability"]);
    assert_eq!(calls[1].1["guests"], 3);

    stack.airbnb.now_answers(Answers::ToolError);
    let partial = stack.post(DETAILS, &user, &dated).await.json();
    assert_eq!((&partial["listing"]["id"], &partial["availability"]), (&json!("stay-1"), &json!(null)));
    assert_eq!(partial["meta"]["degraded_reasons"], json!(["availability_missing"]));
}

#[rstest]
#[case(json!({"listing_id": "unknown"}), 404, None)]
#[case(json!({"listing_id": "unknown", "check_in": "2099-05-01", "check_out": "2099-05-04"}), 404, None)]
#[case(json!({"listing_id": ""}), 422, Some("listing_id"))]
#[case(json!({"listing_id": "x", "check_in": "2099-05-01"}), 422, Some("check_out"))]
#[case(json!({"listing_id": "x", "check_out": "2099-05-01"}), 422, Some("check_in"))]
#[case(json!({"listing_id": "x", "check_in": "2020-05-01", "check_out": "2020-05-02"}), 422, Some("check_in"))]
#[case(json!({"listing_id": "x", "check_in": "2099-05-01", "check_out": "2099-05-01"}), 422, Some("check_out"))]
#[case(json!({"listing_id": "x", "check_in": "2099-05-01", "check_out": "2099-08-01"}), 422, Some("check_out"))]
#[case(json!({"listing_id": "x", "adults": 0}), 422, Some("adults"))]
#[tokio::test]
async fn a_listing_that_is_not_there_is_404_and_nonsense_is_422(
    #[case] body: Value,
    #[case] status: u16,
    #[case] field: Option<&str>,
) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let answer = stack.post(DETAILS, &user, &body).await;
    assert_eq!(answer.error().0, status);
    assert_eq!(answer.json()["details"]["errors"][0]["field"].as_str(), field);
}
