//! The page for Prometheus: Toxiproxy's names, and figures that are true while connections are open.
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use crate::rig::{Rig, echo, eventually, ping};

async fn used() -> (Rig, String) {
    let server = echo().await;
    let rig = Rig::new(server).await;
    rig.add(json!({ "type": "latency", "name": "a \"b\\", "attributes": { "latency": 20 } })).await;
    let mut open = rig.connect().await;
    ping(&mut open).await.unwrap();
    ping(&mut open).await.unwrap();
    rig.call("DELETE", "/proxies/link/toxics/a%20%22b%5C", Value::Null).await;
    rig.add(json!({ "type": "latency", "name": "a \"b\\", "attributes": { "latency": 20 } })).await;
    ping(&mut open).await.unwrap();
    let labels = format!("listener=\"{}\",proxy=\"link\",upstream=\"{server}\"", rig.link);
    // What is written is counted just after it is, which a fast reader can see.
    let last = format!("toxiproxy_proxy_sent_bytes_total{{direction=\"downstream\",{labels}}} 48\n");
    eventually("the last answer is counted", async || page(&rig).await.contains(&last)).await;
    drop(open);
    (rig, labels)
}

async fn page(rig: &Rig) -> String {
    let answer = rig.call("GET", "/metrics", Value::Null).await;
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{answer:?}");
    answer.text
}

#[tokio::test]
async fn bytes_connections_and_toxics_are_counted() {
    let (rig, labels) = used().await;
    let page = page(&rig).await;
    for direction in ["upstream", "downstream"] {
        for name in ["received", "sent"] {
            let row = format!("toxiproxy_proxy_{name}_bytes_total{{direction=\"{direction}\",{labels}}} 48\n");
            assert!(page.contains(&row), "{row} in {page}");
        }
    }
    let toxic = r#"{proxy="link",toxic="a \"b\\",type="latency"}"#;
    for row in [
        "tripsage_link_connections_total{proxy=\"link\"} 1\n".to_owned(),
        // The second toxic of the name is one with the first.
        format!("tripsage_toxic_chunks_total{toxic} 3\n"),
        format!("tripsage_toxic_connections_total{toxic} 2\n"),
        format!("tripsage_toxic_dropped_bytes_total{toxic} 0\n"),
    ] {
        assert!(page.contains(&row), "{row} in {page}");
    }
    let delay = page.lines().find(|line| line.starts_with("tripsage_toxic_delay_seconds_total{")).unwrap();
    let seconds: f64 = delay.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((0.06..30.0).contains(&seconds), "three chunks, 20 ms each: {delay}");
    rig.links.stop().await;
}

#[tokio::test]
async fn promtool_finds_nothing_wrong() {
    let Some(mut promtool) = promtool() else { return };
    let (rig, _) = used().await;
    let page = page(&rig).await;
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(page.as_bytes()).await.unwrap();
    drop(input);
    let output = promtool.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    rig.links.stop().await;
}

/// The linter of Prometheus, when it is installed; on CI it must be.
fn promtool() -> Option<Child> {
    let mut command = Command::new("promtool");
    let command = command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    match command.spawn() {
        Ok(child) => Some(child),
        Err(error) if std::env::var_os("CI").is_none() => {
            crate::rig::note(&format!("skipped: promtool cannot be run: {error}"));
            None
        }
        Err(error) => panic!("promtool cannot be run: {error}"),
    }
}
