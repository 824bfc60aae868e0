//! Toxiproxy's HTTP API, row by row: routes, statuses, shapes and texts.
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::rig::{Rig, echo, send, send_as};

/// One request and what must come back; the body as a JSON value that the answer must contain, or as a text within it.
async fn check(rig: &Rig, request: (&str, &str, Value), status: u16, expected: impl Into<Expected>) {
    let (method, path, body) = request;
    let answer = rig.call(method, path, body.clone()).await;
    let row = format!("{method} {path} {body} -> {} {}", answer.status, answer.text);
    assert_eq!(answer.status, status, "{row}");
    match expected.into() {
        Expected::Nothing => assert_eq!(answer.text, "", "{row}"),
        Expected::Text(text) => assert!(answer.text.contains(text), "{row} without {text}"),
        Expected::Json(part) => {
            assert!(answer.head.contains("content-type: application/json"), "{row}");
            assert!(contains(&answer.json(), &part), "{row} without {part}");
        }
    }
    assert!(answer.head.contains("x-toxiproxy-request-id") || status == 404 || status == 405, "{row}");
}

enum Expected {
    Nothing,
    Text(&'static str),
    Json(Value),
}

impl From<()> for Expected {
    fn from((): ()) -> Self {
        Self::Nothing
    }
}

impl From<&'static str> for Expected {
    fn from(text: &'static str) -> Self {
        Self::Text(text)
    }
}

impl From<Value> for Expected {
    fn from(part: Value) -> Self {
        Self::Json(part)
    }
}

/// Whether `whole` has everything that `part` has; arrays must be as long.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|found| contains(found, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        _ => whole == part,
    }
}

fn error(status: u16, text: &str) -> Value {
    json!({ "error": text, "status": status })
}

const NONE: Value = Value::Null;

#[tokio::test]
async fn proxies_are_made_read_changed_and_deleted() {
    let rig = Rig::new(echo().await).await;
    let server = echo().await.to_string();
    let new = |name: &str| json!({ "name": name, "listen": "localhost:0", "upstream": server });
    check(&rig, ("GET", "/version", NONE), 200, "{\"version\": \"2.12.0\"").await;
    check(&rig, ("POST", "/proxies", new("a")), 201, json!({ "name": "a", "enabled": true, "toxics": [] })).await;
    check(&rig, ("POST", "/proxies", new("a")), 409, error(409, "proxy already exists")).await;
    check(&rig, ("POST", "/proxies", json!({})), 400, error(400, "missing required field: name")).await;
    check(&rig, ("POST", "/proxies", json!({ "name": "b" })), 400, error(400, "missing required field: upstream"))
        .await;
    check(&rig, ("POST", "/proxies", NONE), 400, error(400, "bad request body: EOF")).await;
    check(&rig, ("POST", "/proxies", json!([1])), 400, "bad request body: json: cannot unmarshal array").await;
    check(&rig, ("POST", "/proxies", json!({ "NAME": "c", "Upstream": server, "listen": "127.0.0.1:0" })), 201, "")
        .await;
    let off = json!({ "name": "off", "listen": "localhost:0", "upstream": server, "enabled": false });
    check(&rig, ("POST", "/proxies", off), 201, json!({ "listen": "localhost:0", "enabled": false })).await;
    check(&rig, ("GET", "/proxies", NONE), 200, json!({ "a": { "name": "a" }, "c": {}, "link": {}, "off": {} })).await;
    check(&rig, ("GET", "/proxies/a", NONE), 200, json!({ "upstream": server })).await;
    check(&rig, ("GET", "/proxies/x", NONE), 404, error(404, "proxy not found")).await;

    let taken = json!({ "name": "d", "listen": rig.link.to_string(), "upstream": server });
    let text = format!("listen tcp {}: bind: address already in use", rig.link);
    check(&rig, ("POST", "/proxies", taken), 500, error(500, &text)).await;
    check(&rig, ("GET", "/proxies/d", NONE), 404, error(404, "proxy not found")).await;
    check(
        &rig,
        ("POST", "/proxies/a", json!({ "listen": "nonsense" })),
        500,
        "address nonsense: missing port in address",
    )
    .await;

    check(&rig, ("PATCH", "/proxies/a", json!({ "enabled": false })), 200, json!({ "enabled": false })).await;
    check(
        &rig,
        ("POST", "/proxies/a", json!({ "upstream": "127.0.0.1:1", "name": "z" })),
        200,
        json!({ "name": "a", "upstream": "127.0.0.1:1", "enabled": false }),
    )
    .await;
    check(&rig, ("POST", "/proxies/a", json!({ "enabled": true })), 200, json!({ "enabled": true })).await;
    check(&rig, ("POST", "/proxies/x", json!({})), 404, error(404, "proxy not found")).await;
    check(&rig, ("POST", "/proxies/a", json!({ "enabled": 1 })), 400, "bad request body").await;
    check(&rig, ("DELETE", "/proxies/a", NONE), 204, ()).await;
    check(&rig, ("DELETE", "/proxies/a", NONE), 404, error(404, "proxy not found")).await;
    rig.links.stop().await;
}

