//! A fault proxy that is not ours: the client sees what it lacks. Played by ours behind a filter.
use std::net::SocketAddr;

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chaos::{Control, ControlError, Link, drive};
use reports::record::FaultEnd;
use serde_json::Value;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{DOWN, SLOW, timeline},
    rig::{Rig, echo, send},
};

/// What the proxy does wrong beside having no leases and no effects.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// Answers well and keeps half of every latency.
    HalvesLatency,
}

async fn foreign(api: SocketAddr, flaw: Flaw) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(pass_on).with_state((api, flaw));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn pass_on(State((api, flaw)): State<(SocketAddr, Flaw)>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/effects" {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    }
    if path == "/version" {
        return "{\"version\": \"2.12.0\"}\n".into_response();
    }
    let method = request.method().to_string();
    let body: Bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(mut body) => {
            body.as_object_mut().map(|body| body.remove("ttl_ms"));
            if let Some(attributes) = body.get_mut("attributes").and_then(Value::as_object_mut) {
                attributes.remove("ttl_ms");
                if let (Flaw::HalvesLatency, Some(latency)) = (flaw, attributes.get_mut("latency")) {
                    *latency = Value::from(latency.as_u64().unwrap() / 2);
                }
            }
            body.to_string()
        }
        Err(_) => String::new(),
    };
    let answer = send(api, &method, &path, &body).await;
    (StatusCode::from_u16(answer.status).unwrap(), answer.text).into_response()
}

#[tokio::test]
async fn faults_run_without_leases_and_without_effects() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&foreign(rig.links.api_address(), Flaw::None).await).unwrap();
    assert!(control.lease_supported(), "until seen otherwise");
    assert_eq!((control.version().await.unwrap().as_str(), control.is_ours().await.unwrap()), ("2.12.0", false));
    assert!(Control::new(&rig.url()).unwrap().is_ours().await.unwrap());
    let records = drive(&timeline(&[SLOW, DOWN]), &control, Instant::now(), CancellationToken::new()).await;
    let [slow, down] = &records[..] else { panic!("{records:?}") };
    assert_eq!((slow.end, slow.effect, slow.error.as_ref()), (FaultEnd::Lifted, None, None));
    assert_eq!((down.end, down.error.as_ref()), (FaultEnd::Lifted, None));
    assert!(down.effect.unwrap().probes_refused > 0, "the driver can see that much by itself");
    assert!(!control.lease_supported());
    rig.links.stop().await;
}

#[tokio::test]
async fn a_fault_that_reads_back_differently_is_an_error_and_is_lifted() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&foreign(rig.links.api_address(), Flaw::HalvesLatency).await).unwrap();
    let records = drive(&timeline(&[SLOW]), &control, Instant::now(), CancellationToken::new()).await;
    assert_eq!(records[0].end, FaultEnd::NeverOn);
    assert!(records[0].error.as_ref().unwrap().contains("was read back"), "{records:?}");
    assert!(control.link("link").await.unwrap().toxics.is_empty());
    rig.links.stop().await;
}

#[tokio::test]
async fn links_are_made_and_read_back() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let link = |name: &str, listen: &str| Link {
        name: name.to_owned(),
        listen: listen.to_owned(),
        upstream: "127.0.0.1:9".to_owned(),
        protocol: None,
    };
    let made = control.populate(&[link("mcp.flights", "127.0.0.1:0"), link("llm", "localhost:0")]).await.unwrap();
    assert_eq!(made[0].name, "mcp.flights");
    assert!(made[0].listen.parse::<SocketAddr>().unwrap().port() > 0);
    assert!(control.create(&link("llm", "127.0.0.1:0")).await.unwrap_err().is_refusal());
    control.create(&link("a b/c", "127.0.0.1:0")).await.unwrap();
    assert_eq!(control.link("a b/c").await.unwrap().upstream, "127.0.0.1:9");
    let taken = control.create(&link("x", &rig.link.to_string())).await.unwrap_err();
    assert!(taken.to_string().contains("address already in use"), "{taken}");
    assert_eq!(control.links().await.unwrap().len(), 4);
    assert!(control.effects().await.unwrap().unwrap().proxies.contains_key("llm"));
    control.reset().await.unwrap();
    rig.links.stop().await;
}

#[tokio::test]
async fn what_is_no_fault_proxy_is_said() {
    for url in ["", "nonsense", "127.0.0.1:1", "file:///x"] {
        assert!(matches!(Control::new(url), Err(ControlError::Url { .. })), "{url:?}");
    }
    let gone = Control::new("http://127.0.0.1:1").unwrap();
    assert!(gone.version().await.unwrap_err().to_string().contains("cannot ask for the version"));
}
