//! The configuration of the service, read once from its environment.
//!
//! Every value has a name that starts with `TRIPSAGE_` (and `DATABASE_URL`, `REDIS_URL`, some of `OTEL_`). Durations are written with a unit
//! (`250ms`, `60s`, `5m`, `1h`), sizes as plain numbers. A `TRIPSAGE_` name that is not known is refused.

mod account;
mod bookings;
mod edge;
mod keys;
mod mcp;
mod network;
mod rate_limits;
mod telemetry;
mod url;
mod vars;

use std::{net::SocketAddr, time::Duration};

use secrecy::SecretString;

pub use account::Account;
pub use bookings::Bookings;
pub use edge::{Edge, Tls};
pub(crate) use keys::{DEFAULT_ID, MASTER_KEY_BYTES};
pub use keys::{Keys, MasterKey, SigningKey};
pub use mcp::{Mcp, McpServer};
pub use network::{Network, NotANetwork};
pub use rate_limits::RateLimits;
pub use telemetry::{LogFormat, Telemetry};
pub use url::{DatabaseUrl, ServerUrl};
pub use vars::Error;

use vars::{Vars, secs};

/// Everything that can be set. The default of each field is in its comment.
#[derive(Debug, Clone)]
pub struct Config {
    /// `TRIPSAGE_LISTEN`: address to listen on; port 0 takes a free one. Default `127.0.0.1:8000`.
    pub listen: SocketAddr,
    /// `DATABASE_URL`: where users, trips and chats are kept, `sqlite://FILE` or `postgres://...`.
    /// Default `sqlite://tripsage.db`.
    /// Other listeners, connections, TLS, hosts and origins.
    pub edge: Edge,
    /// Rate limits.
    pub rate_limits: RateLimits,
    /// `DATABASE_URL`: where users, trips and chats are kept. Default `sqlite://tripsage.db`.
    pub database_url: DatabaseUrl,
    /// `TRIPSAGE_DATABASE_CONNECTIONS`: connections to the database; SQLite has one more, for writing.
    /// Default 16 for PostgreSQL, 4 for SQLite.
    pub database_connections: u32,
    /// `TRIPSAGE_DATABASE_STATEMENT_TIMEOUT`: longest run of one statement. Default `2s`.
    pub database_statement_timeout: Duration,
    /// `TRIPSAGE_DATABASE_POOL_WAIT`: longest wait for a connection. Default `500ms`.
    pub database_pool_wait: Duration,
    /// The MCP servers.
    pub mcp: Mcp,
    /// `TRIPSAGE_LLM_URL`: base of the OpenAI-compatible API, ending in `/v1`; without it chats answer 503.
    pub llm_url: Option<ServerUrl>,
    /// `TRIPSAGE_LLM_API_KEY`: bearer key for it. Default none.
    pub llm_api_key: Option<SecretString>,
    /// `TRIPSAGE_LLM_MODEL`: model asked for. Default `gpt-4o-mini`.
    pub llm_model: String,
    /// `TRIPSAGE_LLM_FIRST_TOKEN_TIMEOUT`: longest wait for the first token of one completion. Default `10s`.
    pub llm_first_token_timeout: Duration,
    /// `TRIPSAGE_LLM_TOTAL_TIMEOUT`: longest time for one chat turn, tools included. Default `30s`.
    pub llm_total_timeout: Duration,
    /// `TRIPSAGE_LLM_MAX_CONCURRENT`: completions in progress. Default 512.
    pub llm_max_concurrent: usize,
    /// The secret keys.
    pub keys: Keys,
    /// `TRIPSAGE_ADMIN_EMAILS`: e-mail addresses whose users are administrators, separated by commas. Nobody can
    /// register with them: `tripsage user create` creates these users. Default none.
    pub admin_emails: Vec<String>,
    /// `TRIPSAGE_ARGON2_MEMORY_KIB`: memory of one password hash, in KiB, 8 or more. Default 19456.
    pub argon2_memory_kib: u32,
    /// `TRIPSAGE_REQUEST_DEADLINE`: longest time for one request that is not a chat. Default `5s`.
    pub request_deadline: Duration,
    /// `TRIPSAGE_MEMORY_BUDGET`: longest time a chat waits for its memory. Default `200ms`.
    pub memory_budget: Duration,
    /// `TRIPSAGE_TOOL_TIMEOUT`: longest time for one tool of a chat, retry included. Default `2s`.
    pub tool_timeout: Duration,
    /// `TRIPSAGE_BREAKER_FAILURES`: consecutive failed attempts that open a breaker. Default 5.
    pub breaker_failures: u32,
    /// `TRIPSAGE_BREAKER_OPEN`: how long a breaker stays open before it probes. Default `60s`.
    pub breaker_open: Duration,
    /// `TRIPSAGE_FLIGHTS_CACHE_TTL`: how long found flights are fresh. Default `300s`.
    pub flights_cache_ttl: Duration,
    /// `TRIPSAGE_STAYS_CACHE_TTL`: how long found stays are fresh. Default `1800s`.
    pub stays_cache_ttl: Duration,
    /// `TRIPSAGE_DESTINATIONS_CACHE_TTL`: how long found places are fresh. Default `86400s`.
    pub destinations_cache_ttl: Duration,
    /// `TRIPSAGE_WEATHER_CACHE_TTL`: how long weather is fresh. Default `1800s`.
    pub weather_cache_ttl: Duration,
    /// `TRIPSAGE_MEMORY_CACHE_TTL`: how long a search in the memories of a user is fresh. Default `300s`.
    pub memory_cache_ttl: Duration,
    /// `TRIPSAGE_STALE_FOR`: how long after that they may still answer when the provider fails. Default `3600s`.
    pub stale_for: Duration,
    /// Bookings.
    pub bookings: Bookings,
    /// `TRIPSAGE_MAX_IN_FLIGHT`: requests in progress, streams included, before new ones are shed. Default 1024.
    pub max_in_flight: usize,
    /// `TRIPSAGE_DRAIN`: longest time for requests in progress after a stop signal. Default `25s`.
    pub drain: Duration,
    /// Exports, deletions and the audit log.
    pub account: Account,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

impl Config {
    /// Reads the configuration from name-value pairs, usually the environment; names of other programs are ignored.
    ///
    /// # Errors
    /// A required value is missing, a value is out of range, or a `TRIPSAGE_` name is unknown.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut vars = Vars::new(vars);
        let database_url = DatabaseUrl(vars.text("DATABASE_URL").unwrap_or_else(|| "sqlite://tripsage.db".into()));
        let keys = Keys::read(&mut vars)?;
        let config = Self {
            database_connections: vars
                .count("TRIPSAGE_DATABASE_CONNECTIONS", if database_url.is_postgres() { 16 } else { 4 })?,
            database_url,
            listen: vars.address("TRIPSAGE_LISTEN")?.unwrap_or(([127, 0, 0, 1], 8000).into()),
            edge: Edge::read(&mut vars)?,
            rate_limits: RateLimits::read(&mut vars)?,
            database_statement_timeout: vars.duration("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", secs(2))?,
            database_pool_wait: vars.duration("TRIPSAGE_DATABASE_POOL_WAIT", Duration::from_millis(500))?,
            mcp: Mcp::read(&mut vars)?,
            llm_url: vars.url("TRIPSAGE_LLM_URL")?,
            llm_api_key: vars.text("TRIPSAGE_LLM_API_KEY").map(SecretString::from),
            llm_model: vars.text("TRIPSAGE_LLM_MODEL").unwrap_or_else(|| "gpt-4o-mini".into()),
            llm_first_token_timeout: vars.duration("TRIPSAGE_LLM_FIRST_TOKEN_TIMEOUT", secs(10))?,
            llm_total_timeout: vars.duration("TRIPSAGE_LLM_TOTAL_TIMEOUT", secs(30))?,
            llm_max_concurrent: vars.count("TRIPSAGE_LLM_MAX_CONCURRENT", 512)? as usize,
            keys,
            admin_emails: vars.list("TRIPSAGE_ADMIN_EMAILS"),
            argon2_memory_kib: vars.at_least("TRIPSAGE_ARGON2_MEMORY_KIB", 19_456, 8, "a number of KiB, 8 or more")?,
            request_deadline: vars.duration("TRIPSAGE_REQUEST_DEADLINE", secs(5))?,
            memory_budget: vars.duration("TRIPSAGE_MEMORY_BUDGET", Duration::from_millis(200))?,
            tool_timeout: vars.duration("TRIPSAGE_TOOL_TIMEOUT", secs(2))?,
            breaker_failures: vars.count("TRIPSAGE_BREAKER_FAILURES", 5)?,
            breaker_open: vars.duration("TRIPSAGE_BREAKER_OPEN", secs(60))?,
            flights_cache_ttl: vars.duration("TRIPSAGE_FLIGHTS_CACHE_TTL", secs(300))?,
            stays_cache_ttl: vars.duration("TRIPSAGE_STAYS_CACHE_TTL", secs(1800))?,
            destinations_cache_ttl: vars.duration("TRIPSAGE_DESTINATIONS_CACHE_TTL", secs(86_400))?,
            weather_cache_ttl: vars.duration("TRIPSAGE_WEATHER_CACHE_TTL", secs(1800))?,
            memory_cache_ttl: vars.duration("TRIPSAGE_MEMORY_CACHE_TTL", secs(300))?,
            stale_for: vars.duration("TRIPSAGE_STALE_FOR", secs(3600))?,
            bookings: Bookings::read(&mut vars)?,
            max_in_flight: vars.count("TRIPSAGE_MAX_IN_FLIGHT", 1024)? as usize,
            drain: vars.duration("TRIPSAGE_DRAIN", secs(25))?,
            account: Account::read(&mut vars)?,
            telemetry: Telemetry::read(&mut vars)?,
        };
        vars.refuse_unknown()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const KEY: (&str, &str) = ("TRIPSAGE_JWT_KEY", "0123456789abcdef0123456789abcdef");