#[tokio::test]
async fn toxics_are_made_read_changed_and_deleted() {
    let rig = Rig::new(echo().await).await;
    let toxics = "/proxies/link/toxics";
    let latency = json!({ "attributes": { "latency": 0, "jitter": 0 }, "name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1.0 });
    check(&rig, ("POST", toxics, json!({ "type": "latency" })), 200, latency.clone()).await;
    check(&rig, ("POST", toxics, json!({ "type": "latency" })), 409, error(409, "toxic already exists")).await;
    check(&rig, ("POST", toxics, json!({})), 400, error(400, "invalid toxic type")).await;
    check(&rig, ("POST", toxics, json!({ "type": "nope" })), 400, error(400, "invalid toxic type")).await;
    let sideways = json!({ "type": "latency", "stream": "sideways" });
    let invalid = "stream was invalid, can be either upstream or downstream";
    check(&rig, ("POST", toxics, sideways), 400, error(400, invalid)).await;
    let same_name = json!({ "type": "noop", "name": "latency_downstream", "stream": "upstream" });
    check(&rig, ("POST", toxics, same_name), 409, error(409, "toxic already exists")).await;
    for bad in [json!(1.5), json!("abc"), json!(-1), json!(true)] {
        let body = json!({ "type": "latency", "name": "bad", "attributes": { "latency": bad } });
        check(&rig, ("POST", toxics, body), 400, "bad request body: json: cannot unmarshal").await;
    }
    check(&rig, ("POST", "/proxies/x/toxics", json!({ "type": "noop" })), 404, error(404, "proxy not found")).await;
    check(&rig, ("POST", "/proxies/x/toxics", NONE), 404, error(404, "proxy not found")).await;

    let upstream = json!({ "type": "bandwidth", "name": "up", "stream": "Upstream", "toxicity": 0.5, "attributes": { "RATE": 7, "extra": "ignored" } });
    check(&rig, ("POST", toxics, upstream), 200, json!({ "stream": "Upstream", "attributes": { "rate": 7 } })).await;
    check(&rig, ("GET", toxics, NONE), 200, json!([{ "name": "up" }, { "name": "latency_downstream" }])).await;
    check(&rig, ("GET", "/proxies/link", NONE), 200, json!({ "toxics": [{ "name": "up" }, {}] })).await;
    check(&rig, ("GET", "/proxies/x/toxics", NONE), 404, error(404, "proxy not found")).await;

    let path = "/proxies/link/toxics/latency_downstream";
    check(&rig, ("GET", path, NONE), 200, latency).await;
    let change = json!({ "attributes": { "jitter": 5 }, "toxicity": 0.25, "type": "noop", "stream": "upstream" });
    let changed = json!({ "attributes": { "latency": 0, "jitter": 5 }, "toxicity": 0.25, "type": "latency", "stream": "downstream" });
    check(&rig, ("PATCH", path, change), 200, changed.clone()).await;
    check(
        &rig,
        ("POST", path, json!({ "attributes": { "latency": 9 } })),
        200,
        json!({ "attributes": { "latency": 9, "jitter": 5 } }),
    )
    .await;
    check(&rig, ("POST", path, json!({ "attributes": { "latency": 1, "jitter": "x" } })), 400, "bad request body")
        .await;
    check(&rig, ("GET", path, NONE), 200, json!({ "attributes": { "latency": 9 } })).await;
    check(&rig, ("POST", "/proxies/link/toxics/x", json!({})), 404, error(404, "toxic not found")).await;
    check(&rig, ("DELETE", path, NONE), 204, ()).await;
    check(&rig, ("DELETE", path, NONE), 404, error(404, "toxic not found")).await;
    check(&rig, ("GET", path, NONE), 404, error(404, "toxic not found")).await;
    for kind in ["latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data", "noop"] {
        let name = format!("{kind}_upstream");
        check(&rig, ("POST", toxics, json!({ "type": kind, "stream": "upstream" })), 200, json!({ "name": name }))
            .await;
    }
    rig.links.stop().await;
}

#[tokio::test]
async fn populate_keeps_what_is_identical_and_replaces_what_differs() {
    let rig = Rig::new(echo().await).await;
    let server = echo().await.to_string();
    let api = rig.links.api_address();
    check(&rig, ("POST", "/populate", json!([])), 201, json!({ "proxies": [] })).await;
    let all =
        json!([{ "name": "a", "listen": "localhost:0", "upstream": server }, { "name": "b", "upstream": server }]);
    check(&rig, ("POST", "/populate", all), 201, json!({ "proxies": [{ "name": "a" }, { "name": "b" }] })).await;
    check(&rig, ("POST", "/proxies/a/toxics", json!({ "type": "noop" })), 200, json!({})).await;

    let listen = send(api, "GET", "/proxies/a", "").await.json()["listen"].clone();
    let same = json!([{ "name": "a", "listen": listen, "upstream": server, "enabled": false }]);
    check(&rig, ("POST", "/populate", same), 201, json!({ "proxies": [{ "enabled": true, "toxics": [{}] }] })).await;
    let other = json!([{ "name": "a", "listen": listen, "upstream": "127.0.0.1:1" }]);
    check(&rig, ("POST", "/populate", other), 201, json!({ "proxies": [{ "listen": listen, "toxics": [] }] })).await;

    let incomplete = json!([{ "name": "c", "upstream": server }, { "upstream": server }]);
    let said = json!({ "error": "missing required field: name at proxy 2", "status": 400, "proxies": [] });
    check(&rig, ("POST", "/populate", incomplete), 400, said).await;
    check(&rig, ("GET", "/proxies/c", NONE), 404, error(404, "proxy not found")).await;
    let taken = json!([{ "name": "d", "upstream": server }, { "name": "e", "listen": listen, "upstream": server }]);
    check(&rig, ("POST", "/populate", taken), 500, json!({ "status": 500, "proxies": [{ "name": "d" }] })).await;
    check(&rig, ("POST", "/populate", json!({})), 400, "bad request body").await;
    rig.links.stop().await;
}

#[tokio::test]
async fn a_file_of_proxies_makes_them_at_the_start() {
    let rig = Rig::new(echo().await).await;
    let server = echo().await.to_string();
    let file = json!([
        { "name": "a", "listen": "127.0.0.1:0", "upstream": server },
        { "name": "b", "upstream": server, "enabled": false, "toxics": [{ "type": "noop" }] },
    ]);
    let made = rig.links.populate(file.to_string().as_bytes()).await.unwrap();
    assert_eq!((made[0].enabled, made[1].enabled, made[1].toxics.len()), (true, false, 1));
    check(&rig, ("GET", "/proxies/b", NONE), 200, json!({ "enabled": false, "toxics": [{ "type": "noop" }] })).await;

    let refused = async |file: &str| rig.links.populate(file.as_bytes()).await.unwrap_err().to_string();
    let nameless = json!([{ "name": "c", "upstream": server }, { "upstream": server }]).to_string();
    assert_eq!(refused(&nameless).await, "missing required field: name at proxy 2");
    check(&rig, ("GET", "/proxies/c", NONE), 404, error(404, "proxy not found")).await;
    assert!(refused("").await.contains("EOF"));
    assert!(refused("{}").await.contains("array"));
    let taken = json!([{ "name": "d", "listen": rig.link.to_string(), "upstream": server }]).to_string();
    assert!(refused(&taken).await.contains("address already in use"));
    rig.links.stop().await;
}

#[tokio::test]
async fn reset_enables_every_proxy_and_removes_every_toxic() {
    let rig = Rig::new(echo().await).await;
    rig.add(json!({ "type": "timeout" })).await;
    check(&rig, ("POST", "/proxies/link", json!({ "enabled": false })), 200, json!({ "enabled": false })).await;
    let refused = TcpStream::connect(rig.link).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    check(&rig, ("POST", "/reset", NONE), 204, ()).await;
    let listen = rig.link.to_string();
    check(&rig, ("GET", "/proxies/link", NONE), 200, json!({ "enabled": true, "toxics": [], "listen": listen })).await;
    crate::rig::ping(&mut rig.connect().await).await.unwrap();
    rig.links.stop().await;
}

#[tokio::test]
async fn what_is_no_route_and_who_is_no_client_is_refused() {
    let rig = Rig::new(echo().await).await;
    for path in ["/", "/nope", "/proxies/", "/proxies/link/", "/metrics/"] {
        check(&rig, ("GET", path, NONE), 404, "404 page not found\n").await;
    }
    for (method, path) in [("PUT", "/proxies"), ("DELETE", "/version"), ("OPTIONS", "/proxies"), ("HEAD", "/version")] {
        check(&rig, (method, path, NONE), 405, ()).await;
    }
    let api = rig.links.api_address();
    let browser = send_as("Mozilla/5.0 (X11)", api, "GET", "/proxies", "").await;
    assert_eq!((browser.status, browser.text.as_str()), (403, "User agent not allowed\n"));
    assert_eq!(send_as("Mozilla/5.0", api, "GET", "/nope", "").await.status, 404);
    assert_eq!(send_as("not Mozilla/5.0", api, "GET", "/proxies", "").await.status, 200);
    rig.links.stop().await;
}

#[tokio::test]
async fn stopping_gives_every_port_back() {
    let rig = Rig::new(echo().await).await;
    let (api, link) = (rig.links.api_address(), rig.link);
    let mut open = rig.connect().await;
    crate::rig::ping(&mut open).await.unwrap();
    rig.links.stop().await;
    assert_eq!(crate::rig::read(&mut open).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(link).await.is_err());
    crate::rig::eventually("the API ends", async || TcpStream::connect(api).await.is_err()).await;
}
