//! A fault that nobody renews ends by itself.
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};

use crate::rig::{Rig, echo, eventually, ms, ping};

async fn toxic_count(rig: &Rig) -> usize {
    rig.call("GET", "/proxies/link/toxics", Value::Null).await.json().as_array().unwrap().len()
}

#[tokio::test]
async fn a_toxic_goes_when_its_lease_runs_out() {
    let rig = Rig::new(echo().await).await;
    let started = Instant::now();
    rig.add(json!({ "type": "latency", "attributes": { "latency": 9000, "ttl_ms": 150 } })).await;
    let listed = rig.call("GET", "/proxies/link/toxics", Value::Null).await.json();
    assert_eq!(listed[0]["attributes"], json!({ "jitter": 0, "latency": 9000, "ttl_ms": 150 }));
    // A message that was on its way is released with the fault.
    let rtt = ping(&mut rig.connect().await).await.unwrap();
    assert!(started.elapsed() >= ms(150) && rtt < ms(8000), "{rtt:?}");
    eventually("the toxic is gone", async || toxic_count(&rig).await == 0).await;
    assert!(ping(&mut rig.connect().await).await.unwrap() < ms(8000));
    rig.links.stop().await;
}

#[tokio::test]
async fn a_renewal_keeps_the_fault_and_its_settings() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "latency", "attributes": { "latency": 20, "ttl_ms": 400 } })).await;
    let started = Instant::now();
    let path = "/proxies/link/toxics/latency_downstream";
    while started.elapsed() < ms(1000) {
        let renewed = rig.call("POST", path, json!({ "attributes": { "ttl_ms": 400 } })).await;
        assert_eq!(renewed.json()["attributes"]["latency"], 20, "after {:?}", started.elapsed());
        tokio::time::sleep(ms(50)).await;
    }
    assert!(ping(&mut rig.connect().await).await.unwrap() >= ms(20));
    eventually("without renewal it goes", async || toxic_count(&rig).await == 0).await;
    rig.links.stop().await;
}

#[tokio::test]
async fn a_lease_of_zero_makes_the_fault_stay_and_is_not_listed() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "noop", "attributes": { "ttl_ms": 300 } })).await;
    let path = "/proxies/link/toxics/noop_downstream";
    let kept = rig.call("POST", path, json!({ "attributes": { "ttl_ms": 0 } })).await;
    assert_eq!(kept.json()["attributes"], json!({}));
    rig.add(json!({ "type": "latency", "attributes": { "ttl_ms": 350 } })).await;
    eventually("the leased one goes", async || toxic_count(&rig).await == 1).await;
    assert_eq!(rig.call("GET", path, Value::Null).await.status, 200);
    rig.links.stop().await;
}

#[tokio::test]
async fn a_link_comes_up_when_the_lease_of_being_down_runs_out() {
    let rig = Rig::new(echo().await).await;
    let started = Instant::now();
    let down = rig.call("POST", "/proxies/link", json!({ "enabled": false, "ttl_ms": 200 })).await.json();
    assert_eq!((&down["enabled"], &down["ttl_ms"]), (&json!(false), &json!(200)));
    assert!(TcpStream::connect(rig.link).await.is_err());
    eventually("the link is up", async || TcpStream::connect(rig.link).await.is_ok()).await;
    assert!(started.elapsed() >= ms(199), "{:?}", started.elapsed());
    let up = rig.call("GET", "/proxies/link", Value::Null).await.json();
    assert_eq!((&up["enabled"], up.get("ttl_ms")), (&json!(true), None));
    ping(&mut rig.connect().await).await.unwrap();
    rig.links.stop().await;
}
