//! Stays, destinations and the unified search with the bundled providers, over real sockets.

use std::time::Duration;

use providers::{Provider, ServiceTime, Settings};
use serde_json::json;

use crate::stack::Stack;

#[tokio::test]
async fn stays_destinations_and_the_unified_search_work_with_the_bundled_providers() {
    let mut settings = Settings::new(7);
    for provider in Provider::ALL {
        settings.service_times.insert(provider, ServiceTime::Constant(Duration::from_millis(1)));
    }
    let running = providers::start(settings).await.unwrap();
    let url = |provider: Provider| format!("http://{}/mcp", running.addresses()[&provider]);
    let (flights, airbnb, google_maps) = (url(Provider::Flights), url(Provider::Airbnb), url(Provider::GoogleMaps));
    let (weather, time) = (url(Provider::Weather), url(Provider::Time));
    let stack = Stack::start(&[
        ("TRIPSAGE_MCP_FLIGHTS_URL", &flights),
        ("TRIPSAGE_MCP_AIRBNB_URL", &airbnb),
        ("TRIPSAGE_MCP_GOOGLE_MAPS_URL", &google_maps),
        ("TRIPSAGE_MCP_WEATHER_URL", &weather),
        ("TRIPSAGE_MCP_TIME_URL", &time),
    ])
    .await;
    let user = stack.user().await;

    let dates = json!({"check_in": "2099-05-01", "check_out": "2099-05-04"});
    let mut body = json!({"location": "Lisbon", "adults": 2, "children": 1, "min_price": 20, "max_price": 900,
        "property_type": "apartment"});
    body.as_object_mut().unwrap().extend(dates.as_object().unwrap().clone());
    let stays = stack.post("/api/v1/accommodations/search", &user, &body).await;
    assert_eq!(stays.status, 200, "{stays:?}");
    let stays = stays.json();
    assert_eq!((&stays["meta"]["degraded"], &stays["meta"]["source"]), (&json!(false), &json!("live")), "{stays}");
    assert!(stays["count"].as_u64().unwrap() > 0, "{stays}");
    let mut body = json!({"listing_id": stays["listings"][0]["id"], "adults": 2});
    body.as_object_mut().unwrap().extend(dates.as_object().unwrap().clone());
    let one = stack.post("/api/v1/accommodations/details", &user, &body).await.json();
    assert_eq!(
        (&one["availability"]["is_available"], &one["meta"]["degraded"]),
        (&json!(true), &json!(false)),
        "{one}"
    );
    assert_eq!(one["total_price"], stays["listings"][0]["total_price"]);
    body["listing_id"] = json!("stay_XXX_00");
    assert_eq!(stack.post("/api/v1/accommodations/details", &user, &body).await.error().0, 404);

    let body = json!({"query": "Lisbon", "include_weather": true, "include_attractions": true});
    let found = stack.post("/api/v1/destinations/search", &user, &body).await.json();
    assert_eq!(found["meta"]["degraded"], false, "{found}");
    let first = &found["destinations"][0];
    assert_eq!((&first["name"], &first["weather"]["city"]), (&json!("Lisbon"), &json!("Lisbon")), "{found}");
    assert!(!first["attractions"].as_array().unwrap().is_empty(), "{found}");
    let path = format!("/api/v1/destinations/{}", first["id"].as_str().unwrap());
    let details = stack.get(&path, &user).await.json();
    assert_eq!(
        (&details["meta"]["degraded"], &details["local_time"]["timezone"]),
        (&json!(false), &json!("Europe/Lisbon"))
    );
    assert_eq!(details["forecast"].as_array().unwrap().len(), 5, "{details}");
    assert_eq!(stack.get("/api/v1/destinations/plc_XXX", &user).await.error().0, 404);

    let body = json!({"query": "Lisbon", "origin": "JFK", "destination": "LIS",
        "dates": {"start": "2099-05-01", "end": "2099-05-04"}});
    let all = stack.post("/api/v1/search/unified", &user, &body).await.json();
    assert_eq!((&all["meta"]["degraded"], &all["metadata"]["provider_errors"]), (&json!(false), &json!({})), "{all}");
    for part in ["flights", "accommodations", "destinations"] {
        assert!(!all["results"][part].as_array().unwrap().is_empty(), "{part}: {all}");
    }
    running.stop().await;
}
