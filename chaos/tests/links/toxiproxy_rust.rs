//! The crate `toxiproxy_rust`: every call that it documents, on our links; and our driver of it.
use std::{
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
};

use chaos::{Direction, Link, Toxic, Toxiproxy, ToxiproxyError};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use toxiproxy_rust::{client::Client, proxy::ProxyPack};

use crate::rig::{Rig, echo, eventually, ping, serve_each};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn toxiproxy_rust_can_do_everything_it_can() {
    let server = echo().await;
    let rig = Rig::new(server).await;
    let api = rig.links.api_address();
    // It blocks, and must neither be made nor dropped on a runtime.
    tokio::task::spawn_blocking(move || drive_all(api, server)).await.unwrap();
    rig.links.stop().await;
}

fn drive_all(api: SocketAddr, server: SocketAddr) {
    let client = Client::new(api);
    assert!(client.is_running());
    assert!(client.version().unwrap().contains("\"2.12.0\""));
    let packs = ["a", "b"].map(|name| ProxyPack::new(name.to_owned(), "127.0.0.1:0".to_owned(), server.to_string()));
    let made = client.populate(packs.into()).unwrap();
    assert_eq!(made.iter().map(|proxy| proxy.proxy_pack.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(client.all().unwrap().len(), 3);
    assert!(client.find_proxy("nobody").is_err());

    let proxy = client.find_proxy("a").unwrap();
    let listen = proxy.proxy_pack.listen.clone();
    let stream = || "downstream".to_owned();
    proxy
        .with_latency(stream(), 20, 5, 1.0)
        .with_bandwidth(stream(), 500, 1.0)
        .with_slow_close(stream(), 5, 1.0)
        .with_timeout("upstream".to_owned(), 5_000, 0.0)
        .with_slicer(stream(), 1024, 128, 500, 0.5)
        .with_limit_data(stream(), 2048, 1.0);
    let toxics = proxy.toxics().unwrap();
    let kinds: Vec<&str> = toxics.iter().map(|toxic| toxic.r#type.as_str()).collect();
    assert_eq!(kinds, ["timeout", "latency", "bandwidth", "slow_close", "slicer", "limit_data"]);
    assert_eq!((toxics[1].name.as_str(), toxics[1].attributes["latency"]), ("latency_downstream", 20));
    assert_eq!((toxics[4].toxicity, toxics[4].attributes["average_size"]), (0.5, 1024));

    let mut has_run = false;
    proxy.apply(|| has_run = true).unwrap();
    assert!(has_run && proxy.toxics().unwrap().is_empty(), "apply takes the toxics off again");
    proxy.with_down(|| assert!(TcpStream::connect(&listen).is_err())).unwrap();
    assert!(TcpStream::connect(&listen).is_ok());

    proxy.disable().unwrap();
    proxy.with_latency(stream(), 1, 0, 1.0);
    assert!(!client.find_proxy("a").unwrap().proxy_pack.enabled);
    let proxy = client.find_and_reset_proxy("a").unwrap();
    assert!(TcpStream::connect(&listen).is_ok() && proxy.toxics().unwrap().is_empty());
    proxy.disable().unwrap();
    proxy.enable().unwrap();
    proxy.with_bandwidth(stream(), 1, 1.0).delete_all_toxics().unwrap();
    proxy.with_latency(stream(), 1, 0, 1.0);
    client.reset().unwrap();
    assert!(proxy.toxics().unwrap().is_empty());
    proxy.delete().unwrap();
    assert!(client.find_proxy("a").is_err());
}

#[tokio::test]
async fn what_the_driver_writes_is_read_back() {
    let server = echo().await;
    let rig = Rig::new(server).await;
    let toxiproxy = Toxiproxy::new(rig.links.api_address()).unwrap();
    assert_eq!(toxiproxy.version().await.unwrap(), "2.12.0");
    let link =
        Link { name: "a".to_owned(), listen: "127.0.0.1:0".to_owned(), upstream: server.to_string(), protocol: None };
    let listen = toxiproxy.populate(&[link]).await.unwrap();
    assert!(TcpStream::connect(&listen[0]).is_ok());

    toxiproxy.enable("a", false).await.unwrap();
    assert!(TcpStream::connect(&listen[0]).is_err());
    toxiproxy.enable("a", true).await.unwrap();
    let slow = |latency| Toxic::Latency { latency, jitter: 0 };
    let all = [
        slow(30),
        Toxic::Bandwidth { rate: 1000 },
        Toxic::SlowClose { delay: 1 },
        Toxic::Timeout { timeout: 1 },
        Toxic::Slicer { average_size: 64, size_variation: 1, delay: 1 },
        Toxic::LimitData { bytes: 5 },
    ];
    for toxic in all {
        toxiproxy.add("a", toxic, Direction::Upstream, 0.25).await.unwrap();
    }
    let twice = toxiproxy.add("a", slow(60), Direction::Upstream, 0.25).await.unwrap_err();
    assert!(matches!(twice, ToxiproxyError::Mismatch { .. }), "the client says nothing of the refusal: {twice}");
    toxiproxy.clear("a").await.unwrap();
    let missing = toxiproxy.enable("nobody", false).await.unwrap_err();
    assert!(matches!(missing, ToxiproxyError::Client { .. }), "{missing}");

    toxiproxy.add("link", slow(30), Direction::Downstream, 1.0).await.unwrap();
    assert!(ping(&mut rig.connect().await).await.unwrap().as_millis() >= 30);
    toxiproxy.reset().await.unwrap();
    toxiproxy.add("link", slow(30), Direction::Downstream, 1.0).await.unwrap();
    drop(toxiproxy);
    let toxics = async || rig.call("GET", "/proxies/link/toxics", Value::Null).await.json();
    eventually("who goes leaves no fault behind", async || toxics().await == serde_json::json!([])).await;
    rig.links.stop().await;
}

#[tokio::test]
async fn a_client_that_panics_is_an_error_and_the_next_call_works() {
    // The crate expects every version to be UTF-8.
    let answers = Arc::new(Mutex::new(vec![&b"{\"version\": \"9\"}"[..], b"\xff"]));
    let server = serve_each(move |mut stream| {
        let body = answers.lock().unwrap().pop().unwrap_or(b"{}");
        async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        }
    })
    .await;
    let toxiproxy = Toxiproxy::new(server).unwrap();
    let error = toxiproxy.version().await.unwrap_err();
    assert!(matches!(error, ToxiproxyError::GaveUp { .. }), "{error}");
    assert_eq!(toxiproxy.version().await.unwrap(), "9");

    let nobody = Toxiproxy::new(SocketAddr::from(([127, 0, 0, 1], 1))).unwrap();
    let error = nobody.version().await.unwrap_err();
    assert!(matches!(error, ToxiproxyError::Client { .. }), "{error}");
}
