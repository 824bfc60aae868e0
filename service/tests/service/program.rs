//! The program `tripsage`: what it refuses, what it logs, how it ends.

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    fakes::FakeMcp,
    stack::{MASTER_KEY, PASSWORD},
};

pub(crate) const KEY: &str = "a key for tests, long enough for HS256";

pub(crate) fn tripsage() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripsage"));
    command.env_clear().stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// The program on that database, and where it listens.
pub(crate) async fn listening(database_url: &str) -> (Child, String) {
    let mut command = tripsage();
    command.env("TRIPSAGE_JWT_KEY", KEY).env("TRIPSAGE_LISTEN", "127.0.0.1:0").env("TRIPSAGE_ARGON2_MEMORY_KIB", "8");
    command.env("TRIPSAGE_RATE_LIMITS", "off");
    let (child, address, _) = serving(command.env("DATABASE_URL", database_url)).await;
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
    for wrong in [vec!["audit"], vec!["audit", "verify", "abc", "def"], vec!["user", "create"], vec!["serve"]] {
        let (is_ok, _, error) = ran(&folder, &wrong).await;
        assert!(!is_ok && error.starts_with("error: usage: tripsage ["), "{wrong:?}: {error}");
    }
}

/// Runs `user create` with that on its standard input.
async fn ran_create(folder: &TempDir, email: &str, input: &str) -> (bool, String, String) {
    let mut command = tripsage();
    command.args(["user", "create", email]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("TRIPSAGE_JWT_KEY", KEY).env("TRIPSAGE_LOG", "error").env("TRIPSAGE_ARGON2_MEMORY_KIB", "8");
    command.env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display()));
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn its_sub_command_creates_a_user_once_with_the_password_of_its_input() {
    let folder = TempDir::new().unwrap();
    let password = format!("{PASSWORD}\n");
    for (email, input, error) in [
        ("root@example.org", "short\n", "error: the user cannot be created: password: "),
        ("root@example.org", "", "error: the user cannot be created: password: "),
        ("root", password.as_str(), "error: the user cannot be created: email: is not an e-mail address\n"),
    ] {
        let (is_ok, _, said) = ran_create(&folder, email, input).await;
        assert!(!is_ok && said.starts_with(error) && !said.contains("short"), "{email} {input}: {said}");
    }
    let (is_ok, said, _) = ran_create(&folder, "Root@example.org", &password).await;
    assert_eq!((is_ok, said.as_str()), (true, "the user Root@example.org is created\n"));
    for input in ["", "Another-1\n"] {
        let (is_ok, said, _) = ran_create(&folder, "root@example.org", input).await;
        let expected = "the user root@example.org exists already, nothing is changed\n";
        assert_eq!((is_ok, said.as_str()), (true, expected));
    }
    let (mut child, address) = listening(&format!("sqlite://{}/tripsage.db", folder.path().display())).await;
    for (password, status) in [(PASSWORD, 200), ("Another-1", 401)] {
        let body = json!({"email": "root@example.org", "password": password});
        let login = crate::stack::client().post(format!("http://{address}/api/v1/auth/login")).json(&body);
        assert_eq!(crate::stack::read(login).await.status, status, "{password}");
    }
    terminate(&mut child).await;
}

/// Starts it and waits until it says where it listens. What it logs, all of it, is what the task gives in the end.
pub(crate) async fn serving(command: &mut Command) -> (Child, String, tokio::task::JoinHandle<String>) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut log, mut address) = (String::new(), None);
    while address.is_none() {
        let line = timeout(Duration::from_secs(10), lines.next_line()).await.unwrap().unwrap().unwrap();
        let fields: Value = serde_json::from_str(&line).unwrap();
        // Others speak of addresses, too.
        let is_ours = fields["message"].as_str().is_some_and(|message| message.starts_with("listening on"));
        address = fields["address"].as_str().filter(|_| is_ours).map(str::to_owned);
        log.push_str(&line);
        log.push('\n');
    }
    let rest = tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            log.push_str(&line);
            log.push('\n');
        }
        log
    });
    (child, address.unwrap(), rest)
}

pub(crate) async fn terminate(child: &mut Child) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn a_users_key_is_in_no_line_of_even_the_finest_log() {
    let (folder, flights) = (TempDir::new().unwrap(), FakeMcp::start().await);
    flights.now_refuses("sk-canary-refused");
    let (mut child, address, log) = serving(
        tripsage()
            .env("TRIPSAGE_JWT_KEY", KEY)
            .env("TRIPSAGE_MASTER_KEYS", MASTER_KEY)
            .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
            .env("TRIPSAGE_LOG", "trace")
            .env("TRIPSAGE_ARGON2_MEMORY_KIB", "8")
            .env("TRIPSAGE_MCP_FLIGHTS_URL", format!("http://{}/mcp", flights.address))
            .env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display())),
    )
    .await;
    let client = crate::stack::client();
    let post = |path: &str, token: &str, body: Value| {
        let request = client.post(format!("http://{address}/api/v1{path}")).bearer_auth(token).json(&body);
        crate::stack::read(request)
    };
    let login = json!({"email": "ann@example.org", "password": PASSWORD});
    assert_eq!(post("/auth/register", "", login.clone()).await.status, 201);
    let token = post("/auth/login", "", login).await.json()["access_token"].as_str().unwrap().to_owned();
    let key = |secret: &str| json!({"name": "mine", "service": "flights", "key": secret});
    assert_eq!(post("/user/keys", &token, key("sk-canary-refused")).await.status, 400);
    assert_eq!(post("/user/keys", &token, key("sk-canary-1234567")).await.status, 201);
    let search = json!({"origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01"});
    assert_eq!(post("/flights/search", &token, search).await.status, 200);
    assert_eq!(flights.keys("search_flights"), ["sk-canary-1234567"]);
    terminate(&mut child).await;
    let log = timeout(Duration::from_secs(10), log).await.unwrap().unwrap();
    // Fine enough to prove anything: the HTTP client tells of its connections, the database of its statements.
    for told in ["\"TRACE\"", "\"target\":\"hyper_util", "INSERT INTO api_keys"] {
        assert!(log.contains(told), "no {told} in {log}");
    }
    let (_, master_key) = MASTER_KEY.split_once(':').unwrap();
    for secret in ["canary", KEY, master_key, PASSWORD, &token] {
        let at = log.find(secret);
        assert!(at.is_none(), "{secret} in …{}…", &log[at.unwrap().saturating_sub(300)..at.unwrap() + 50]);
    }
}

#[tokio::test]
async fn it_serves_logs_json_without_secrets_and_ends_well_on_sigterm() {
    let folder = TempDir::new().unwrap();
    let (mut child, address, log) = serving(
        tripsage()
            .env("TRIPSAGE_JWT_KEY", KEY)
            .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display())),
    )
    .await;
    let live = crate::stack::client().get(format!("http://{address}/health/live")).send().await.unwrap();
    assert_eq!(live.status(), 200);
    terminate(&mut child).await;
    let log = timeout(Duration::from_secs(10), log).await.unwrap().unwrap();
    assert!(!log.contains(KEY), "{log}");
}
