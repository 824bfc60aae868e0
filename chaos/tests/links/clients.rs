//! The clients that others wrote for Toxiproxy, each doing its whole documented API on our links.
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::rig::{DEADLINE, Rig, echo, note};

#[tokio::test]
async fn toxiproxy_python_can_do_everything_it_can() {
    let (rig, server) = empty().await;
    let api = rig.links.api_address();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/links/clients/client.py");
    let arguments = [script, &api.ip().to_string(), &api.port().to_string(), &server];
    check("python3", &["-c", "import toxiproxy"], &arguments).await;
    rig.links.stop().await;
}

#[tokio::test]
async fn toxiproxy_node_client_can_do_everything_it_can() {
    let (rig, server) = empty().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/links/clients/client.js");
    check("node", &["-e", "require('toxiproxy-node-client')"], &[script, &rig.url(), &server]).await;
    rig.links.stop().await;
}

/// Links without a link, and a server to lead one to.
async fn empty() -> (Rig, String) {
    let server = echo().await;
    let rig = Rig::new(server).await;
    assert_eq!(rig.call("DELETE", "/proxies/link", Value::Null).await.status, 204);
    (rig, server.to_string())
}

/// Runs the client's script where the client is installed; on CI it must be.
async fn check(program: &str, probe: &[&str], script: &[&str]) {
    match run(program, probe).await {
        Some(output) if output.status.success() => {}
        other if std::env::var_os("CI").is_none() => {
            let said = other.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
            return note(&format!("skipped: `{program} {}` does not work: {said}", probe.join(" ")));
        }
        other => panic!("`{program} {}` does not work: {other:?}", probe.join(" ")),
    }
    let output = run(program, script).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `None` when there is no such program.
async fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let child = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    tokio::time::timeout(6 * DEADLINE, child).await.expect("a minute is enough").ok()
}
