//! The tools of the chat: all of them, at once, for those agents and requests that may use them.

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::{
    chat::{CHAT, FLIGHTS_PLEASE, say},
    fakes::{Answers, Says},
    stack::Stack,
};

const FLIGHT: (&str, &str) =
    ("search_flights", r#"{"origin":"JFK","destination":"LIS","departure_date":"2099-05-01"}"#);
const STAY: (&str, &str) = (
    "search_accommodations",
    r#"{"location":"Lisbon","checkin":"2099-05-01","checkout":"2099-05-04","currency":"EUR"}"#,
);
const WEATHER: (&str, &str) = ("get_current_weather", r#"{"city":"Lisbon"}"#);
const FORECAST: (&str, &str) = ("get_forecast", r#"{"city":"Lisbon","days":2}"#);
const PLACES: (&str, &str) = ("search_destinations", r#"{"query":"Lisbon","include_attractions":true}"#);
const CLOCK: (&str, &str) = ("get_current_time", r#"{"timezone":"Europe/Lisbon"}"#);
const PAGE: (&str, &str) = ("scrape_page", r#"{"url":"https://guide.example/lisbon"}"#);

const FIVE: &[(&str, &str)] = &[FLIGHT, STAY, WEATHER, CLOCK, PAGE];
const SEVEN: &[(&str, &str)] = &[FLIGHT, STAY, WEATHER, CLOCK, PAGE, FORECAST, PLACES];

#[rstest]
#[case(&[FLIGHT], "flights", "/offers/0/id", json!("cheap"))]
#[case(&[STAY], "airbnb", "/listings/0/total_price", json!(180.0))]
#[case(&[WEATHER], "weather", "/temperature_celsius", json!(7.5))]
#[case(&[FORECAST], "weather", "/daily/1/maximum_celsius", json!(15.5))]
#[case(&[PLACES], "google_maps", "/destinations/0/attractions/0", json!("Tower"))]
#[case(&[CLOCK], "time", "/datetime", json!("2099-05-01T12:00:00+01:00"))]
#[case(&[PAGE], "webcrawl", "/text", json!("Seven hills."))]
#[tokio::test]
async fn every_tool_gives_what_its_provider_has(
    #[case] calls: &'static [(&str, &str)],
    #[case] provider: &str,
    #[case] pointer: &str,
    #[case] expected: Value,
) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Tools { calls, then: &Says::Words(1) });
    let answer = say(&stack, &user, "Hello", json!({"stream": false})).await.json();
    let call = &answer["tool_calls"][0];
    assert_eq!((&call["name"], &call["status"]), (&json!(calls[0].0), &json!("success")), "{answer}");
    assert_eq!(call["args"], serde_json::from_str::<Value>(calls[0].1).unwrap());
    assert_eq!(call["result"].pointer(pointer), Some(&expected), "{}", call["result"]);
    assert_eq!(answer["meta"]["providers_queried"], json!([provider]));
    assert_eq!(answer["meta"]["degraded"], false);
    let told = stack.llm.requests().pop().unwrap()["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&told["role"], &told["content"]), (&json!("tool"), &json!(call["result"].to_string())));
}

#[tokio::test]
async fn five_tools_run_at_once_and_a_sixth_is_not_looked_at() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    // None answers before all five are asked.
    let together = Arc::new(Barrier::new(FIVE.len()));
    for provider in [&stack.flights, &stack.airbnb, &stack.weather, &stack.time, &stack.webcrawl] {
        provider.now_answers(Answers::Together(Arc::clone(&together)));
    }
    stack.llm.now_says(Says::Tools { calls: SEVEN, then: &Says::Words(1) });
    let answer = say(&stack, &user, "Hello", json!({"stream": false})).await.json();
    let called: Vec<_> = answer["tool_calls"].as_array().unwrap().iter().map(|call| &call["name"]).collect();
    assert_eq!(
        called,
        ["search_flights", "search_accommodations", "get_current_weather", "get_current_time", "scrape_page"]
    );
    assert_eq!(answer["meta"]["degraded"], false, "{answer}");
}

#[tokio::test]
async fn a_tool_that_does_not_answer_costs_only_itself() {
    let stack = Stack::start(&[("TRIPSAGE_TOOL_TIMEOUT", "300ms")]).await;
    let user = stack.user().await;
    stack.airbnb.now_answers(Answers::Never);
    stack.llm.now_says(Says::Tools { calls: FIVE, then: &Says::Words(1) });
    let answer = say(&stack, &user, "Hello", json!({"stream": false})).await.json();
    let statuses: Vec<_> = answer["tool_calls"].as_array().unwrap().iter().map(|call| &call["status"]).collect();
    assert_eq!(statuses, ["success", "error", "success", "success", "success"]);
    assert_eq!(answer["meta"]["provider_errors"], json!({"airbnb": "timeout"}));
}

#[rstest]
#[case::in_the_past(&[("search_accommodations", r#"{"location":"Lisbon","checkin":"2020-05-01","checkout":"2020-05-04"}"#)], "past")]
#[case::no_night(&[("search_accommodations", r#"{"location":"Lisbon","checkin":"2099-05-01","checkout":"2099-05-01"}"#)], "arguments")]
#[case::no_place(&[("search_accommodations", r#"{"checkin":"2099-05-01","checkout":"2099-05-02"}"#)], "arguments")]
#[case::too_many_days(&[("get_forecast", r#"{"city":"Lisbon","days":17}"#)], "arguments")]
#[case::no_query(&[("search_destinations", "{}")], "arguments")]
#[case::no_object(&[("search_destinations", "[1]")], "arguments")]
#[case::no_zone(&[("get_current_time", r#"{"timezone":""}"#)], "arguments")]
#[case::no_page(&[("scrape_page", r#"{"url":"file:///etc/passwd"}"#)], "arguments")]
#[case::no_such_page(&[("scrape_page", r#"{"url":"https://unknown.example/"}"#)], "no such thing")]
#[tokio::test]
async fn arguments_that_make_no_sense_are_said_to_the_model(
    #[case] calls: &'static [(&str, &str)],
    #[case] said: &str,
) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Tools { calls, then: &Says::Words(1) });
    let answer = say(&stack, &user, "Hello", json!({"stream": false})).await.json();
    let result = &answer["tool_calls"][0]["result"]["error"];
    assert!(result.as_str().unwrap().contains(said), "{answer}");
    assert_eq!(answer["meta"]["provider_errors"], json!({}));
}

fn offered(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array();
    tools.into_iter().flatten().map(|tool| tool["function"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_agent_and_each_request_has_its_tools() {
    let stack = Stack::start(&[("TRIPSAGE_MCP_TIME_URL", "")]).await;
    let user = stack.user().await;
    say(&stack, &user, "Hello", json!({})).await;
    say(&stack, &user, "Hello", json!({"tools": ["scrape_page", "launch_rocket"]})).await;
    say(&stack, &user, "Hello", json!({"tools": []})).await;
    say(&stack, &user, FLIGHTS_PLEASE, json!({})).await;
    let requests = stack.llm.requests();
    let all = [
        "search_flights",
        "search_accommodations",
        "get_current_weather",
        "get_forecast",
        "search_destinations",
        "scrape_page",
    ];
    assert_eq!(offered(&requests[0]), all);
    assert_eq!(offered(&requests[1]), ["scrape_page"]);
    assert!(offered(&requests[2]).is_empty());
    assert_eq!(offered(&requests[3]), ["search_flights"]);
}

#[tokio::test]
async fn a_tool_that_was_not_offered_is_not_run() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Tools { calls: &[WEATHER], then: &Says::Words(1) });
    let body =
        json!({"messages": [{"role": "user", "content": "Hello"}], "tools": ["search_flights"], "stream": false});
    let answer = stack.post(CHAT, &user, &body).await.json();
    assert_eq!(answer["tool_calls"][0]["status"], "error");
    assert!(stack.weather.calls().is_empty());
}
