//! The connections' part of a scenario file: `[load.connection]`.
use crate::settings::{Error, USERS_MAX};
use reports::{record::LONGEST_NS, units};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `[load.connection]`: how users are connected to the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// "1.1" or "2". HTTP/2 is agreed on by ALPN over TLS, and taken for granted over plain TCP. There is no downgrade. Default: "1.1".
    pub http: Http,
    /// How many connections all users share. HTTP/1.1: a request waits for a free one, and its wait counts; HTTP/2: requests share
    /// them as streams, as many at a time as the server allows, and waiting for one counts. Default: none, each user has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<u32>,
    /// Whether a connection is kept for the next request. Default: true.
    pub keep_alive: bool,
    /// How long opening a connection may take, within the time that the user waits for the answer. Default: "10s".
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// When the target's name is looked up: "once" before the start, or "per_connection", each next connection going to the next of
    /// its addresses. Default: "once".
    pub resolve: Resolve,
    /// PEM file with the certificates of the authorities to be believed instead of the public ones, relative to the scenario file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ca_file: Option<PathBuf>,
    /// Believes any certificate, whoever signed it and for whatever name, and says so in the report. Default: false.
    pub insecure: bool,
}

/// Version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Http {
    /// HTTP/1.1: one request at a time on a connection.
    #[default]
    #[serde(rename = "1.1")]
    One,
    /// HTTP/2: many requests at a time on a connection.
    #[serde(rename = "2")]
    Two,
}

/// When the target's name is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolve {
    /// Before the start: looking it up is not part of what is measured.
    #[default]
    Once,
    /// At each new connection: its time and its failures count.
    PerConnection,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            http: Http::One,
            pool: None,
            keep_alive: true,
            connect_timeout: Duration::from_secs(10),
            resolve: Resolve::Once,
            ca_file: None,
            insecure: false,
        }
    }
}

impl Connection {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let both = |key, other| Err(Error::Exclusive { key, other });
        if let Some(pool) = self.pool {
            Error::unless_positive("connection.pool", f64::from(pool))?;
            Error::unless_at_most("connection.pool", pool, USERS_MAX)?;
            if !self.keep_alive {
                return both("connection.pool", "keep_alive = false");
            }
        }
        if self.insecure && self.ca_file.is_some() {
            return both("connection.ca_file", "insecure = true");
        }
        Error::unless_positive("connection.connect_timeout", self.connect_timeout.as_secs_f64())?;
        if self.connect_timeout > Duration::from_nanos(LONGEST_NS) {
            let (value, limit) = (units::format_duration(self.connect_timeout), "10m".to_owned());
            return Err(Error::TooMuch { key: "connection.connect_timeout", value, limit });
        }
        Ok(())
    }

    /// The most connections that so many users have open at a time.
    #[must_use]
    pub fn open_at_most(&self, users: u32) -> u32 {
        self.pool.map_or(users, |pool| pool.min(users))
    }

    /// One line for people, such as `HTTP/2 over TLS, 4 connections shared by all users`.
    #[must_use]
    pub fn description(&self, is_tls: bool) -> String {
        let http = match self.http {
            Http::One => "HTTP/1.1",
            Http::Two => "HTTP/2",
        };
        let tls = if is_tls { " over TLS" } else { "" };
        let number = match self.pool {
            _ if !self.keep_alive => "a new connection for each request".to_owned(),
            Some(1) => "1 connection shared by all users".to_owned(),
            Some(pool) => format!("{pool} connections shared by all users"),
            None => "one connection per user".to_owned(),
        };
        let resolve = match self.resolve {
            Resolve::Once => "",
            Resolve::PerConnection => ", its address looked up for each",
        };
        let insecure = if self.insecure { ", certificate NOT checked" } else { "" };
        format!("{http}{tls}, {number}{resolve}{insecure}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Connection, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_not_written_has_its_documented_default() {
        let connection = read("").unwrap();
        assert!(connection.is_default());
        assert_eq!((connection.check(), connection.open_at_most(70)), (Ok(()), 70));
        assert_eq!(connection.description(false), "HTTP/1.1, one connection per user");
    }

    #[test]
    fn settings_are_described_and_written_as_they_are_read() {
        for (text, is_tls, description) in [
            ("pool = 1", false, "HTTP/1.1, 1 connection shared by all users"),
            ("http = \"2\"\npool = 4", true, "HTTP/2 over TLS, 4 connections shared by all users"),
            ("keep_alive = false", false, "HTTP/1.1, a new connection for each request"),
            (
                "resolve = \"per_connection\"",
                true,
                "HTTP/1.1 over TLS, one connection per user, its address looked up for each",
            ),
            ("insecure = true", true, "HTTP/1.1 over TLS, one connection per user, certificate NOT checked"),
        ] {
            let connection = read(text).unwrap();
            connection.check().unwrap();
            assert_eq!(connection.description(is_tls), description);
            assert_eq!(read(&toml::to_string(&connection).unwrap()).unwrap(), connection, "{text}");
        }
        assert_eq!(read("pool = 4").unwrap().open_at_most(3), 3);
    }

    #[test]
    fn what_cannot_be_is_refused_by_key() {
        for (text, expected) in [
            ("pool = 0", "`connection.pool` must be more than 0"),
            ("pool = 50001", "`connection.pool` is 50001, more than 50000"),
            ("pool = 2\nkeep_alive = false", "`connection.pool` cannot be given together with `keep_alive = false`"),
            (
                "ca_file = \"a.pem\"\ninsecure = true",
                "`connection.ca_file` cannot be given together with `insecure = true`",
            ),
            ("connect_timeout = \"0s\"", "`connection.connect_timeout` must be more than 0"),
            ("connect_timeout = \"11m\"", "`connection.connect_timeout` is 11m, more than 10m"),
        ] {
            assert_eq!(read(text).unwrap().check().unwrap_err().to_string(), expected);
        }
        for (text, expected) in [
            ("http = \"3\"", "unknown variant `3`, expected `1.1` or `2`"),
            ("resolve = \"never\"", "unknown variant `never`"),
            ("keepalive = true", "unknown field `keepalive`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
