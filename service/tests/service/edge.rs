//! The security settings of phase 9, one test each (TLS and rate limits have files of their own), and what browsers need.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::{
    fakes::Says,
    stack::{Answer, Stack, read},
    wire::Wire,
};

const HOSTS: (&str, &str) = ("TRIPSAGE_ALLOWED_HOSTS", "api.tripsage.ai, app.tripsage.ai");

async fn get(stack: &Stack, path: &str, headers: &[(&str, &str)]) -> Answer {
    stack.send_with(Method::GET, path, None, None, headers).await
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
    let stack = Stack::start(&[]).await;
    let cases = [
        ("/health/live", 200, NOTHING, ""),
        ("/metrics", 200, NOTHING, ""),
        ("/api/v1/users/me", 401, NOTHING, "no-store"),
        ("/api/v1/auth/login", 405, NOTHING, "no-store"),
        ("/nowhere", 404, NOTHING, ""),
        (
            "/docs/",
            200,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
            "",
        ),
    ];
    for (path, status, policy, cache) in cases {
        let answer = get(&stack, path, &[]).await;
        assert_eq!(answer.status, status, "{path}");
        let expected = [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-xss-protection", "1; mode=block"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", policy),
            ("cache-control", cache),
            // Only those who came over TLS can be told to stay there.
            ("strict-transport-security", ""),
        ];
        for (name, value) in expected {
            assert_eq!(answer.header(name), value, "{name} of {path}");
        }
    }
}

#[rstest]
#[case("one of ours", "/api/v1/users/me", "api.tripsage.ai", 401)]
#[case("another of ours, with a port, in capitals", "/api/v1/users/me", "APP.tripsage.ai:8443", 401)]
#[case("not ours", "/api/v1/users/me", "tripsage.example.org", 400)]
#[case("not ours, but ends like it", "/api/v1/users/me", "evil-api.tripsage.ai", 400)]
#[case("not ours, at a path that is nothing", "/nowhere", "x", 400)]
#[case("a probe asks by address", "/health/ready", "10.1.2.3:8000", 200)]
#[tokio::test]
async fn a_request_names_a_host_of_ours(
    #[case] what: &str,
    #[case] path: &str,
    #[case] host: &str,
    #[case] status: u16,
) {
    let stack = Stack::start(&[HOSTS]).await;
    let answer = get(&stack, path, &[("host", host)]).await;
    assert_eq!(answer.status, status, "{what}");
    if status == 400 {
        assert_eq!(answer.error(), (400, "INVALID_HOST".into()), "{what}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_only_when_they_are_named() {
    const OURS: (&str, &str) = ("origin", "https://app.tripsage.ai");
    let preflight = [OURS, ("access-control-request-method", "PUT"), ("access-control-request-headers", "if-match")];
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").to_owned();

    let stack = Stack::start(&[]).await;
    assert_eq!(allowed(&get(&stack, "/health/live", &[OURS]).await), "");

    let stack = Stack::start(&[("TRIPSAGE_CORS_ORIGINS", "https://app.tripsage.ai")]).await;
    let answer = get(&stack, "/api/v1/users/me", &[OURS]).await;
    assert_eq!((answer.status.as_u16(), allowed(&answer)), (401, OURS.1.to_owned()));
    assert!(answer.header("access-control-expose-headers").contains("x-ratelimit-remaining"));
    let answer = stack.send_with(Method::OPTIONS, "/api/v1/trips", None, None, &preflight).await;
    assert_eq!((answer.status.as_u16(), allowed(&answer)), (200, OURS.1.to_owned()));
    assert!(answer.header("access-control-allow-headers").contains("if-match"));
    assert!(answer.header("access-control-allow-methods").contains("PUT"));
    let other = get(&stack, "/api/v1/users/me", &[("origin", "https://evil.example.org")]).await;
    assert_eq!(allowed(&other), "");
}

#[rstest]
#[case("off", "gzip", "")]
#[case("on", "gzip", "gzip")]
#[case("on", "identity", "")]
#[tokio::test]
async fn answers_are_compressed_when_that_is_on_and_asked_for(
    #[case] setting: &str,
    #[case] asked: &str,
    #[case] encoding: &str,
) {
    let stack = Stack::start(&[("TRIPSAGE_COMPRESSION", setting)]).await;
    let mut wire = Wire::to(stack.address).await;
    wire.get("/openapi.json", &format!("accept-encoding: {asked}\r\n")).await;
    let head = wire.read(Duration::from_secs(5)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let found = head.lines().find_map(|line| line.strip_prefix("content-encoding: ")).unwrap_or_default();
    assert_eq!(found, encoding);
}

#[tokio::test]
async fn a_stream_is_never_compressed() {
    let stack = Stack::start(&[("TRIPSAGE_COMPRESSION", "on")]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Words(500));
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let request = stack.request(Method::POST, "/api/v1/chat", Some(&user.token)).header("accept-encoding", "gzip");
    let answer = read(request.json(&body)).await;
    assert_eq!(answer.header("content-encoding"), "");
    assert_eq!(answer.events().last().unwrap()["type"], "final");
}
