//! A PostgreSQL server of our own: made from the installed programs, gone with the process that started it.
//!
//! A shell holds the server and reads words from a pipe. When the pipe ends, and it ends however this process ends, the
//! shell stops the server and removes its folder. The module needs nothing of the others, so another test crate can take it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _, stderr},
    net::SocketAddr,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

/// Accounts a server may run as when we are root, which it refuses.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// Makes the cluster, then does what it is told; arguments: folder of programs, own folder, settings of the server.
const HOLDER: &str = r#"
trap '' INT TERM HUP
umask 077
printf %s "$PASSWORD" >"$2/password"
unset PASSWORD
programs=$1 folder=$2 settings=$3
up() { "$programs/pg_ctl" start -w -D "$folder/data" -l "$folder/log" -o "$settings" >>"$folder/log" 2>&1; }
down() { "$programs/pg_ctl" stop -m immediate -D "$folder/data" >>"$folder/log" 2>&1; }
if "$programs/initdb" -D "$folder/data" -U tripsage --auth-local=trust --auth-host=password \
    --pwfile="$folder/password" -E UTF8 --no-locale --no-sync >"$folder/log" 2>&1 && up
then echo done; else tail -n 5 "$folder/log" | tr '\n' ' '; echo; fi
while read -r word; do "$word" && echo done || echo failed; done
down
cd / && rm -rf "$folder"
"#;

/// A running server. Only this account reaches the socket in its folder; its port wants a password.
pub(crate) struct Cluster {
    folder: PathBuf,
    password: String,
    port: Option<u16>,
    holder: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    databases: AtomicU32,
}

impl Cluster {
    /// The server that all tests of this process share.
    ///
    /// Where PostgreSQL is not installed there is none, and a line says so; with `CI` set that is a failure.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(None)).as_ref()
    }

    /// Starts one more, which also listens on this port of the loopback interface.
    pub(crate) fn start(port: Option<u16>) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed, and CI is set");
            // Past the capture of the test runner, which shows nothing of a test that passes.
            stderr().write_all(b"skipped: PostgreSQL is not installed; `apt install postgresql`\n").unwrap();
            return None;
        };
        let folder = TempDir::with_prefix("tripsage-postgres-").unwrap().keep();
        let mut command = Command::new("sh");
        let password = uuid::Uuid::new_v4().to_string();
        let listen = port.map_or("-c listen_addresses=".into(), |port| format!("-h 127.0.0.1 -c port={port}"));
        let socket = format!("-k {} -c unix_socket_permissions=0700", folder.display());
        let quick = "-c fsync=off -c jit=off -c max_connections=500 -c shared_buffers=64MB";
        command.args(["-c", HOLDER, "holder"]).arg(programs).arg(&folder).arg(format!("{listen} {socket} {quick}"));
        command.env("PASSWORD", &password);
        if fs::metadata(&folder).unwrap().uid() == 0 {
            let (user, group) = account().expect("one of the accounts is in /etc/passwd");
            chown(&folder, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        command.current_dir(&folder).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let (words, answers) = (holder.stdin.take(), BufReader::new(holder.stdout.take().unwrap()));
        let mut cluster = Self { folder, password, port, holder, words, answers, databases: AtomicU32::new(0) };
        cluster.expect_done();
        Some(cluster)
    }

    /// Makes an empty database; its address by the socket.
    pub(crate) async fn database(&self) -> String {
        let name = format!("tripsage_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }

    /// The address of the same database by something in front of the port.
    pub(crate) fn url_by(&self, url: &str, link: SocketAddr) -> String {
        let name = url.split(['/', '?']).nth(3).unwrap();
        format!("postgres://tripsage:{}@{link}/{name}", self.password)
    }

    /// Stops the server as a crash would: nobody is told, nothing is written any more.
    pub(crate) fn crash(&mut self) {
        self.tell("down");
    }

    /// Starts it again after a crash.
    pub(crate) fn resume(&mut self) {
        self.tell("up");
    }

    fn url(&self, database: &str) -> String {
        let port = self.port.unwrap_or(5432);
        format!("postgres://tripsage@localhost:{port}/{database}?host={}", self.folder.display())
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.words.as_mut().unwrap(), "{word}").unwrap();
        self.expect_done();
    }

    fn expect_done(&mut self) {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "done", "the server in {}", self.folder.display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.words.take());
        // The folder is gone when the holder is.
        let _ = self.holder.wait();
    }
}

/// Where `initdb` and `pg_ctl` are: on the path, or where Debian hides them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let hidden = versions.map(|version| version.path().join("bin"));
    let has_all = |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file());
    let found = std::env::split_paths(&path).chain(hidden).find(has_all)?;
    // `pg_ctl` looks for `postgres` beside the file that a link leads to.
    let real = fs::canonicalize(found.join("pg_ctl")).ok()?;
    real.parent().map(Path::to_path_buf)
}

/// User and group of the first account there is.
fn account() -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let entry = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ACCOUNTS.into_iter().find_map(entry)
}
