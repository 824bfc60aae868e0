//! The API as strangers see it: a foreign validator reads the OpenAPI document, a foreign fuzzer plays with the service.

use std::{
    io::{Write as _, stderr},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use providers::{Provider, ServiceTime, Settings};
use tokio::process::Command;

use crate::stack::Stack;

/// The fuzzer's time, in seconds, for what it may repeat at will.
const FUZZING_S: &str = "40";
/// What must hold for every answer: no bug of ours, and nothing that the document does not say.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,\
                      ignored_auth,use_after_free";

/// A program of the machine. Where it is missing, the test says so and ends; in CI it must be there.
fn found(program: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing: `pip install {package}`");
        // Past the capture of the test runner, which shows nothing of a test that passes.
        let line = format!("skipped: {program} is not installed; `pip install {package}`\n");
        stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

async fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[tokio::test]
async fn a_foreign_validator_accepts_the_document() {
    let Some(validator) = found("openapi-spec-validator", "openapi-spec-validator") else { return };
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    run(Command::new(validator).arg(document)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_fuzzer_finds_no_server_error_and_nothing_that_the_document_does_not_say() {
    let Some(fuzzer) = found("schemathesis", "schemathesis") else { return };
    let mut settings = Settings::new(7);
    for provider in Provider::ALL {
        settings.service_times.insert(provider, ServiceTime::Constant(Duration::ZERO));
    }
    settings.llm.gap = ServiceTime::Constant(Duration::ZERO);
    let running = providers::start(settings).await.unwrap();
    let url = |provider: Provider, path: &str| format!("http://{}{path}", running.addresses()[&provider]);
    let mut variables: Vec<(String, String)> = Provider::ALL
        .into_iter()
        .filter(|provider| *provider != Provider::Llm)
        .map(|provider| (format!("TRIPSAGE_MCP_{}_URL", provider.to_string().to_uppercase()), url(provider, "/mcp")))
        .collect();
    variables.push(("TRIPSAGE_LLM_URL".into(), url(Provider::Llm, "/v1")));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let stack = Stack::start(&variables).await;
    let user = stack.user().await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(fuzzer);
    command
        .current_dir(folder.path())
        .arg("run")
        .arg(format!("http://{}/openapi.json", stack.address))
        .args(["--checks", CHECKS, "--max-examples", "10", "--max-time", FUZZING_S, "--seed", "1", "--workers", "1"])
        .args(["--suppress-health-check", "all", "--warnings", "off", "--no-color"])
        .args(["--header", &format!("Authorization: Bearer {}", user.token)]);
    run(&mut command).await;
    running.stop().await;
}
