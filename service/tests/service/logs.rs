//! Log lines: which request they are of, and in which form they are.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    program::{KEY, serving, terminate, tripsage},
    stack::{PASSWORD, client, read},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn each_line_within_a_request_says_whose_it_is() {
    let folder = TempDir::new().unwrap();
    let mut command = tripsage();
    command
        .env("TRIPSAGE_JWT_KEY", KEY)
        .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
        .env("TRIPSAGE_LOG", "info,service=debug,sqlx=debug")
        .env("TRIPSAGE_ARGON2_MEMORY_KIB", "8")
        .env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display()));
    let (mut child, address, log) = serving(&mut command).await;
    let send = |path: &str, token: &str, id: &str| {
        let login = json!({"email": "ann@example.org", "password": PASSWORD});
        let request = client().post(format!("http://{address}/api/v1{path}")).bearer_auth(token).json(&login);
        read(request.header("x-request-id", id).header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01")))
    };
    assert_eq!(send("/auth/register", "", "first").await.status, 201);
    let login = send("/auth/login", "", "second").await.json();
    let trip = send("/trips", login["access_token"].as_str().unwrap(), "third").await;
    assert_eq!(trip.status, 422);
    terminate(&mut child).await;
    let log = timeout(Duration::from_secs(10), log).await.unwrap().unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "{line}");
        }
    }
    let user_id = &login["user"]["id"];
    for (id, user, status) in [("first", &Value::Null, 201), ("second", &Value::Null, 200), ("third", user_id, 422)] {
        let of_request: Vec<_> = lines.iter().filter(|line| line["request_id"] == id).collect();
        assert!(of_request.iter().all(|line| line["trace_id"] == TRACE), "{of_request:#?}");
        let answered: Vec<_> =
            of_request.iter().filter(|line| line["message"] == format!("answered with {status}")).collect();
        assert_eq!(answered.len(), 1, "{of_request:#?}");
        assert_eq!((&answered[0]["level"], &answered[0]["user_id"]), (&json!("DEBUG"), user));
    }
    let is_statement =
        |line: &&Value| line["target"].as_str().unwrap().starts_with("sqlx") && line["request_id"] == "first";
    assert!(lines.iter().any(|line| is_statement(&line)), "lines of libraries say it too");
    assert!(!log.contains("ann@"), "{log}");
}

#[tokio::test]
async fn lines_for_people_are_no_json() {
    for (format, is_json) in [("text", false), ("json", true), ("", true)] {
        let folder = TempDir::new().unwrap();
        let mut command = tripsage();
        command.args(["audit", "verify"]).env("TRIPSAGE_JWT_KEY", KEY).env("TRIPSAGE_LOG", "service=loud");
        command.env("TRIPSAGE_LOG_FORMAT", format);
        command.env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display()));
        let output = command.output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let line = said.lines().find(|line| line.contains("cannot be read")).unwrap_or_else(|| panic!("{said}"));
        assert_eq!(serde_json::from_str::<Value>(line).is_ok(), is_json, "{line}");
        assert!(line.contains("WARN") && !line.contains('\u{1b}'), "{line}");
    }
}