    fn read(vars: &[(&str, &str)]) -> Result<Config, Error> {
        Config::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = read(&[KEY, ("PATH", "/bin"), ("TRIPSAGE_BREAKER_OPEN", "250ms")]).unwrap();
        assert_eq!(config.request_deadline, secs(5));
        assert_eq!(config.breaker_failures, 5);
        assert_eq!(config.breaker_open, Duration::from_millis(250));
        assert_eq!(config.listen.port(), 8000);
    }

    #[rstest]
    #[case(&[], "TRIPSAGE_JWT_KEY is not set")]
    #[case(&[("TRIPSAGE_JWT_KEY", "short")], "TRIPSAGE_JWT_KEY must be at least 32 bytes long, not `****`")]
    #[case(&[KEY, ("TRIPSAGE_BREAKER_OPENN", "1s")], "unknown setting TRIPSAGE_BREAKER_OPENN, did you mean TRIPSAGE_BREAKER_OPEN?")]
    #[case(&[KEY, ("TRIPSAGE_DRAIN", "5")], "TRIPSAGE_DRAIN must be a duration such as 250ms, 60s, 5m or 1h, not `5`")]
    #[case(&[KEY, ("TRIPSAGE_DRAIN", "0s")], "TRIPSAGE_DRAIN must be a duration such as 250ms, 60s, 5m or 1h, not `0s`")]
    #[case(&[KEY, ("TRIPSAGE_MAX_IN_FLIGHT", "0")], "TRIPSAGE_MAX_IN_FLIGHT must be a number, 1 or more, not `0`")]
    #[case(&[KEY, ("TRIPSAGE_RATE_LIMIT_FACTOR", "0")], "TRIPSAGE_RATE_LIMIT_FACTOR must be a number from 0.01 to 1000, not `0`")]
    #[case(&[KEY, ("TRIPSAGE_RATE_LIMIT_FACTOR", "NaN")], "TRIPSAGE_RATE_LIMIT_FACTOR must be a number from 0.01 to 1000, not `NaN`")]
    #[case(&[KEY, ("TRIPSAGE_TRUSTED_PROXIES", "10.0.0.0/8,proxy")], "TRIPSAGE_TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8, not `proxy`")]
    #[case(&[KEY, ("TRIPSAGE_COMPRESSION", "yes")], "TRIPSAGE_COMPRESSION must be on or off, not `yes`")]
    #[case(&[KEY, ("TRIPSAGE_TLS_CERTIFICATE", "c.pem")], "TRIPSAGE_TLS_KEY is not set")]
    #[case(&[KEY, ("TRIPSAGE_TLS_REDIRECT_LISTEN", "127.0.0.1:80")], "TRIPSAGE_TLS_CERTIFICATE is not set")]
    #[case(&[KEY, ("TRIPSAGE_CORS_ORIGINS", "*")], "TRIPSAGE_CORS_ORIGINS must be origins such as https://app.tripsage.ai, not `*`")]
    #[case(&[KEY, ("TRIPSAGE_CORS_ORIGINS", "https://a.b, https://a.b/c")], "TRIPSAGE_CORS_ORIGINS must be origins such as https://app.tripsage.ai, not `https://a.b/c`")]
    #[case(&[KEY, ("TRIPSAGE_LOG_FORMAT", "xml")], "TRIPSAGE_LOG_FORMAT must be text or json, not `xml`")]
    #[case(&[KEY, ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")], "OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL, not `collector:4318`")]
    #[case(&[KEY, ("TRIPSAGE_LLM_URL", "ftp://x/v1")], "TRIPSAGE_LLM_URL must be an http or https URL, not `ftp://x/v1`")]
    fn a_wrong_environment_is_refused(#[case] vars: &[(&str, &str)], #[case] message: &str) {
        assert_eq!(read(vars).unwrap_err().to_string(), message);
    }

