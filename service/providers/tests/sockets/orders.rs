//! Orders at the flights server.

use std::time::Duration;

use futures_util::future::join_all;
use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{mcp_client::Client, start_with};

async fn offer(client: &Client) -> Value {
    let search = json!({"origin": "JFK", "destination": "CDG", "departure_date": "2027-05-01", "currency": "EUR"});
    client.call("search_flights", search).await["offers"][0].clone()
}

fn order(offer: &Value, key: &str) -> Value {
    json!({"offer_id": offer["id"], "passengers": [{"given_name": "Ann", "family_name": "Lee"}],
        "contact": {"email": "ann@example.com"}, "idempotency_key": key})
}

#[tokio::test]
async fn an_order_has_every_field_of_the_contract() {
    let client = Client::alone(1, Provider::Flights).await;
    let offer = offer(&client).await;
    let ordered = client.call("create_order", order(&offer, "k")).await;
    assert_eq!((&ordered["status"], &ordered["currency"]), (&json!("confirmed"), &json!("EUR")));
    assert_eq!((&ordered["total_amount"], &ordered["slices"]), (&offer["total_amount"], &offer["slices"]));
    assert_eq!(ordered["booking_reference"].as_str().unwrap().len(), 6);
    assert_eq!(ordered["passengers"][0], json!({"type": "adult", "given_name": "Ann", "family_name": "Lee"}));
    assert_eq!(client.call("get_order", json!({"order_id": ordered["order_id"]})).await, ordered);
    assert_eq!(client.call("get_order", json!({"idempotency_key": "k"})).await, ordered);
}

#[tokio::test]
async fn concurrent_orders_with_one_key_are_one_order() {
    let client = Client::alone(1, Provider::Flights).await;
    let order = order(&offer(&client).await, "k");
    let orders = join_all((0..20).map(|_| client.call("create_order", order.clone()))).await;
    assert!(orders.iter().all(|other| *other == orders[0]), "{orders:?}");
}

#[tokio::test]
async fn a_hold_says_when_it_ends() {
    let client = Client::alone(1, Provider::Flights).await;
    let mut order = order(&offer(&client).await, "k");
    order["hold_only"] = json!(true);
    let held = client.call("create_order", order).await;
    assert_eq!(held["status"], "held");
    assert!(held["expires_at"].as_str().unwrap() > held["created_at"].as_str().unwrap());
}

#[rstest]
#[case::unknown_offer("create_order", json!({"offer_id": "off_x_0"}), "offer_not_found")]
#[case::too_many("create_order", json!({"passengers": [{"given_name": "A", "family_name": "B"}, {"given_name": "C", "family_name": "D"}]}), "invalid_passengers")]
#[case::taken_key("create_order", json!({"idempotency_key": "taken"}), "idempotency_conflict")]
#[case::malformed("create_order", json!({"passengers": "Ann"}), "invalid_arguments")]
#[tokio::test]
async fn impossible_orders_are_errors(#[case] tool: &str, #[case] change: Value, #[case] code: &str) {
    let client = Client::alone(1, Provider::Flights).await;
    let offer = offer(&client).await;
    let mut taken = order(&offer, "taken");
    taken["contact"]["email"] = json!("bob@example.com");
    client.call("create_order", taken).await;
    let mut order = order(&offer, "k");
    order.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    assert_eq!(client.refusal(tool, order).await.0, code);
    assert_eq!(client.refusal("get_order", json!({"idempotency_key": "k"})).await.0, "order_not_found");
}

#[rstest]
#[case("get_order", json!({"order_id": "ord_x"}), "order_not_found")]
#[case("get_order", json!({}), "invalid_arguments")]
#[case("get_order", json!({"order_id": "a", "idempotency_key": "b"}), "invalid_arguments")]
#[case("cancel_order", json!({"order_id": "ord_x"}), "order_not_found")]
#[tokio::test]
async fn lookups_of_nothing_are_errors(#[case] tool: &str, #[case] arguments: Value, #[case] code: &str) {
    assert_eq!(Client::alone(1, Provider::Flights).await.refusal(tool, arguments).await.0, code);
}

/// The client is gone while the order is being taken: the order is taken all the same, and can be asked for.
#[tokio::test]
async fn an_order_is_taken_even_if_nobody_waits_for_the_answer() {
    let providers = start_with(1, |settings| {
        settings.service_times.insert(Provider::Flights, "constant:200ms".parse().unwrap());
    })
    .await;
    let client = Client::of(&providers, Provider::Flights).await;
    let order = order(&offer(&client).await, "k");
    timeout(Duration::from_millis(20), client.call("create_order", order)).await.unwrap_err();
    drop(client);
    let client = Client::of(&providers, Provider::Flights).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let found = client.try_call("get_order", json!({"idempotency_key": "k"})).await.unwrap();
        if found.is_error == Some(false) {
            break;
        }
        assert!(Instant::now() < deadline, "{found:?}");
    }
}
