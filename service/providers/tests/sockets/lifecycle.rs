//! Starting, pacing and stopping.

use std::{net::SocketAddr, time::Duration};

use providers::{Error, Provider, Settings};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::{http, instant, mcp_client::Client, start_with};

/// A streamed answer whose head has arrived.
async fn stream(llm: SocketAddr) -> reqwest::Response {
    let url = format!("http://{llm}/v1/chat/completions");
    let body = json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "hello"}]});
    http().post(url).json(&body).send().await.unwrap()
}

#[tokio::test]
async fn every_provider_says_that_it_is_healthy() {
    let providers = instant(1).await;
    assert_eq!(providers.addresses().len(), Provider::ALL.len());
    for (provider, address) in providers.addresses() {
        let health: Value = http().get(format!("http://{address}/health")).send().await.unwrap().json().await.unwrap();
        assert_eq!(health, json!({"status": "ok", "provider": provider.to_string()}));
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let mut settings = Settings::new(1);
    settings.first_port = address.port();
    let error = providers::start(settings).await.unwrap_err();
    assert!(matches!(error, Error::Bind { .. } | Error::Settings(_)), "{error:?}");
    if let Error::Bind { .. } = error {
        assert_eq!(error.to_string(), format!("cannot listen on {address} for provider `flights`"));
    }
}

#[tokio::test]
async fn calls_take_at_least_their_service_time() {
    let service_time = "constant:250ms".parse().unwrap();
    let providers = start_with(1, |settings| {
        settings.service_times.insert(Provider::Weather, service_time);
    })
    .await;
    let client = &Client::of(&providers, Provider::Weather).await;
    let started = Instant::now();
    futures_util::future::join_all((0..8).map(|_| client.call("get_current_weather", json!({"city": "Paris"})))).await;
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(250), "{elapsed:?}");
    assert!(elapsed < Duration::from_millis(8 * 250), "calls waited for each other: {elapsed:?}");
}

#[tokio::test]
async fn tokens_arrive_when_they_are_due() {
    let providers = start_with(1, |settings| {
        settings.service_times.insert(Provider::Llm, "constant:60ms".parse().unwrap());
        settings.llm.gap = "constant:20ms".parse().unwrap();
        settings.llm.tokens = 30..=30;
    })
    .await;
    let started = Instant::now();
    let mut response = stream(providers.addresses()[&Provider::Llm]).await;
    let first = response.chunk().await.unwrap().unwrap();
    let first = String::from_utf8(first.into()).unwrap();
    assert!(first.starts_with("data: ") && !first.contains("[DONE]"), "{first}");
    let first_token = started.elapsed();
    while response.chunk().await.unwrap().is_some() {}
    let last_token = started.elapsed();
    // The first token is due after 60 ms, the thirtieth 29 gaps later.
    assert!(first_token >= Duration::from_millis(60), "{first_token:?}");
    assert!(last_token >= Duration::from_millis(60 + 29 * 20), "{last_token:?}");
}

#[tokio::test]
async fn stopping_lets_answers_finish_and_closes_the_ports() {
    let providers = start_with(1, |settings| {
        settings.service_times.insert(Provider::Llm, "constant:300ms".parse().unwrap());
    })
    .await;
    let address = providers.addresses()[&Provider::Llm];
    let started = Instant::now();
    // The head of the answer is here: the answer is in flight.
    let response = stream(address).await;
    let (_, text) = tokio::join!(providers.stop(), response.text());
    assert!(text.unwrap().trim_end().ends_with("data: [DONE]"));
    assert!(started.elapsed() >= Duration::from_millis(300), "the service time was cut: {:?}", started.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_for_long_service_times() {
    let providers = start_with(1, |settings| {
        settings.service_times.insert(Provider::Llm, "constant:1h".parse().unwrap());
    })
    .await;
    let response = stream(providers.addresses()[&Provider::Llm]).await;
    let started = Instant::now();
    let (_, text) = tokio::join!(providers.stop(), response.text());
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(text.unwrap().trim_end().ends_with("data: [DONE]"));
}

#[tokio::test]
async fn dropping_them_closes_the_ports() {
    let providers = instant(1).await;
    let address = providers.addresses()[&Provider::Memory];
    TcpStream::connect(address).await.unwrap();
    drop(providers);
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();
}