    #[rstest]
    #[case::nowhere(&[], None)]
    #[case::by_default_path(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")], Some("http://c:4318/v1/traces"))]
    #[case::behind_a_path(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/otlp/")], Some("http://c/otlp/v1/traces"))]
    #[case::as_it_is(
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x")],
        Some("http://t/x")
    )]
    #[case::off(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), ("OTEL_SDK_DISABLED", "TRUE")], None)]
    fn traces_go_where_the_standard_says(#[case] vars: &[(&str, &str)], #[case] expected: Option<&str>) {
        let config = read(&[&[KEY], vars].concat()).unwrap();
        assert_eq!(config.telemetry.traces_url.as_ref().map(|url| url.expose().as_str()), expected);
    }

    #[rstest]
    #[case("sqlite://tripsage.db", "", 4)]
    #[case("postgres://db/x", "", 16)]
    #[case("postgresql://db/x", "7", 7)]
    #[case("sqlite://tripsage.db", "7", 7)]
    fn the_number_of_connections_fits_the_database(#[case] url: &str, #[case] given: &str, #[case] connections: u32) {
        let config = read(&[KEY, ("DATABASE_URL", url), ("TRIPSAGE_DATABASE_CONNECTIONS", given)]).unwrap();
        assert_eq!(config.database_connections, connections);
    }

    #[rstest]
    #[case("postgres://me:hunter2@db/x")]
    #[case("postgresql:///x?user=me&password=hunter2")]
    fn secrets_are_masked_when_the_configuration_is_shown(#[case] database_url: &str) {
        let vars = [
            KEY,
            ("TRIPSAGE_LLM_API_KEY", "sk-very-secret"),
            ("DATABASE_URL", database_url),
            ("TRIPSAGE_MASTER_KEYS", "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("REDIS_URL", "redis://:hunter4@cache/0"),
            ("TRIPSAGE_LLM_URL", "http://me:hunter3@llm/v1"),
        ];
        let shown = format!("{:?}", read(&vars).unwrap());
        for secret in ["0123456789abcdef", "AAEC", "sk-very-secret", "hunter2", "hunter3", "hunter4"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
