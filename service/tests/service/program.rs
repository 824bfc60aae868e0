//! The program `tripsage`: what it refuses, what it logs, how it ends.

use std::{process::Stdio, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, copy, sink},
    process::{Child, Command},
    time::timeout,
};

const KEY: &str = "a key for tests, long enough for HS256";

fn tripsage() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripsage"));
    command.env_clear().stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// The program on that database, and where it listens; its log holds no secret.
pub(crate) async fn listening(database_url: &str) -> (Child, String) {
    let mut child = tripsage()
        .env("TRIPSAGE_JWT_KEY", KEY)
        .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
        .env("TRIPSAGE_ARGON2_MEMORY_KIB", "8")
        .env("DATABASE_URL", database_url)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = timeout(Duration::from_secs(10), lines.next_line()).await.unwrap().unwrap().unwrap();
        assert!(!line.contains(KEY), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        if let Some(address) = line["address"].as_str() {
            break address.to_owned();
        }
    };
    // Somebody must go on reading, or its next line ends it.
    tokio::spawn(async move { copy(&mut lines.into_inner(), &mut sink()).await });
    (child, address)
}

#[tokio::test]
async fn without_a_key_it_refuses_to_start_and_says_what_to_do() {
    let output = tripsage().output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.starts_with("error: TRIPSAGE_JWT_KEY is not set\nhint: "), "{said}");
    let output = tripsage().env("TRIPSAGE_JWT_KEY", KEY).env("TRIPSAGE_LISTENS", "x").output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: unknown setting TRIPSAGE_LISTENS, did you mean TRIPSAGE_LISTEN?\n");
}

/// Runs it with arguments on a database; whether it succeeded, its output and its last line of errors.
async fn ran(folder: &TempDir, arguments: &[&str]) -> (bool, String, String) {
    let mut command = tripsage();
    command.args(arguments).env("TRIPSAGE_JWT_KEY", KEY).env("TRIPSAGE_LOG", "error");
    command.env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display()));
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn its_sub_commands_check_the_audit_log_and_apply_the_ledger() {
    let folder = TempDir::new().unwrap();
    let zeros = "0".repeat(64);
    let (is_ok, said, _) = ran(&folder, &["audit", "verify"]).await;
    assert_eq!((is_ok, said), (true, format!("the audit log is intact: 0 links, the last is {zeros}\n")));
    let (is_ok, _, error) = ran(&folder, &["audit", "verify", "abc"]).await;
    assert_eq!(
        (is_ok, error.as_str()),
        (false, "error: the audit log is cut short: the known link is not among its 0\n")
    );
    let (is_ok, said, _) = ran(&folder, &["gdpr", "reapply"]).await;
    assert_eq!((is_ok, said.as_str()), (true, "0 deletions are applied\n"));
    for wrong in [vec!["audit"], vec!["audit", "verify", "abc", "def"], vec!["serve"]] {
        let (is_ok, _, error) = ran(&folder, &wrong).await;
        assert!(!is_ok && error.starts_with("error: usage: tripsage ["), "{wrong:?}: {error}");
    }
}

#[tokio::test]
async fn it_serves_logs_json_without_secrets_and_ends_well_on_sigterm() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}/tripsage.db", folder.path().display());
    let (mut child, address) = listening(&url).await;
    let live = crate::stack::client().get(format!("http://{address}/health/live")).send().await.unwrap();
    assert_eq!(live.status(), 200);
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap().success());
}
