//! The flights server.

use futures_util::future::join_all;
use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{instant, mcp_client::Client};

fn search() -> Value {
    json!({"origin": "JFK", "destination": "CDG", "departure_date": "2027-05-01", "return_date": "2027-05-09", "adults": 2,
        "children": 1, "infants": 0, "cabin_class": "economy", "max_stops": 1, "preferred_airlines": ["AF", "DL"], "currency": "EUR"})
}

fn changed(key: &str, value: Value) -> Value {
    let mut search = search();
    search[key] = value;
    search
}

async fn found(seed: u64, search: Value) -> Value {
    let providers = instant(seed).await;
    let mut found = Client::of(&providers, Provider::Flights).await.call("search_flights", search).await;
    for offer in found["offers"].as_array_mut().unwrap() {
        offer.as_object_mut().unwrap().remove("expires_at").unwrap();
    }
    found
}

#[tokio::test]
async fn the_same_seed_and_search_give_the_same_offers() {
    assert_eq!(found(1, search()).await, found(1, search()).await);
    assert_ne!(found(1, search()).await["offers"], found(2, search()).await["offers"]);
    assert_ne!(found(1, search()).await["offers"], found(1, changed("adults", json!(1))).await["offers"]);
}

#[tokio::test]
async fn equal_searches_in_other_spelling_are_the_same() {
    let mut other = changed("origin", json!("jfk"));
    other["preferred_airlines"] = json!(["DL", "AF", "AF"]);
    assert_eq!(found(1, search()).await, found(1, other).await);
}

#[tokio::test]
async fn an_answer_has_every_field_of_the_contract() {
    let found = found(1, search()).await;
    let offers = found["offers"].as_array().unwrap();
    assert_eq!(found["offer_count"], offers.len());
    assert_eq!(found["currency"], "EUR");
    assert_eq!(found["cheapest_price"], offers[0]["total_amount"]);
    assert!(found["search_id"].is_string());
    for offer in offers {
        let sum = offer["base_amount"].as_f64().unwrap() + offer["tax_amount"].as_f64().unwrap();
        assert!((sum - offer["total_amount"].as_f64().unwrap()).abs() < 0.005);
        assert_eq!((&offer["total_currency"], &offer["cabin_class"]), (&json!("EUR"), &json!("economy")));
        assert_eq!((&offer["bookable"], &offer["passenger_count"]), (&json!(true), &json!(3)));
        assert!(["AF", "DL"].contains(&offer["airlines"][0].as_str().unwrap()));
        assert_eq!(offer["slices"].as_array().unwrap().len(), 2);
        let segment = &offer["slices"][0]["segments"][0];
        assert_eq!(segment["departure_airport"], "JFK");
        assert!(segment["departure_time"].as_str().unwrap().starts_with("2027-05-01T"));
        assert!(segment["flight_number"].is_string() && segment["duration_minutes"].is_u64());
    }
}

#[tokio::test]
async fn an_offer_can_be_looked_up() {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Flights).await;
    let found = client.call("search_flights", search()).await;
    for offer in found["offers"].as_array().unwrap() {
        assert_eq!(client.call("get_offer_details", json!({"offer_id": offer["id"]})).await, *offer);
    }
}

#[rstest]
#[case("off_0000000000000000_0")]
#[case("off_x")]
#[case("off_\u{e9}_1")]
#[case("")]
#[tokio::test]
async fn unknown_offers_are_errors(#[case] offer_id: &str) {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Flights).await;
    let refusal = client.refused("get_offer_details", json!({"offer_id": offer_id})).await;
    assert_eq!(refusal, format!("offer `{offer_id}` is unknown"));
}

#[rstest]
#[case("destination", json!("JFK"), "origin and destination are both JFK")]
#[case("origin", json!("New York"), "`New York` is not an IATA airport code")]
#[case("origin", json!(""), "`` is not an IATA airport code")]
#[case("return_date", json!("2027-04-30"), "return_date 2027-04-30 is before departure_date 2027-05-01")]
#[case("departure_date", json!("1999-12-31"), "departure_date 1999-12-31 is not between 2000 and 2099")]
#[case("adults", json!(0), "0 adults, 1 children and 0 infants cannot travel together")]
#[case("infants", json!(3), "2 adults, 1 children and 3 infants cannot travel together")]
#[case("max_stops", json!(4), "max_stops 4 is above 3")]
#[case("preferred_airlines", json!(["Air France"]), "`Air France` is not an airline code")]
#[case("currency", json!("XXX"), "fares are not sold in `XXX`")]
#[tokio::test]
async fn impossible_searches_are_errors(#[case] key: &str, #[case] value: Value, #[case] message: &str) {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Flights).await;
    assert_eq!(client.refused("search_flights", changed(key, value)).await, message);
}

#[rstest]
#[case("departure_date", json!("soon"))]
#[case("adults", json!(-1))]
#[case("cabin_class", json!("cargo"))]
#[tokio::test]
async fn arguments_of_the_wrong_kind_are_errors(#[case] key: &str, #[case] value: Value) {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Flights).await;
    let refusal = client.refused("search_flights", changed(key, value)).await;
    assert!(refusal.starts_with("failed to deserialize parameters"), "{refusal}");
}

#[tokio::test]
async fn concurrent_calls_get_their_own_answers() {
    let providers = instant(1).await;
    let client = &Client::of(&providers, Provider::Flights).await;
    let answers = join_all((1..=9).cycle().take(90).map(|adults| async move {
        let found = client.call("search_flights", changed("adults", json!(adults))).await;
        (adults, found["offers"][0]["passenger_count"].clone())
    }))
    .await;
    for (adults, passengers) in answers {
        assert_eq!(passengers, adults + 1);
    }
}
