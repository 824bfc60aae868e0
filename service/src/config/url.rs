//! Addresses whose passwords are never shown.

use std::fmt;

use reqwest::Url;

/// The address of a server; its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(pub(super) Url);

/// A database address; its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub(super) String);

impl ServerUrl {
    /// The address itself, password included.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The same server, with `path` after the path it has.
    pub(super) fn with_path(mut self, path: &str) -> Self {
        let whole = format!("{}{path}", self.0.path().trim_end_matches('/'));
        self.0.set_path(&whole);
        self
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(masked(self.0.clone()).as_str())
    }
}

impl DatabaseUrl {
    /// The address itself, password included.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it names a PostgreSQL server.
    pub fn is_postgres(&self) -> bool {
        self.0.starts_with("postgres:") || self.0.starts_with("postgresql:")
    }
}

impl From<&str> for DatabaseUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::parse(&self.0) {
            Ok(url) if url.password().is_some() || has_query_password(&url) => f.write_str(masked(url).as_str()),
            _ => f.write_str(&self.0),
        }
    }
}

fn masked(mut url: Url) -> Url {
    if url.password().is_some() {
        // Only an address without a host refuses a password, and that has none.
        let _ = url.set_password(Some("****"));
    }
    if has_query_password(&url) {
        url.set_query(Some("****"));
    }
    url
}

/// `postgres:///x?password=...` is as good as `postgres://:...@/x`.
fn has_query_password(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "password")
}
