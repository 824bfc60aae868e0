//! From a scenario file to the record, over a link that speaks a protocol.
use chaos::{Control, FaultSettings, Link, Timeline, drive};
use reports::record::FaultEnd;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::rig::{LINK, Rig};

#[derive(Deserialize)]
struct File {
    faults: Vec<FaultSettings>,
}

const BROKEN: &str = r#"
    [[faults]]
    link  = "mcp.flights"
    at    = "100ms"
    for   = "2s"
    fault = { mcp = { http_error = { status = 503, retry_after = "60s" } } }
    requests = { tool = "search", every = 2 }
    lease = "500ms"
"#;

fn timeline(text: &str) -> Timeline {
    let file: File = toml::from_str(text).unwrap();
    Timeline::new(&file.faults, &[LINK, "llm"], Duration::from_secs(60)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_requests_goes_on_is_renewed_goes_off_and_is_recorded() {
    let rig = Rig::new("mcp").await;
    let control = Control::new(&format!("http://{}", rig.links.api_address())).unwrap();
    let (timeline, origin) = (timeline(BROKEN), Instant::now());
    let driving = tokio::spawn(async move { drive(&timeline, &control, origin, CancellationToken::new()).await });
    let mut failed = 0;
    while !driving.is_finished() {
        failed += u64::from(rig.call("/json").await.unwrap().status == 503);
    }
    let records = driving.await.unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.end, record.error.as_ref(), record.kind.as_str()), (FaultEnd::Lifted, None, "http_error"));
    assert_eq!(record.description, "http_error 503, retry after 1m, every request, tool search, one of every 2");
    let window = record.window.unwrap();
    let on_ms = (window.to_ns - window.from_ns) / 1_000_000;
    assert!((1_900..6_000).contains(&on_ms), "four leases long, so it was renewed: {on_ms} ms");
    let effect = record.effect.unwrap();
    assert!(failed > 0 && effect.requests == failed, "{failed} failed, {effect:?}");
    assert_eq!((effect.connections, effect.chunks), (0, 0));
    rig.works("/json").await;
    rig.links.stop().await;
}

#[tokio::test]
async fn a_link_without_a_protocol_refuses_a_fault_of_requests() {
    let rig = Rig::new("llm").await;
    let control = Control::new(&format!("http://{}", rig.links.api_address())).unwrap();
    let records = drive(&timeline(BROKEN), &control, Instant::now(), CancellationToken::new()).await;
    assert_eq!((records[0].end, records[0].window), (FaultEnd::NeverOn, None));
    let error = records[0].error.as_ref().unwrap();
    assert!(error.contains("link `mcp.flights` does not speak mcp there"), "{error}");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_link_gets_another_protocol_by_being_made_again() {
    let rig = Rig::new("mcp").await;
    let control = Control::new(&format!("http://{}", rig.links.api_address())).unwrap();
    let link = |protocol| Link {
        name: LINK.to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        upstream: "127.0.0.1:9".to_owned(),
        protocol,
    };
    let made = control.populate(&[link(Some(chaos::Protocol::Llm))]).await.unwrap();
    assert_eq!(made[0].protocol, Some(chaos::Protocol::Llm));
    assert_eq!(control.populate(&[link(None)]).await.unwrap()[0].protocol, None);
    let (_, listed) = rig.api(Method::GET, &format!("/proxies/{LINK}"), Value::Null).await;
    assert_eq!((listed.get("protocol"), &listed["upstream"]), (None, &json!("127.0.0.1:9")));
    rig.links.stop().await;
}
