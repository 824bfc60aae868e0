//! Addresses whose passwords are never shown, nor what else may be secret in them.

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
        f.write_str(&masked(self.0.as_str()))
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
        f.write_str(&masked(&self.0))
    }
}

/// The address without what may be secret: its password, and all that comes after a `?` or `#`. Of a text that cannot be
/// read as an address, or that may have been cut within its password, only the scheme is left.
pub(super) fn masked(text: &str) -> String {
    let is_whole = |url: &Url| !url.path().contains('@');
    let Some(mut url) = Url::parse(text).ok().filter(is_whole) else {
        return text.split_once("://").map_or_else(|| "****".to_owned(), |(scheme, _)| format!("{scheme}://****"));
    };
    if url.password().is_none() && url.query().is_none() && url.fragment().is_none() {
        return text.to_owned();
    }
    if url.password().is_some() {
        // Only an address without a host refuses a password, and that has none.
        let _ = url.set_password(Some("****"));
    }
    if url.query().is_some() {
        url.set_query(Some("****"));
    }
    if url.fragment().is_some() {
        url.set_fragment(Some("****"));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::Vars, *};

    #[rstest]
    #[case("sqlite://tripsage.db", "sqlite://tripsage.db")]
    #[case("sqlite::memory:", "sqlite::memory:")]
    #[case("sqlite:///var/x.db?mode=rwc", "sqlite:///var/x.db?****")]
    #[case("postgres://ann@host/x", "postgres://ann@host/x")]
    #[case("postgres://ann:hunter2@host/x", "postgres://ann:****@host/x")]
    #[case("postgres:///x?host=h&password=hunter2", "postgres:///x?****")]
    #[case("postgres:///x?sslpassword=hunter2", "postgres:///x?****")]
    #[case("https://maps/?key=hunter2", "https://maps/?****")]
    #[case("postgres://ann:hunter2@host:port/x", "postgres://****")]
    #[case("postgres://ann:hun/ter2@host/x", "postgres://****")]
    #[case("postgres://ann:2/hunter@host/x", "postgres://****")]
    #[case("postgres://ann:2?hunter@host/x", "postgres://ann:2?****")]
    #[case("postgres://ann:2#hunter@host/x", "postgres://ann:2#****")]
    #[case("ann:hunter2@host/x", "****")]
    #[case("hunter2", "****")]
    fn what_may_be_secret_is_masked(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(format!("{:?}", DatabaseUrl::from(text)), shown);
        if let Ok(url) = Url::parse(text) {
            assert_eq!(format!("{:?}", ServerUrl(url)), shown);
        }
    }

    #[rstest]
    #[case("ftp://ann:hunter2@host/", "ftp://ann:****@host/")]
    #[case("http://ann:hunter2@host:port/", "http://****")]
    #[case("ann:hunter2@host", "****")]
    fn an_address_that_is_refused_is_masked_too(#[case] text: &str, #[case] shown: &str) {
        let mut vars = Vars::new([("TRIPSAGE_LLM_URL".to_owned(), text.to_owned())]);
        let error = vars.url("TRIPSAGE_LLM_URL").unwrap_err();
        assert_eq!(error.to_string(), format!("TRIPSAGE_LLM_URL must be an http or https URL, not `{shown}`"));
    }
}
