//! The HTTP API of rules: shapes, statuses, texts.
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{LINK, Rig};

#[tokio::test]
async fn rules_are_made_listed_changed_and_removed() {
    let rig = Rig::new("mcp").await;
    let rules = format!("/proxies/{LINK}/rules");
    let written = json!({"name": "a", "kind": "http_error", "attributes": {"status": 503, "retry_after": "60s"},
        "match": {"tool": "search"}, "share": 0.5, "every": 2, "ttl_ms": 60000});
    let mut shape = written.clone();
    shape["attributes"]["retry_after"] = json!("1m");
    assert_eq!(rig.api(Method::POST, &rules, written).await, (200, shape.clone()));
    assert_eq!(rig.api(Method::GET, &rules, Value::Null).await, (200, json!([shape])));
    assert_eq!(rig.api(Method::GET, &format!("{rules}/a"), Value::Null).await, (200, shape.clone()));

    let change = json!({"attributes": {"status": 500}, "match": {"method": "tools/call"}, "share": 1.0});
    let (status, changed) = rig.api(Method::PATCH, &format!("{rules}/a"), change).await;
    shape["attributes"]["status"] = json!(500);
    (shape["match"], shape["share"]) = (json!({"method": "tools/call"}), json!(1.0));
    assert_eq!((status, &changed), (200, &shape));

    let (_, plain) = rig.api(Method::POST, &rules, json!({ "kind": "rpc_error" })).await;
    let defaults = json!({ "code": -32603, "message": "Internal error" });
    assert_eq!(
        plain,
        json!({"name": "rpc_error", "kind": "rpc_error", "attributes": defaults, "match": {}, "share": 1.0})
    );
    let (_, link) = rig.api(Method::GET, &format!("/proxies/{LINK}"), Value::Null).await;
    assert_eq!((link["rules"].as_array().unwrap().len(), &link["protocol"]), (2, &json!("mcp")));
    for name in ["a", "rpc_error"] {
        assert_eq!(rig.api(Method::DELETE, &format!("{rules}/{name}"), Value::Null).await.0, 204);
    }
    assert_eq!(rig.api(Method::GET, &rules, Value::Null).await, (200, json!([])));
    rig.links.stop().await;
}

#[tokio::test]
async fn mistakes_are_said_by_status_and_text() {
    let rig = Rig::new("mcp").await;
    rig.add(json!({ "kind": "rpc_error" })).await;
    let plain = json!({ "name": "plain", "upstream": "127.0.0.1:9" });
    assert_eq!(rig.api(Method::POST, "/proxies", plain).await.0, 201);
    let rules = format!("/proxies/{LINK}/rules");
    let check = async |method: Method, path: &str, body: Value, status: u16, text: &str| {
        let (seen, said) = rig.api(method, path, body.clone()).await;
        let said = said["error"].as_str().unwrap_or_default().to_owned();
        assert!(seen == status && said.contains(text), "{path} {body}: {seen} {said}");
    };
    let post = Method::POST;
    let wrong = |fields: Value| {
        let mut rule = json!({ "name": "x", "kind": "http_error", "attributes": { "status": 503 } });
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        rule
    };
    check(post.clone(), "/proxies/plain/rules", wrong(json!({})), 400, "has no protocol, so it knows no rules").await;
    check(post.clone(), "/proxies/none/rules", wrong(json!({})), 404, "proxy not found").await;
    check(post.clone(), &rules, json!({ "name": "x" }), 400, "missing required field: kind").await;
    check(post.clone(), &rules, json!({ "name": "rule", "kind": "rpc_error" }), 409, "rule already exists").await;
    check(post.clone(), &rules, wrong(json!({ "kind": "http_eror" })), 400, "unknown variant `http_eror`").await;
    check(post.clone(), &rules, wrong(json!({ "kind": "slow_tokens" })), 400, "unknown variant `slow_tokens`").await;
    check(post.clone(), &rules, wrong(json!({ "attributes": {} })), 400, "missing field `status`").await;
    check(post.clone(), &rules, wrong(json!({ "attributes": { "status": 200 } })), 400, "must be 400 to 599").await;
    check(post.clone(), &rules, wrong(json!({ "attributes": { "staus": 503 } })), 400, "unknown field `staus`").await;
    check(post.clone(), &rules, wrong(json!({ "share": 0 })), 400, "share is 0").await;
    check(post.clone(), &rules, wrong(json!({ "share": 1.5 })), 400, "share is 1.5").await;
    check(post.clone(), &rules, wrong(json!({ "nth": 0 })), 400, "nonzero").await;
    check(post.clone(), &rules, wrong(json!({ "nth": 3, "first": 2 })), 400, "no request").await;
    check(post.clone(), &rules, wrong(json!({ "match": { "tol": "x" } })), 400, "unknown field `tol`").await;
    check(post.clone(), &rules, json!([]), 400, "bad request body").await;
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        check(method, &format!("{rules}/none"), Value::Null, 404, "rule not found").await;
    }
    let unknown = json!({ "name": "y", "upstream": "127.0.0.1:9", "protocol": "smtp" });
    check(post, "/proxies", unknown, 400, "invalid protocol `smtp`").await;
    assert_eq!(rig.api(Method::GET, &rules, Value::Null).await.1.as_array().unwrap().len(), 1, "nothing was made");
    rig.links.stop().await;
}
