//! A PostgreSQL server of our own: made from the installed programs, gone with the process that started it.
//!
//! A shell (`holder.sh`) holds the server and reads words from a pipe. When the pipe ends, and it ends however this process
//! ends, the shell stops the server and removes its folder. Three accounts use the server: `tripsage`, the service; `chaos`,
//! a superuser for the faults, by a socket that only this account and root reach; and `visitor`, who may do what the service
//! may, for probes: what `tripsage` met is then what the service met, and no probe.
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex as StdMutex, OnceLock, PoisonError},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
    time::timeout,
};

use super::{front::Front, process, programs::Programs};

/// Accounts a server may run as when we are root, which it refuses.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];
/// How long making, starting or copying a server may take.
const WORD_WITHIN: Duration = Duration::from_secs(60);
/// How long the end of everything may take.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// Connections that the server takes, three of which are kept for superusers: enough for the pool of a service.
const CONNECTIONS: u32 = 40;
/// Needed for `client_connection_check_interval`, by which a lock is free when the harness is gone.
const OLDEST_VERSION: i32 = 140_000;

/// The account and the database of the service.
pub(super) const SERVICE: &str = "tripsage";
/// The account of probes.
pub(super) const VISITOR: &str = "visitor";
/// The server that is there from the start.
const PRIMARY: &str = "primary";

/// A server that runs, unless a fault has it that it does not.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    password: String,
    version: i32,
    /// The server that takes writes.
    serving: StdMutex<Server>,
    pub(super) front: OnceLock<Front>,
    holder: Mutex<Holder>,
}

/// One server of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Server {
    /// The name of its folder and its log.
    pub(super) name: &'static str,
    /// Where it listens.
    pub(super) port: u16,
}

#[derive(Debug)]
struct Holder {
    child: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Why there is no server, or it could not be brought to do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something of the operating system.
    #[error("cannot {attempt}")]
    System {
        /// What was attempted.
        attempt: String,
        /// What came in between.
        #[source]
        source: std::io::Error,
    },
    /// PostgreSQL refuses to run as root, and there is nobody else.
    #[error("PostgreSQL does not run as root, and there is no account `postgres` or `nobody` on this machine")]
    NoAccount,
    /// The programs of PostgreSQL failed.
    #[error("the PostgreSQL server could not be told `{word}`: {said}")]
    Failed {
        /// What was asked for.
        word: String,
        /// The last lines of its log.
        said: String,
    },
    /// The programs of PostgreSQL took too long.
    #[error("the PostgreSQL server did not `{word}` within {} s", WORD_WITHIN.as_secs())]
    Slow {
        /// What was asked for.
        word: String,
    },
    /// The server runs, but its accounts and its database could not be made.
    #[error("cannot prepare the PostgreSQL server")]
    Prepare(#[source] sqlx::Error),
    /// The installed version is too old.
    #[error("PostgreSQL {} is installed, but faults need 14 or newer, to end by themselves", version / 10_000)]
    Old {
        /// As the server says it: 130004 for 13.4.
        version: i32,
    },
    /// Its process could not be ended.
    #[error("the PostgreSQL server with process id {pid} did not end")]
    Alive {
        /// Of its first process.
        pid: i32,
    },
}

impl Error {
    pub(super) fn system(attempt: &str) -> impl FnOnce(std::io::Error) -> Error {
        let attempt = attempt.to_owned();
        move |source| Error::System { attempt, source }
    }
}

impl Cluster {
    /// Makes and starts a server with an empty database of the service, in a folder of its own below `parent`: the system's temporary
    /// one, as everybody must be able to make and remove folders there, and its path must be short (sockets have room for about 100 bytes).
    ///
    /// # Errors
    /// When the programs fail, or the version is older than 14.
    pub async fn start(programs: &Programs, parent: &Path) -> Result<Self, Error> {
        let folder = parent.join(format!("tripsage-postgres-{}", uuid::Uuid::new_v4().simple()));
        let making = || format!("make the folder {}", folder.display());
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(Error::system(&making()))?;
        let started = Self::start_in(&folder, programs).await;
        if started.is_err() {
            // The holder removes it too, unless there was none.
            let _ = fs::remove_dir_all(&folder);
        }
        started
    }

