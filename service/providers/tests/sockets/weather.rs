//! The weather server.

use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{instant, mcp_client::Client};

async fn called(seed: u64, tool: &str, arguments: Value) -> Value {
    let providers = instant(seed).await;
    Client::of(&providers, Provider::Weather).await.call(tool, arguments).await
}

#[tokio::test]
async fn the_weather_now_has_every_field_of_the_contract() {
    let weather = called(1, "get_current_weather", json!({"city": " Paris "})).await;
    assert_eq!(weather["city"], "Paris");
    for field in ["temperature_celsius", "humidity_percent", "wind_metres_per_second"] {
        assert!(weather[field].is_number(), "{field}");
    }
    assert!(weather["description"].is_string());
    assert_ne!(weather, called(2, "get_current_weather", json!({"city": "Paris"})).await);
}

#[tokio::test]
async fn a_forecast_has_the_days_asked_for() {
    let forecast = called(1, "get_forecast", json!({"city": "Paris", "days": 16})).await;
    let daily = forecast["daily"].as_array().unwrap();
    let dates: Vec<_> = daily.iter().map(|day| day["date"].as_str().unwrap()).collect();
    assert_eq!(dates.len(), 16);
    assert!(dates.is_sorted_by(|a, b| a < b));
    for day in daily {
        assert!(day["minimum_celsius"].as_f64() < day["maximum_celsius"].as_f64());
        assert!(day["precipitation_mm"].as_f64() >= Some(0.0));
    }
}

#[tokio::test]
async fn a_place_in_a_city_has_the_weather_of_the_city() {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Weather).await;
    let of_city = client.call("get_forecast", json!({"city": "Paris", "country": "France", "days": 3})).await;
    assert_eq!(client.call("get_forecast", json!({"latitude": 48.9, "longitude": 2.3, "days": 3})).await, of_city);
    let at_sea = client.call("get_current_weather", json!({"latitude": 0.5, "longitude": -30.0})).await;
    assert_eq!(at_sea["city"], "0.50, -30.00");
}

#[rstest]
#[case("get_current_weather", json!({}), "a place is given either by city or by latitude and longitude")]
#[case("get_current_weather", json!({"city": "Paris", "latitude": 1, "longitude": 2}), "a place is given either by city or by latitude and longitude")]
#[case("get_current_weather", json!({"latitude": 90.5, "longitude": 2}), "90.5, 2 is no place on earth")]
#[case("get_current_weather", json!({"city": "Paris", "country": ""}), "a country must have 1 to 100 bytes, not 0")]
#[case("get_forecast", json!({"city": "Paris", "days": 0}), "a forecast is for 1 to 16 days, not 0")]
#[case("get_forecast", json!({"city": "Paris", "days": 17}), "a forecast is for 1 to 16 days, not 17")]
#[case("get_forecast", json!({"city": " ", "days": 1}), "a city must have 1 to 100 bytes, not 0")]
#[case("get_current_weather", json!({"city": ""}), "a city must have 1 to 100 bytes, not 0")]
#[tokio::test]
async fn impossible_calls_are_errors(#[case] tool: &str, #[case] arguments: Value, #[case] message: &str) {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Weather).await;
    assert_eq!(client.refused(tool, arguments).await, message);
}
