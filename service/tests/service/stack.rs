//! A service under test, and the few words to talk to it.

use std::{
    future::Future,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use service::{Config, bind, upkeep};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use crate::{
    fakes::{FakeLlm, FakeMcp},
    postgres::Cluster,
};

/// The master key of tests: its id, and 32 bytes.
pub(crate) const MASTER_KEY: &str = "first:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const PASSWORD: &str = "Abcdef1!";
pub(crate) const JWT_KEY: &str = "a key for tests, long enough for HS256";

/// Which database the service keeps things in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// Another client of the database, in whose way everybody is who wants to write.
pub(crate) enum Obstacle {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A running service with scripted providers.
pub(crate) struct Stack {
    pub(crate) address: SocketAddr,
    pub(crate) internal_address: Option<SocketAddr>,
    pub(crate) redirect_address: Option<SocketAddr>,
    pub(crate) flights: FakeMcp,
    pub(crate) memory: FakeMcp,
    pub(crate) weather: FakeMcp,
    pub(crate) airbnb: FakeMcp,
    pub(crate) google_maps: FakeMcp,
    pub(crate) time: FakeMcp,
    pub(crate) webcrawl: FakeMcp,
    pub(crate) llm: FakeLlm,
    pub(crate) database_url: String,
    pub(crate) folder: TempDir,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), service::Error>>,
    users: AtomicU32,
    /// E-mail addresses of administrators, who are there from the beginning.
    admins: Vec<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// A user who is logged in.
pub(crate) struct User {
    pub(crate) token: String,
    pub(crate) refresh_token: String,
    pub(crate) email: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    /// Status and code of an error, whose envelope is checked on the way.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body["error"], true, "{body}");
        for field in ["code", "message", "type", "request_id", "timestamp"] {
            assert!(body[field].is_string(), "{field} in {body}");
        }
        assert!(body["details"].is_object(), "{body}");
        assert_eq!(body["request_id"], self.header("x-request-id"));
        (self.status.as_u16(), body["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The events of a stream; its end is checked.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut lines: Vec<_> = self.text.split("\n\n").filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.pop(), Some("data: [DONE]"), "{}", self.text);
        lines.iter().map(|line| serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap()).collect()
    }
}

impl Stack {
    /// Starts it on SQLite, with these settings on top of those that make tests quick.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        Self::on(Database::Sqlite, settings).await.expect("SQLite is part of the service")
    }

    /// Starts it on a new database of that kind, with these settings on top of those that make tests quick.
    ///
    /// `None` when that kind is not installed: the test is skipped, and a line says so.
    pub(crate) async fn on(database: Database, settings: &[(&str, &str)]) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let url = database.url(&folder).await?;
        Some(Self::with(folder, url, settings).await)
    }

    /// Starts it on this database.
    pub(crate) async fn with(folder: TempDir, database_url: String, settings: &[(&str, &str)]) -> Self {
        let (flights, memory, weather) = (FakeMcp::start().await, FakeMcp::start().await, FakeMcp::start().await);
        let (airbnb, google_maps, time) = (FakeMcp::start().await, FakeMcp::start().await, FakeMcp::start().await);
        let (webcrawl, llm) = (FakeMcp::start().await, FakeLlm::start().await);
        let mut vars = vec![
            ("TRIPSAGE_MCP_FLIGHTS_URL", format!("http://{}/mcp", flights.address)),
            ("TRIPSAGE_MCP_MEMORY_URL", format!("http://{}/mcp", memory.address)),
            ("TRIPSAGE_MCP_WEATHER_URL", format!("http://{}/mcp", weather.address)),
            ("TRIPSAGE_MCP_AIRBNB_URL", format!("http://{}/mcp", airbnb.address)),
            ("TRIPSAGE_MCP_GOOGLE_MAPS_URL", format!("http://{}/mcp", google_maps.address)),
            ("TRIPSAGE_MCP_TIME_URL", format!("http://{}/mcp", time.address)),
            ("TRIPSAGE_MCP_WEBCRAWL_URL", format!("http://{}/mcp", webcrawl.address)),
            ("TRIPSAGE_LLM_URL", format!("http://{}/v1", llm.address)),
            ("DATABASE_URL", database_url.clone()),
        ];
        vars.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let admins = settings.iter().filter(|(name, _)| *name == "TRIPSAGE_ADMIN_EMAILS");
        let admins: Vec<String> = admins.flat_map(|(_, emails)| emails.split(',')).map(str::to_owned).collect();
        for email in &admins {
            upkeep::create_user(config(&vars), email, PASSWORD.to_owned()).await.unwrap();
        }
        let config = config(&vars);
        let server = bind(config).await.unwrap();
        let address = server.address();
        let (internal_address, redirect_address) = (server.internal_address(), server.redirect_address());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move { stopped.await.unwrap_or_default() }));
        let client = client();
        Self {
            address,
            internal_address,
            redirect_address,
            flights,
            memory,
            weather,
            airbnb,
            google_maps,
            time,
            webcrawl,
            llm,
            database_url,
            folder,
            client,
            stop: Some(stop),
            running,
            users: AtomicU32::new(0),
            admins,
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        self.send_with(method, path, token, body, &[]).await
    }

    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.request(method, path, token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request).await
    }

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn post(&self, path: &str, user: &User, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(&user.token), Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str, user: &User) -> Answer {
        self.send(Method::GET, path, Some(&user.token), None).await
    }

    pub(crate) async fn probe(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    /// Registers a new user, unless that is an administrator, and logs in.
    pub(crate) async fn user(&self) -> User {
        let email = format!("user{}@example.org", self.users.fetch_add(1, Ordering::Relaxed));
        let body = json!({"email": email, "password": PASSWORD});
        if !self.admins.contains(&email) {
            let registered = self.send(Method::POST, "/api/v1/auth/register", None, Some(&body)).await;
            assert_eq!(registered.status, 201, "{registered:?}");
        }
        let login = self.send(Method::POST, "/api/v1/auth/login", None, Some(&body)).await.json();
        let text = |field: &str| login[field].as_str().unwrap().to_owned();
        User { token: text("access_token"), refresh_token: text("refresh_token"), email }
    }

    /// A metric's value, 0 when it is not there: the sum over all series that begin with `prefix`.
    pub(crate) async fn metric(&self, prefix: &str) -> f64 {
        let address = self.internal_address.unwrap_or(self.address);
        let page = read(self.client.get(format!("http://{address}/metrics"))).await.text;
        let of_line = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        page.lines().filter(|line| line.starts_with(prefix)).map(of_line).sum()
    }

    /// Asks it to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(Duration::from_secs(5), self.running).await.unwrap().unwrap().unwrap();
    }
}

