//! The variables of the environment: each is asked for by name, read into a type, and what nobody asked for is a mistake.

use std::{collections::BTreeMap, net::SocketAddr, str::FromStr, time::Duration};

use reqwest::Url;

use super::{ServerUrl, url::masked};

/// Names that other programs know as well.
const SHARED: [&str; 6] = [
    "DATABASE_URL",
    "REDIS_URL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
];

/// Why the environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A required value is absent.
    #[error("{name} is not set")]
    Missing {
        /// The absent name.
        name: &'static str,
        /// How to get a value.
        hint: &'static str,
    },
    /// A `TRIPSAGE_` name that means nothing.
    #[error("unknown setting {name}, did you mean {nearest}?")]
    Unknown {
        /// The name found.
        name: String,
        /// The known name most like it.
        nearest: &'static str,
    },
    /// A value that does not parse or is out of range.
    #[error("{name} must be {expected}, not `{value}`")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// The value found; masked for secrets.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
}

impl Error {
    /// What the operator can do about it, when there is something to say.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { hint, .. } => Some(hint),
            Self::Unknown { .. } | Self::Invalid { .. } => None,
        }
    }
}

/// The variables given, and the names asked for: what is left over is a mistake.
pub(super) struct Vars {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl Vars {
    pub(super) fn new(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = |name: &str| name.starts_with("TRIPSAGE_") || SHARED.contains(&name);
        Self { given: vars.into_iter().filter(|(name, _)| ours(name)).collect(), known: Vec::new() }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name).filter(|value| !value.is_empty())
    }

    pub(super) fn parsed<T: FromStr>(
        &mut self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.text(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| Error::Invalid { name, value, expected })
    }

    pub(super) fn at_least(
        &mut self,
        name: &'static str,
        default: u32,
        min: u32,
        expected: &'static str,
    ) -> Result<u32, Error> {
        match self.parsed(name, expected)? {
            None => Ok(default),
            Some(value) if value >= min => Ok(value),
            Some(value) => Err(Error::Invalid { name, value: value.to_string(), expected }),
        }
    }

    pub(super) fn count(&mut self, name: &'static str, default: u32) -> Result<u32, Error> {
        self.at_least(name, default, 1, "a number, 1 or more")
    }

    pub(super) fn duration(&mut self, name: &'static str, default: Duration) -> Result<Duration, Error> {
        const EXPECTED: &str = "a duration such as 250ms, 60s, 5m or 1h";
        let Some(value) = self.text(name) else { return Ok(default) };
        parse_duration(&value).ok_or(Error::Invalid { name, value, expected: EXPECTED })
    }

    pub(super) fn url(&mut self, name: &'static str) -> Result<Option<ServerUrl>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        server_url(name, &text).map(Some)
    }

    /// Texts separated by commas.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Values separated by commas, each read by `parse`.
    pub(super) fn each<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let value_of = |value: String| parse(&value).ok_or(Error::Invalid { name, value, expected });
        self.list(name).into_iter().map(value_of).collect()
    }

    /// Where to listen.
    pub(super) fn address(&mut self, name: &'static str) -> Result<Option<SocketAddr>, Error> {
        self.parsed(name, "an address such as 127.0.0.1:8000")
    }

    /// `on` or `off`.
    pub(super) fn switch(&mut self, name: &'static str, default: bool) -> Result<bool, Error> {
        match self.text(name).as_deref() {
            None => Ok(default),
            Some("on") => Ok(true),
            Some("off") => Ok(false),
            Some(value) => Err(Error::Invalid { name, value: value.to_owned(), expected: "on or off" }),
        }
    }

    /// Addresses separated by commas.
    pub(super) fn urls(&mut self, name: &'static str) -> Result<Vec<ServerUrl>, Error> {
        let Some(text) = self.text(name) else { return Ok(Vec::new()) };
        text.split(',').map(|url| server_url(name, url.trim())).collect()
    }

    pub(super) fn refuse_unknown(self) -> Result<(), Error> {
        let Some(name) = self.given.into_keys().next() else { return Ok(()) };
        let nearest = self.known.into_iter().min_by_key(|known| edit_distance(known, &name)).unwrap_or("DATABASE_URL");
        Err(Error::Unknown { name, nearest })
    }
}

fn server_url(name: &'static str, text: &str) -> Result<ServerUrl, Error> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.map(ServerUrl).ok_or_else(|| Error::Invalid { name, value: masked(text), expected: "an http or https URL" })
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).filter(|total| *total > 0).map(Duration::from_millis)
}

/// Levenshtein's distance between two names, in edits of one byte.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
