//! The time server.

use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};

use crate::mcp_client::Client;

async fn client() -> Client {
    Client::alone(1, Provider::Time).await
}

#[tokio::test]
async fn times_are_told_and_converted() {
    let client = client().await;
    let now = client.call("get_current_time", json!({"timezone": "Asia/Tokyo"})).await;
    assert_eq!((&now["timezone"], &now["utc_offset"]), (&json!("Asia/Tokyo"), &json!("+09:00")));
    assert!(now["datetime"].as_str().unwrap().ends_with("+09:00"));
    let conversion =
        json!({"source_timezone": "Europe/Paris", "time": "2027-07-01T14:00", "target_timezone": "America/New_York"});
    let converted = client.call("convert_time", conversion).await;
    assert_eq!((&converted["target"]["time"], &converted["difference_hours"]), (&json!("08:00"), &json!(-6.0)));
    let flight = json!({"departure_time": "2027-05-01T22:00", "departure_timezone": "America/New_York",
        "flight_duration_hours": 7.5, "arrival_timezone": "Europe/Paris"});
    let arrival = client.call("calculate_flight_arrival_time", flight).await;
    assert_eq!(
        (&arrival["arrival"]["datetime"], &arrival["day_offset"]),
        (&json!("2027-05-02T11:30:00+02:00"), &json!(1))
    );
}

#[rstest]
#[case("get_current_time", json!({"timezone": "Mars/Base"}), "unknown_timezone")]
#[case("convert_time", json!({"source_timezone": "UTC", "time": "noon", "target_timezone": "UTC"}), "invalid_time")]
#[case("calculate_flight_arrival_time", json!({"departure_time": "08:00", "departure_timezone": "UTC", "flight_duration_hours": -1, "arrival_timezone": "UTC"}), "invalid_duration")]
#[tokio::test]
async fn impossible_calls_are_errors(#[case] tool: &str, #[case] arguments: Value, #[case] code: &str) {
    assert_eq!(client().await.refusal(tool, arguments).await.0, code);
}
