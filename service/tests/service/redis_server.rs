//! A real Redis of this test alone, at a socket in a folder of its own. It never outlives the test.

use std::{path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::stack::until;

/// The server, while it runs.
pub(crate) struct RedisServer {
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    /// Starts it. `None`, with a word about it, when this machine has none; in CI that is a failure.
    pub(crate) async fn start() -> Option<Self> {
        if !is_installed() {
            assert!(std::env::var_os("CI").is_none(), "redis-server is not installed");
            note("skipped: redis-server is not installed");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let child = spawn(folder.path());
        let server = Self { folder, child };
        server.answers().await;
        Some(server)
    }

    /// Where it is, for `REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}/redis.sock", self.folder.path().display())
    }

    /// How many keys it has.
    pub(crate) async fn key_count(&self) -> u64 {
        self.asked("DBSIZE").await.unwrap()
    }

    /// Kills it.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again, empty, at the same address.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        self.child = spawn(self.folder.path());
        self.answers().await;
    }

    /// Sends it a signal, such as STOP.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap().success());
    }

    async fn answers(&self) {
        until("redis answers", || async { self.asked::<u64>("DBSIZE").await.is_ok() }).await;
    }

    async fn asked<T: redis::FromRedisValue>(&self, command: &str) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        redis::cmd(command).query_async(&mut connection).await
    }
}

fn is_installed() -> bool {
    let found = |name: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(name).is_file())
    };
    found("redis-server") && found("setpriv")
}

/// `setpriv` has the kernel kill it when the test is killed.
fn spawn(folder: &Path) -> Child {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "redis-server", "--port", "0", "--save", "", "--appendonly", "no"])
        .arg("--unixsocket")
        .arg(folder.join("redis.sock"))
        .arg("--dir")
        .arg(folder)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn note(text: &str) {
    eprintln!("{text}");
}
