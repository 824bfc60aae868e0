//! The service with the bundled providers: the main journeys, over real sockets.

use std::time::Duration;

use providers::{Provider, ServiceTime, Settings};
use serde_json::json;

use crate::stack::Stack;

#[tokio::test]
async fn search_and_chat_work_with_the_bundled_providers() {
    let mut settings = Settings::new(7);
    for provider in Provider::ALL {
        settings.service_times.insert(provider, ServiceTime::Constant(Duration::from_millis(1)));
    }
    settings.llm.gap = ServiceTime::Constant(Duration::ZERO);
    let running = providers::start(settings).await.unwrap();
    let url = |provider, path: &str| format!("http://{}{path}", running.addresses()[&provider]);
    let (flights, memory, weather) =
        (url(Provider::Flights, "/mcp"), url(Provider::Memory, "/mcp"), url(Provider::Weather, "/mcp"));
    let llm = url(Provider::Llm, "/v1");
    let stack = Stack::start(&[
        ("TRIPSAGE_MCP_FLIGHTS_URL", &flights),
        ("TRIPSAGE_MCP_MEMORY_URL", &memory),
        ("TRIPSAGE_MCP_WEATHER_URL", &weather),
        ("TRIPSAGE_LLM_URL", &llm),
    ])
    .await;
    let user = stack.user().await;

    let search = json!({"origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01", "return_date": "2099-05-09",
        "adults": 2, "cabin_class": "business"});
    let found = stack.post("/api/v1/flights/search", &user, &search).await;
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    assert_eq!(found["meta"]["source"], "live");
    assert!(found["total_results"].as_u64().unwrap() > 0, "{found}");

    for (message, tool) in [
        ("Find flights from JFK to CDG on 2099-05-01, the cheapest flight", Some("search_flights")),
        ("What is the weather in Oslo?", Some("get_current_weather")),
        ("Hello there", None),
    ] {
        let body = json!({"messages": [{"role": "user", "content": message}]});
        let events = stack.post("/api/v1/chat", &user, &body).await.events();
        let last = events.last().unwrap();
        assert_eq!(
            (&last["type"], &last["meta"]["degraded"]),
            (&json!("final"), &json!(false)),
            "{message}: {events:?}"
        );
        assert_eq!(last["tool_calls"].get(0).map(|call| call["name"].as_str().unwrap()), tool, "{message}");
        assert!(events.iter().filter(|event| event["type"] == "delta").count() > 5, "{message}");
        assert!(last["usage"]["completion_tokens"].as_u64().unwrap() > 0, "{message}");
    }
    running.stop().await;
}