impl Database {
    /// The address of a new database of that kind, when it is installed.
    pub(crate) async fn url(self, folder: &TempDir) -> Option<String> {
        match self {
            Self::Sqlite => Some(format!("sqlite://{}/tripsage.db", folder.path().display())),
            Self::Postgres => Some(Cluster::shared()?.database().await),
        }
    }
}

impl Obstacle {
    /// Nobody else writes from now on; who only reads is not held up.
    pub(crate) async fn put(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            let mut other = SqliteConnection::connect(url).await.unwrap();
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
            return Self::Sqlite(other);
        }
        let mut other = PgConnection::connect(url).await.unwrap();
        let lock = "BEGIN; LOCK TABLE users, trips, chat_messages IN EXCLUSIVE MODE";
        sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
        Self::Postgres(other)
    }

    pub(crate) async fn lift(self) {
        match self {
            Self::Sqlite(other) => other.close().await.unwrap(),
            Self::Postgres(other) => other.close().await.unwrap(),
        }
    }
}

/// Another client of a PostgreSQL database: inserts into a table wait for it, in the middle of their transactions.
pub(crate) struct Brake(PgConnection);

impl Brake {
    pub(crate) async fn on(url: &str, table: &str) -> Self {
        let mut other = PgConnection::connect(url).await.unwrap();
        let sql = format!(
            "CREATE FUNCTION brake() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$; \
             CREATE TRIGGER brake BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION brake(); \
             SELECT pg_advisory_lock(1)"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await.unwrap();
        Self(other)
    }

    /// Waits until so many wait: for this client, or for one who does.
    pub(crate) async fn holds(&mut self, count: i64) {
        const WAITING: &str =
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let deadline = Instant::now() + Duration::from_secs(20);
        while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut self.0).await.unwrap() < count {
            assert!(Instant::now() < deadline, "{count} did not wait within 20 s");
        }
    }

    pub(crate) async fn release(self) {
        self.0.close().await.unwrap();
    }
}

/// A configuration for tests: free port, cheap passwords, no wait that a test would notice.
pub(crate) fn config(vars: &[(&str, String)]) -> Config {
    let base = [
        ("TRIPSAGE_LISTEN", "127.0.0.1:0"),
        ("TRIPSAGE_JWT_KEY", JWT_KEY),
        ("TRIPSAGE_ARGON2_MEMORY_KIB", "8"),
        ("TRIPSAGE_MASTER_KEYS", MASTER_KEY),
        // Tests ask more often than a user may.
        ("TRIPSAGE_RATE_LIMITS", "off"),
    ];
    let base = base.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given = vars.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Config::from_vars(base.into_iter().chain(given)).unwrap()
}

/// A client for plain links.
pub(crate) fn client() -> Client {
    Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

/// Waits until `condition` holds, at most 20 s.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "{what} did not happen within 20 s");
        tokio::task::yield_now().await;
    }
}
