//! The google_maps server.

use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};

use crate::mcp_client::Client;

async fn client() -> Client {
    Client::alone(1, Provider::GoogleMaps).await
}

#[tokio::test]
async fn an_address_is_found_and_described() {
    let client = client().await;
    let found = client.call("geocode", json!({"address": "Lisbon"})).await;
    let place = found["results"][0].clone();
    assert_eq!((&found["status"], &place["formatted_address"]), (&json!("OK"), &json!("Lisbon, Portugal")));
    assert_eq!(place["geometry"]["location"], json!({"lat": 38.72, "lng": -9.14}));
    let details = client.call("place_details", json!({"place_id": place["place_id"]})).await;
    assert_eq!((&details["result"], &details["description"]), (&place, &json!("Lisbon is a city in Portugal.")));
    let nowhere = client.call("geocode", json!({"address": "Atlantis"})).await;
    assert_eq!(nowhere, json!({"status": "ZERO_RESULTS", "results": []}));
}

#[tokio::test]
async fn places_are_found_by_words_and_around_coordinates() {
    let client = client().await;
    let museums = client.call("place_search", json!({"query": "museums in Lisbon"})).await;
    let around = json!({"query": "", "type": "museum", "latitude": 38.72, "longitude": -9.14, "radius": 20_000});
    assert_eq!(client.call("place_search", around).await, museums);
    let one = client.call("place_search", json!({"query": "museums in Lisbon", "limit": 1})).await;
    assert_eq!(one["results"], json!([museums["results"][0]]));
    assert!(museums["results"].as_array().unwrap().iter().all(|place| place["city"] == "Lisbon"));
}

#[tokio::test]
async fn zones_have_the_shape_of_google() {
    let arguments = json!({"latitude": 38.72, "longitude": -9.14, "timestamp": 1_814_400_000});
    let zone = client().await.call("timezone", arguments).await;
    let expected = json!({"status": "OK", "timeZoneId": "Europe/Lisbon", "timeZoneName": "WEST", "rawOffset": 0, "dstOffset": 3600});
    assert_eq!(zone, expected);
}

#[tokio::test]
async fn a_matrix_has_a_row_per_origin() {
    let ends = json!({"origins": ["Paris", "48.86,2.35"], "destinations": ["Brussels", "Atlantis"], "mode": "driving"});
    let matrix = client().await.call("distance_matrix", ends).await;
    assert_eq!(matrix["destination_addresses"], json!(["Brussels, Belgium", ""]));
    assert_eq!(matrix["rows"][0], matrix["rows"][1]);
    let elements = matrix["rows"][0]["elements"].as_array().unwrap();
    assert_eq!(elements[1], json!({"status": "NOT_FOUND"}));
    // 264 km as the crow flies, 1.3 times as far by road, 65 km in an hour.
    let (metres, seconds) = (&elements[0]["distance"]["value"], &elements[0]["duration"]["value"]);
    assert!((340_000..348_000).contains(&metres.as_u64().unwrap()), "{metres}");
    assert!((18_800..19_300).contains(&seconds.as_u64().unwrap()), "{seconds}");
}

#[rstest]
#[case("geocode", json!({"address": ""}), "invalid_text")]
#[case("place_search", json!({"query": ""}), "invalid_text")]
#[case("place_search", json!({"query": "x", "latitude": 1.0}), "invalid_coordinates")]
#[case("place_search", json!({"query": "x", "latitude": 91.0, "longitude": 0.0}), "invalid_coordinates")]
#[case("place_search", json!({"query": "x", "radius": 0}), "invalid_radius")]
#[case("place_search", json!({"query": "x", "limit": 51}), "invalid_count")]
#[case("place_details", json!({"place_id": "plc_XXX"}), "place_not_found")]
#[case("timezone", json!({"latitude": 0.0, "longitude": 181.0}), "invalid_coordinates")]
#[case("timezone", json!({"latitude": 0.0, "longitude": 0.0, "timestamp": i64::MAX}), "invalid_timestamp")]
#[case("distance_matrix", json!({"origins": [], "destinations": ["Paris"]}), "invalid_count")]
#[tokio::test]
async fn impossible_calls_are_errors(#[case] tool: &str, #[case] arguments: Value, #[case] code: &str) {
    assert_eq!(client().await.refusal(tool, arguments).await.0, code);
}
