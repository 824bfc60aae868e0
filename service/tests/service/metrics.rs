//! The metrics page: every promised name, a bounded number of series, a form that Prometheus takes.

use std::{collections::BTreeSet, process::Stdio};

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

use crate::{
    fakes::{Answers, Says},
    stack::{Stack, User},
};

/// Each name of the contract, with its labels in order; a histogram without its suffix.
const PROMISED: [(&str, &[&str]); 19] = [
    ("tripsage_requests_total", &["method", "route", "status"]),
    ("tripsage_request_duration_seconds", &["method", "route"]),
    ("tripsage_agent_handoffs_total", &["from", "to", "trigger", "result"]),
    ("tripsage_agent_handoff_duration_seconds", &["from", "to", "trigger", "result"]),
    ("tripsage_mcp_calls_total", &["server", "tool", "outcome"]),
    ("tripsage_mcp_call_duration_seconds", &["server", "tool"]),
    ("tripsage_mcp_breaker_state", &["server"]),
    ("tripsage_degraded_responses_total", &["route", "reason"]),
    ("tripsage_rate_limited_total", &["scope"]),
    ("tripsage_shed_total", &[]),
    ("tripsage_cache_requests_total", &["cache", "outcome"]),
    ("tripsage_db_pool_in_use", &[]),
    ("tripsage_db_pool_wait_seconds", &[]),
    ("tripsage_inflight_requests", &[]),
    ("tripsage_llm_requests_total", &["outcome"]),
    ("tripsage_llm_first_token_seconds", &[]),
    ("tripsage_llm_duration_seconds", &[]),
    ("tripsage_llm_tokens_total", &["direction"]),
    ("tripsage_llm_breaker_state", &[]),
];

async fn chat(stack: &Stack, user: &User, message: &str) {
    let body = json!({"messages": [{"role": "user", "content": message}], "stream": false});
    stack.post("/api/v1/chat", user, &body).await;
}

/// A service that has done something of everything: a handoff, tools that work and that fail, a limit that is reached.
async fn used() -> (Stack, User) {
    let stack = Stack::start(&[("TRIPSAGE_RATE_LIMITS", "on")]).await;
    let user = stack.user().await;
    let arguments = r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01"}"#;
    stack.llm.now_says(Says::Tool { name: "search_flights", arguments });
    chat(&stack, &user, "find flights from JFK to CDG, book the cheapest flight").await;
    stack.flights.now_answers(Answers::Status(400));
    let search = json!({"origin": "JFK", "destination": "OSL", "departure_date": "2099-05-01"});
    assert_eq!(stack.post("/api/v1/flights/search", &user, &search).await.status, 502);
    stack.weather.now_answers(Answers::Status(400));
    stack.llm.now_says(Says::Tool { name: "get_current_weather", arguments: r#"{"city":"Oslo"}"# });
    chat(&stack, &user, "Hello").await;
    while stack.get("/api/v1/users/me", &user).await.status != 429 {}
    (stack, user)
}

/// Each series without its value, and a histogram's as one.
async fn series(stack: &Stack) -> BTreeSet<String> {
    let page = stack.probe("/metrics").await.text;
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let names = samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
    names.filter(|name| !name.contains("_bucket")).collect()
}

/// The names of labels in `a{b="c",d="e"}`.
fn labels(series: &str) -> Vec<&str> {
    let Some((_, labels)) = series.split_once('{') else { return Vec::new() };
    labels.trim_end_matches('}').split("\",").map(|label| label.split_once('=').unwrap().0).collect()
}

#[tokio::test]
async fn every_promised_metric_is_there_with_its_labels() {
    let (stack, _) = used().await;
    let series = series(&stack).await;
    for (name, expected) in PROMISED {
        let found = series.iter().find(|series| {
            let of_series = series.split('{').next().unwrap();
            of_series == name || of_series.strip_suffix("_count") == Some(name)
        });
        let found = found.unwrap_or_else(|| panic!("no {name} in {series:#?}"));
        assert_eq!(labels(found), expected, "{found}");
    }
}

#[rstest]
#[case::paths(&[("GET", "/api/v1/nothing/1"), ("GET", "/api/v1/nothing/2"), ("POST", "/wp-admin.php")])]
#[case::ids(&[("GET", "/api/v1/trips/1"), ("GET", "/api/v1/trips/%22%7D%0A"), ("GET", "/api/v1/trips/x")])]
#[case::methods(&[("BREW", "/api/v1/trips"), ("PURGE", "/api/v1/trips"), ("OPTIONS", "/api/v1/trips")])]
#[tokio::test]
async fn junk_makes_no_series_of_its_own(#[case] junk: &[(&str, &str)]) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let mut counts = Vec::new();
    for (method, path) in junk {
        stack.send(Method::from_bytes(method.as_bytes()).unwrap(), path, Some(&user.token), None).await;
        counts.push(series(&stack).await.len());
    }
    assert_eq!(counts[0], counts[junk.len() - 1], "{:#?}", series(&stack).await);
}

#[tokio::test]
async fn tools_that_a_model_makes_up_are_in_no_label() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Tool { name: "launch_rocket", arguments: "{}" });
    chat(&stack, &user, "Hello").await;
    let series = series(&stack).await;
    assert!(!series.iter().any(|series| series.contains("rocket")), "{series:#?}");
}

