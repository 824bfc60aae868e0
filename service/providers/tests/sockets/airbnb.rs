//! The airbnb server.

use std::collections::BTreeSet;

use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};

use crate::mcp_client::Client;

async fn client(seed: u64) -> Client {
    Client::alone(seed, Provider::Airbnb).await
}

fn search(change: Value) -> Value {
    let mut search = json!({"location": "Lisbon, Portugal", "checkin": "2027-05-01", "checkout": "2027-05-04", "adults": 2, "currency": "EUR"});
    search.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    search
}

#[tokio::test]
async fn the_same_seed_and_search_find_the_same_places() {
    let found = async |seed, change| client(seed).await.call("search_accommodations", search(change)).await;
    assert_eq!(found(1, json!({})).await, found(1, json!({})).await);
    assert_ne!(found(1, json!({})).await, found(2, json!({})).await);
    assert_ne!(found(1, json!({})).await, found(1, json!({"location": "Oslo"})).await);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let client = client(1).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    let count = loop {
        let change = cursor.map_or(json!({}), |cursor: String| json!({"cursor": cursor}));
        let found = client.call("search_accommodations", search(change)).await;
        let listings = found["listings"].as_array().unwrap();
        assert!((1..=18).contains(&listings.len()));
        for listing in listings {
            assert_eq!(listing["location"]["city"], "Lisbon");
            let total = listing["price_per_night"].as_f64().unwrap() * 3.0;
            assert!((total - listing["total_price"].as_f64().unwrap()).abs() < 0.005, "{listing}");
            seen.push((listing["price_per_night"].as_f64().unwrap(), listing["id"].to_string()));
        }
        cursor = found["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break found["count"].as_u64().unwrap();
        }
    };
    assert!(seen.is_sorted_by(|a, b| a.0 <= b.0));
    let ids: BTreeSet<_> = seen.iter().map(|(_, id)| id).collect();
    assert_eq!((ids.len(), seen.len()), (count as usize, count as usize));
}

#[tokio::test]
async fn wishes_are_respected() {
    let client = client(1).await;
    let wish = json!({"adults": 4, "property_type": "apartment", "min_price": 60, "max_price": 400});
    let found = client.call("search_accommodations", search(wish)).await;
    let listings = found["listings"].as_array().unwrap();
    assert!(!listings.is_empty());
    for listing in listings {
        assert_eq!(listing["property_type"], "apartment");
        assert!(listing["max_guests"].as_u64().unwrap() >= 4);
        assert!((60.0..=400.0).contains(&listing["price_per_night"].as_f64().unwrap()));
    }
    let nowhere = client.call("search_accommodations", search(json!({"location": "Atlantis"}))).await;
    assert_eq!((&nowhere["count"], &nowhere["listings"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn a_place_that_was_found_is_available_at_its_price() {
    let client = client(1).await;
    let found = client.call("search_accommodations", search(json!({}))).await;
    let listing = found["listings"][0].clone();
    let details = client.call("get_listing_details", json!({"listing_id": listing["id"], "currency": "EUR"})).await;
    assert_eq!((&details["listing"]["name"], &details["checkin_from"]), (&listing["name"], &json!("15:00")));
    let dates =
        json!({"listing_id": listing["id"], "checkin": "2027-05-01", "checkout": "2027-05-04", "currency": "EUR"});
    let free = client.call("check_availability", dates.clone()).await;
    assert_eq!((&free["available"], &free["nights"]), (&json!(true), &json!(3)));
    assert_eq!(free["total_price"], listing["total_price"]);
    let mut crowd = dates;
    crowd["guests"] = json!(26);
    assert_eq!(client.call("check_availability", crowd).await["available"], false);
}

#[rstest]
#[case("search_accommodations", search(json!({"checkout": "2027-05-01"})), "invalid_dates")]
#[case("search_accommodations", search(json!({"adults": 0})), "invalid_guests")]
#[case("search_accommodations", search(json!({"pets": 6})), "invalid_guests")]
#[case("search_accommodations", search(json!({"location": " "})), "invalid_location")]
#[case("search_accommodations", search(json!({"min_price": 9, "max_price": 8})), "invalid_prices")]
#[case("search_accommodations", search(json!({"cursor": "after-7"})), "invalid_cursor")]
#[case("search_accommodations", search(json!({"currency": "XXX"})), "unsupported_currency")]
#[case("search_accommodations", search(json!({"property_type": "castle"})), "invalid_arguments")]
#[case("get_listing_details", json!({"listing_id": "stay_LIS_99"}), "listing_not_found")]
#[case("check_availability", json!({"listing_id": "stay_LIS_01", "checkin": "2027-05-02", "checkout": "2027-05-01"}), "invalid_dates")]
#[tokio::test]
async fn impossible_calls_are_errors(#[case] tool: &str, #[case] arguments: Value, #[case] code: &str) {
    assert_eq!(client(1).await.refusal(tool, arguments).await.0, code);
}