    async fn start_in(folder: &Path, programs: &Programs) -> Result<Self, Error> {
        let settings = folder.join("settings");
        fs::write(&settings, settings_text(folder)).map_err(Error::system("write the server's settings"))?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("holder.sh"), "holder"]).arg(programs.folder()).arg(folder);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("PASSWORD", &password).current_dir(folder);
        if fs::metadata(folder).map_err(Error::system("look at the server's folder"))?.uid() == 0 {
            let (user, group) = account().ok_or(Error::NoAccount)?;
            for path in [folder, &settings] {
                chown(path, Some(user), Some(group)).map_err(Error::system("hand over the server's folder"))?;
            }
            command.uid(user).gid(group);
        }
        // Its own process group: Ctrl-C in a terminal is not for it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(Error::system("start a shell"))?;
        let (words, answers) = (child.stdin.take(), child.stdout.take().expect("its standard output is a pipe"));
        let holder = Mutex::new(Holder { child, words, answers: BufReader::new(answers) });
        let port = free_port().map_err(Error::system("find a free port"))?;
        let primary = Server { name: PRIMARY, port };
        let (serving, front) = (StdMutex::new(primary), OnceLock::new());
        let mut cluster = Self { folder: folder.to_owned(), password, version: 0, serving, front, holder };
        cluster.tell("make", primary).await?;
        cluster.prepare().await?;
        Ok(cluster)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.serving().port))
    }

    /// The address of the service's database, by something in front of the server such as a link: `host:port`.
    #[must_use]
    pub fn url(&self, listen: &str) -> String {
        format!("postgres://{SERVICE}:{}@{listen}/{SERVICE}", self.password)
    }

    /// Its version in words, such as `PostgreSQL 15.18`.
    #[must_use]
    pub fn version(&self) -> String {
        format!("PostgreSQL {}.{}", self.version / 10_000, self.version % 10_000)
    }

    /// The folder with its data and its log, while it lasts.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server and removes what it wrote.
    pub async fn stop(&self) {
        let mut holder = self.holder.lock().await;
        drop(holder.words.take());
        if timeout(STOP_WITHIN, holder.child.wait()).await.is_err() {
            tracing::warn!(folder = %self.folder.display(), "PostgreSQL did not stop within {STOP_WITHIN:?}");
        }
    }

    /// Kills the server as a crash would: nobody is told, nothing is written any more. Answers with how many processes there were.
    ///
    /// # Errors
    /// When it does not run, or its processes do not end.
    pub(super) async fn crash(&self) -> Result<usize, Error> {
        let Server { name, port } = self.serving();
        let file = self.folder.join(name).join("postmaster.pid");
        let pid = process::read_pid(&file).map_err(Error::system(&format!("read {}", file.display())))?;
        let killed = process::kill_all(pid).await?;
        // A process that has ended but was not collected yet looks to the next server like one that runs.
        for file in [file, self.folder.join(format!(".s.PGSQL.{port}.lock"))] {
            fs::remove_file(&file).map_err(Error::system(&format!("remove {}", file.display())))?;
        }
        Ok(killed)
    }

    /// Starts it again after a crash.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) async fn resume(&self) -> Result<(), Error> {
        self.tell("up", self.serving()).await
    }

    /// Whether the process of the server is there.
    pub(super) fn is_up(&self) -> bool {
        self.folder.join(self.serving().name).join("postmaster.pid").exists()
    }

    /// The log of the server; each line of an error begins with its SQLSTATE and the account, `40001:tripsage:`.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.serving().name))
    }

    /// The server that takes writes.
    pub(super) fn serving(&self) -> Server {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, another server takes writes.
    pub(super) fn serve_by(&self, server: Server) {
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// How faults connect: as a superuser by the socket, without the limits that a fault may set.
    pub(super) fn as_superuser(&self) -> PgConnectOptions {
        let socket = self.connect("chaos").socket(&self.folder);
        socket.options([
            ("default_transaction_read_only", "off"),
            ("client_connection_check_interval", "1s"),
            ("lock_timeout", "4s"),
            ("statement_timeout", "5s"),
            ("client_min_messages", "error"),
        ])
    }

    /// How probes connect: with the rights of the service.
    pub(super) fn as_visitor(&self) -> PgConnectOptions {
        self.connect(VISITOR).host("127.0.0.1").password(&self.password)
    }

    /// How a probe connects of what the account of the service meets.
    pub(super) fn as_service(&self) -> PgConnectOptions {
        self.connect(SERVICE).host("127.0.0.1").password(&self.password)
    }

    fn connect(&self, account: &str) -> PgConnectOptions {
        let options =
            PgConnectOptions::new_without_pgpass().port(self.serving().port).username(account).database(SERVICE);
        let options = options.ssl_mode(PgSslMode::Disable).application_name("chaos").statement_cache_capacity(0);
        // A statement that has to wait for what a fault does is no news.
        options.disable_statement_logging()
    }

    async fn prepare(&mut self) -> Result<(), Error> {
        let options = self.as_superuser().database("postgres");
        let mut connection = PgConnection::connect_with(&options).await.map_err(Error::Prepare)?;
        let password = &self.password;
        for sql in [
            format!("CREATE ROLE {SERVICE} LOGIN PASSWORD '{password}'"),
            format!("CREATE ROLE {VISITOR} LOGIN PASSWORD '{password}' IN ROLE {SERVICE}"),
            format!("CREATE DATABASE {SERVICE} OWNER {SERVICE}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map_err(Error::Prepare)?;
        }
        let asked = sqlx::query_scalar("SELECT current_setting('server_version_num')::int");
        self.version = asked.fetch_one(&mut connection).await.map_err(Error::Prepare)?;
        if self.version < OLDEST_VERSION { Err(Error::Old { version: self.version }) } else { Ok(()) }
    }

    /// Has the holder do something to a server.
    pub(super) async fn tell(&self, word: &str, server: Server) -> Result<(), Error> {
        let serving = self.serving();
        let mut holder = self.holder.lock().await;
        let slow = |_| Error::Slow { word: word.to_owned() };
        let answer =
            timeout(WORD_WITHIN, holder.ask(format!("{word} {} {} {}\n", server.name, server.port, serving.port)))
                .await
                .map_err(slow)?;
        match answer.map_err(Error::system("tell the server"))?.trim() {
            "done" => Ok(()),
            said => Err(Error::Failed { word: word.to_owned(), said: said.to_owned() }),
        }
    }
}

impl Holder {
    async fn ask(&mut self, line: String) -> std::io::Result<String> {
        let words = self.words.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        words.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).await?;
        Ok(answer)
    }
}

/// The server's settings. Without `fsync` a power cut would lose data; a process that is killed loses nothing.
fn settings_text(folder: &Path) -> String {
    [
        "listen_addresses = '127.0.0.1'".to_owned(),
        format!("unix_socket_directories = '{}'", folder.display()),
        format!("max_connections = {CONNECTIONS}"),
        "superuser_reserved_connections = 3".to_owned(),
        "shared_buffers = '64MB'".to_owned(),
        "fsync = off".to_owned(),
        "jit = off".to_owned(),
        "wal_level = replica".to_owned(),
        "log_line_prefix = '%e:%u:'".to_owned(),
        "log_error_verbosity = terse".to_owned(),
        "log_min_error_statement = panic".to_owned(),
        "log_checkpoints = off".to_owned(),
        "lc_messages = 'C'".to_owned(),
        String::new(),
    ]
    .join("\n")
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
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