#[tokio::test]
async fn promtool_finds_nothing_wrong() {
    let Some(mut promtool) = promtool() else { return };
    let (stack, _) = used().await;
    let page = stack.probe("/metrics").await.text;
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(older_text(&page).as_bytes()).await.unwrap();
    drop(input);
    let output = promtool.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// The folder of what watches the service.
const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/monitoring");

#[tokio::test]
async fn the_alerts_look_at_metrics_that_there_are() {
    let (stack, _) = used().await;
    let page = stack.probe("/metrics").await.text;
    let there: BTreeSet<&str> = page.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let alerts = std::fs::read_to_string(format!("{MONITORING}/alerts.yaml")).unwrap();
    let words = alerts.split(|character: char| !(character.is_ascii_alphanumeric() || "_:".contains(character)));
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("tripsage_")).collect();
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(named.len() > 8 && missing.is_empty(), "no series of {missing:?}");
}

#[rstest]
#[case(&["check", "config", "prometheus.yml"])]
#[case(&["test", "rules", "rules.test.yaml"])]
#[tokio::test]
async fn prometheus_takes_what_watches_the_service(#[case] arguments: &[&str]) {
    let mut command = Command::new("promtool");
    let run = command.args(arguments).current_dir(MONITORING).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Some(promtool) = started(run) else { return };
    let output = promtool.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The page in the older text format, which is all that promtool reads: there, a counter is described by its whole name.
fn older_text(page: &str) -> String {
    let (mut text, mut counters) = (String::new(), BTreeSet::new());
    for line in page.lines() {
        let words: Vec<_> = line.split(' ').collect();
        if let ["#", "TYPE", name, "counter"] = words[..] {
            counters.insert(name);
        }
    }
    for line in page.lines() {
        let is_of_a_counter = |name: &str| line.starts_with('#') && counters.contains(name);
        match line.split(' ').nth(2) {
            Some(name) if is_of_a_counter(name) => text.push_str(&line.replacen(name, &format!("{name}_total"), 1)),
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// The linter of Prometheus, when it is installed; on CI it must be.
fn promtool() -> Option<Child> {
    let mut command = Command::new("promtool");
    started(command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()))
}

fn started(command: &mut Command) -> Option<Child> {
    match command.kill_on_drop(true).spawn() {
        Ok(child) => Some(child),
        Err(error) if std::env::var_os("CI").is_none() => {
            note(&format!("skipped: promtool cannot be run: {error}"));
            None
        }
        Err(error) => panic!("promtool cannot be run: {error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn note(text: &str) {
    eprintln!("{text}");
}
