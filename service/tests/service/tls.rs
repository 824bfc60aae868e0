//! TLS: certificates, the handshake, the redirect, and the way to a new certificate.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use rcgen::{CertifiedKey, KeyPair};
use reqwest::{Certificate, Client};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{ChildStderr, Command},
    time::timeout,
};

use crate::{
    stack::{Stack, client, config, until},
    wire::Wire,
};

/// A certificate for `localhost`, in files of a folder.
struct Files {
    folder: TempDir,
    certificate: CertifiedKey<KeyPair>,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: TempDir::new().unwrap(), certificate: localhost() };
        write(files.folder.path(), &files.certificate);
        files
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn localhost() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn write(folder: &Path, certificate: &CertifiedKey<KeyPair>) {
    std::fs::write(folder.join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), certificate.cert.pem()).unwrap();
}

/// A client that believes this certificate alone, and finds `localhost` at this address. It keeps no connection.
fn believer(certificate: &CertifiedKey<KeyPair>, address: SocketAddr) -> Client {
    let root = Certificate::from_der(certificate.cert.der()).unwrap();
    let builder = Client::builder().tls_certs_only([root]).no_proxy().pool_max_idle_per_host(0);
    builder.resolve("localhost", address).build().unwrap()
}

async fn start(files: &Files, settings: &[(&str, &str)]) -> Stack {
    let (certificate, key) = (files.path("certificate.pem"), files.path("key.pem"));
    let mut all = vec![
        ("TRIPSAGE_TLS_CERTIFICATE", certificate.as_str()),
        ("TRIPSAGE_TLS_KEY", key.as_str()),
        ("TRIPSAGE_INTERNAL_LISTEN", "127.0.0.1:0"),
    ];
    all.extend(settings);
    Stack::start(&all).await
}

#[tokio::test]
async fn over_tls_browsers_are_told_to_stay_there() {
    let files = Files::new();
    let stack = start(&files, &[]).await;
    let url = |path: &str| format!("https://localhost:{}{path}", stack.address.port());
    let trusting = believer(&files.certificate, stack.address);
    for (path, status) in [("/health/live", 200), ("/api/v1/users/me", 401), ("/nowhere", 404)] {
        let answer = trusting.get(url(path)).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains", "{path}");
    }
    // Who believes another certificate, or speaks plainly, gets nowhere.
    let other = believer(&localhost(), stack.address);
    assert!(other.get(url("/health/live")).send().await.is_err());
    let mut plain = Wire::to(stack.address).await;
    plain.get("/health/live", "").await;
    assert!(!plain.end().await.contains("HTTP/1.1"));
    let refused = "tripsage_connections_cut_total{reason=\"tls_handshake\"}";
    until("both are counted", || async { stack.metric(refused).await == 2.0 }).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let stack = start(&Files::new(), &[("TRIPSAGE_HEADER_TIMEOUT", "100ms")]).await;
    let mut silent = Wire::to(stack.address).await;
    assert_eq!(silent.end().await, "");
    let slow = "tripsage_connections_cut_total{reason=\"tls_timeout\"}";
    until("it is counted", || async { stack.metric(slow).await == 1.0 }).await;
}

#[rstest]
#[case("api.tripsage.ai", "443", 308, "https://api.tripsage.ai/a/b?c=d")]
#[case("api.tripsage.ai:80", "8443", 308, "https://api.tripsage.ai:8443/a/b?c=d")]
#[case("evil.example.org", "443", 400, "")]
#[case("", "443", 400, "")]
#[tokio::test]
async fn plain_requests_are_sent_to_https(
    #[case] host: &str,
    #[case] public_port: &str,
    #[case] status: u16,
    #[case] location: &str,
) {
    let settings = [
        ("TRIPSAGE_TLS_REDIRECT_LISTEN", "127.0.0.1:0"),
        ("TRIPSAGE_TLS_PUBLIC_PORT", public_port),
        ("TRIPSAGE_ALLOWED_HOSTS", "api.tripsage.ai"),
    ];
    let stack = start(&Files::new(), &settings).await;
    let mut wire = Wire::to(stack.redirect_address.unwrap()).await;
    wire.send(&format!("POST /a/b?c=d HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n")).await;
    let answer = wire.answer().await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    let told = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
    assert_eq!(told, location);
    assert!(status == 308 || answer.contains("INVALID_HOST"), "{answer}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused_at_the_start() {
    let (files, others) = (Files::new(), Files::new());
    let (certificate, key) = (files.path("certificate.pem"), files.path("key.pem"));
    let cases = [
        (certificate.clone(), others.path("key.pem"), "the certificate and its key cannot be used".to_owned()),
        (key.clone(), key.clone(), format!("{key} is not a PEM file with a certificate chain")),
        (certificate.clone(), certificate.clone(), format!("{certificate} is not a PEM file with a private key")),
        (files.path("none.pem"), key, format!("cannot read {}", files.path("none.pem"))),
    ];
    for (certificate, key, expected) in cases {
        let database = format!("sqlite://{}", files.path("tripsage.db"));
        let vars = [("TRIPSAGE_TLS_CERTIFICATE", certificate), ("TRIPSAGE_TLS_KEY", key), ("DATABASE_URL", database)];
        let error = service::bind(config(&vars)).await.err().unwrap();
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), expected);
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_after_sighup_and_a_broken_one_is_not() {
    let files = Files::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tripsage"))
        .env_clear()
        .env("TRIPSAGE_JWT_KEY", "a key for tests, long enough for HS256")
        .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
        .env("TRIPSAGE_TLS_CERTIFICATE", files.path("certificate.pem"))
        .env("TRIPSAGE_TLS_KEY", files.path("key.pem"))
        .env("DATABASE_URL", format!("sqlite://{}", files.path("tripsage.db")))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = child.id().unwrap().to_string();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let address: SocketAddr = logged(&mut log, "listening on").await["address"].as_str().unwrap().parse().unwrap();
    let url = format!("https://localhost:{}/health/live", address.port());
    let is_believed = async |by: &CertifiedKey<KeyPair>| believer(by, address).get(&url).send().await.is_ok();
    let hangup = async || assert!(Command::new("kill").args(["-HUP", &pid]).status().await.unwrap().success());

    let next = localhost();
    assert!(is_believed(&files.certificate).await && !is_believed(&next).await);
    std::fs::write(files.path("key.pem"), "no key").unwrap();
    hangup().await;
    logged(&mut log, "the old one stays").await;
    assert!(is_believed(&files.certificate).await);
    write(files.folder.path(), &next);
    hangup().await;
    logged(&mut log, "was read again").await;
    assert!(is_believed(&next).await && !is_believed(&files.certificate).await);
    assert!(client().get(format!("http://{address}/health/live")).send().await.is_err());
    child.kill().await.unwrap();
}

/// Waits for a line of the log that says this.
async fn logged(log: &mut Lines<BufReader<ChildStderr>>, what: &str) -> Value {
    loop {
        let line = timeout(Duration::from_secs(10), log.next_line()).await.unwrap().unwrap().unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["message"].as_str().is_some_and(|message| message.contains(what)) {
            return line;
        }
    }
}
