//! A rule that nobody renews ends by itself, with what it holds.
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::rig::{LINK, Rig, eventually};

#[tokio::test]
async fn a_rule_goes_when_its_lease_runs_out() {
    let rig = Rig::new("mcp").await;
    let started = Instant::now();
    rig.add(json!({ "kind": "no_answer", "ttl_ms": 400 })).await;
    let (_, listed) = rig.api(Method::GET, &format!("/proxies/{LINK}/rules"), Value::Null).await;
    assert_eq!(listed[0]["ttl_ms"], 400);
    assert!(rig.call("/json").await.is_none(), "it was held, and then cut");
    assert!(started.elapsed() >= Duration::from_millis(399), "{:?}", started.elapsed());
    eventually("the rule is gone", async || rig.effects().await["removed"] == true).await;
    rig.works("/json").await;
    rig.links.stop().await;
}

#[tokio::test]
async fn a_renewal_keeps_the_rule_and_its_settings() {
    let rig = Rig::new("mcp").await;
    rig.add(json!({ "kind": "http_error", "attributes": { "status": 503 }, "first": 1000, "ttl_ms": 2000 })).await;
    let path = format!("/proxies/{LINK}/rules/rule");
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(3000) {
        let (status, kept) = rig.api(Method::POST, &path, json!({ "ttl_ms": 2000 })).await;
        assert_eq!((status, &kept["attributes"], &kept["first"]), (200, &json!({ "status": 503 }), &json!(1000)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rig.call("/json").await.unwrap().status, 503);
    let (_, kept) = rig.api(Method::PATCH, &path, json!({ "ttl_ms": 0 })).await;
    assert_eq!(kept.get("ttl_ms"), None, "a lease of zero makes it stay");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_reset_lifts_every_rule_and_forgets_what_it_did() {
    let rig = Rig::new("mcp").await;
    rig.add(json!({ "kind": "http_error", "attributes": { "status": 503 } })).await;
    assert_eq!(rig.call("/json").await.unwrap().status, 503);
    assert_eq!(rig.api(Method::POST, "/reset", Value::Null).await.0, 204);
    let (_, link) = rig.api(Method::GET, &format!("/proxies/{LINK}"), Value::Null).await;
    assert_eq!((&link["protocol"], link.get("rules")), (&json!("mcp"), None));
    assert_eq!(rig.effects().await, Value::Null);
    rig.works("/json").await;
    rig.links.stop().await;
}
