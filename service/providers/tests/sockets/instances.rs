//! More than one server of a provider.

use std::time::Duration;

use providers::{Instance, Provider, Providers};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{http, mcp_client::Client, start_with};

async fn two_of(provider: &str, second: &str) -> Providers {
    start_with(1, |settings| {
        settings.set_service_time(format!("{provider}-2").parse().unwrap(), second.parse().unwrap());
    })
    .await
}

async fn client(providers: &Providers, instance: &str) -> Client {
    Client::at(providers.instances()[&instance.parse::<Instance>().unwrap()], None).await
}

#[tokio::test]
async fn instances_listen_on_ports_of_their_own_and_say_who_they_are() {
    let providers = two_of("flights", "constant:0s").await;
    assert_eq!(
        (providers.addresses().len(), providers.instances().len()),
        (Provider::ALL.len(), Provider::ALL.len() + 1)
    );
    for (instance, address) in providers.instances() {
        let health: Value = http().get(format!("http://{address}/health")).send().await.unwrap().json().await.unwrap();
        assert_eq!(health["provider"], instance.to_string());
    }
}

#[tokio::test]
async fn an_order_is_the_same_at_every_instance() {
    let providers = two_of("flights", "constant:0s").await;
    let (first, second) = (client(&providers, "flights").await, client(&providers, "flights-2").await);
    let search = json!({"origin": "JFK", "destination": "CDG", "departure_date": "2027-05-01"});
    let offer_id = first.call("search_flights", search).await["offers"][0]["id"].clone();
    let order = json!({"offer_id": offer_id, "passengers": [{"given_name": "Ann", "family_name": "Lee"}],
        "contact": {"email": "ann@example.com"}, "idempotency_key": "k"});
    let (one, other) = tokio::join!(first.call("create_order", order.clone()), second.call("create_order", order));
    assert_eq!(one, other);
    assert_eq!(second.call("get_order", json!({"idempotency_key": "k"})).await, one);
    let cancelled = second.call("cancel_order", json!({"order_id": one["order_id"]})).await;
    assert_eq!(cancelled["status"], "cancelled");
    let (code, _) = first.refusal("cancel_order", json!({"order_id": one["order_id"]})).await;
    assert_eq!(code, "already_cancelled");
}

#[tokio::test]
async fn memories_are_shared_too() {
    let providers = two_of("memory", "constant:0s").await;
    let (first, second) = (client(&providers, "memory").await, client(&providers, "memory-2").await);
    first.call("add_observations", json!({"user_id": "ann", "name": "seat", "observations": ["window"]})).await;
    let found = second.call("search_nodes", json!({"query": "window", "user_id": "ann"})).await;
    assert_eq!(found["entities"][0]["name"], "seat");
}

#[tokio::test]
async fn one_instance_may_be_slow() {
    let providers = two_of("weather", "constant:300ms").await;
    let slow = client(&providers, "weather-2").await;
    let started = Instant::now();
    let weather = slow.call("get_current_weather", json!({"city": "Paris"})).await;
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
    let quick = client(&providers, "weather").await;
    assert_eq!(quick.call("get_current_weather", json!({"city": "Paris"})).await, weather);
}
