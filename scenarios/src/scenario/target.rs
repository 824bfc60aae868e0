//! Where the load goes: the bundled TripSage stack, or a URL.
use crate::scenario::Mistake;
use chaos::fault::database::DatabaseFault;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// The target of a scenario. Without a `url`, the harness starts TripSage itself.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Base URL of a service that runs already, such as `http://127.0.0.1:8000`. Hosts beyond loopback need `--allow-host`.
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// The database of the bundled service: `"sqlite"` unless set, or `"postgres"`.
    #[serde(default)]
    #[schemars(with = "Option<DatabaseKind>")]
    pub database: Option<Spanned<DatabaseKind>>,
    /// Settings of the bundled service, by the name of its environment variable without `TRIPSAGE_`, in small letters: `breaker_open = "5s"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub service: BTreeMap<String, Spanned<String>>,
    /// Service times of the bundled providers, by provider: `flights = "lognormal:120ms:0.3"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub providers: BTreeMap<String, Spanned<String>>,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseKind {
    /// A SQLite file in the folder of the run.
    #[default]
    Sqlite,
    /// A PostgreSQL server that the harness makes from installed programs, behind the link `database`. It goes with the run.
    Postgres,
}

/// Where the links live.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// Base URL of a fault proxy with Toxiproxy's HTTP API that holds the links, such as `http://127.0.0.1:8474`. By default the
    /// harness starts its own. With `target.url`, the links are the proxies that it already has.
    #[schemars(with = "Option<String>")]
    pub api: Option<Spanned<String>>,
}

/// The hops of the bundled stack that faults can act on; the last one only where the database is a server.
pub const BUNDLED_LINKS: [&str; 10] = [
    "client",
    "mcp.flights",
    "mcp.airbnb",
    "mcp.google_maps",
    "mcp.weather",
    "mcp.time",
    "mcp.memory",
    "mcp.webcrawl",
    "llm",
    "database",
];

/// The parts of the bundled stack that faults can act on.
pub const BUNDLED_PARTS: [&str; 2] = ["service", "database"];

impl Target {
    /// What kind of database the bundled service has.
    #[must_use]
    pub fn database(&self) -> DatabaseKind {
        self.database.as_ref().map(|kind| *kind.get_ref()).unwrap_or_default()
    }

    /// The links of the bundled stack.
    #[must_use]
    pub fn bundled_links(&self) -> &'static [&'static str] {
        match self.database() {
            DatabaseKind::Sqlite => &BUNDLED_LINKS[..BUNDLED_LINKS.len() - 1],
            DatabaseKind::Postgres => &BUNDLED_LINKS,
        }
    }

    /// A fault of one kind of database, while the bundled service has another.
    #[must_use]
    pub fn database_mistake(&self, fault: &chaos::FaultSettings) -> Option<Mistake> {
        let inside = fault.fault.get_ref().on_database()?;
        let (needed, name, word) = match &inside {
            DatabaseFault::Sqlite(_) => (DatabaseKind::Sqlite, "SQLite", "sqlite"),
            DatabaseFault::Postgres(_) => (DatabaseKind::Postgres, "PostgreSQL", "postgres"),
        };
        if needed == self.database() {
            return None;
        }
        let text = format!("this is a fault of {name}, which is not the database of the bundled service");
        Some(Mistake::at(fault.fault.span(), text, format!("write database = \"{word}\" below [target]")))
    }

    /// What cannot be, beyond what the file format refuses by itself.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        let Some(url) = &self.url else { return Vec::new() };
        let own = self.service.values().chain(self.providers.values()).map(Spanned::span);
        let settings = own.chain(self.database.as_ref().map(Spanned::span)).map(|span| {
            let text = "a target with a `url` is not started by the harness, so it cannot be given settings";
            Mistake::at(span, text, "remove the setting, or remove `url`".to_owned())
        });
        let is_http = ["http://", "https://"].iter().any(|scheme| url.get_ref().starts_with(scheme));
        let scheme = (!is_http).then(|| {
            let hint = "write http://HOST:PORT or https://HOST:PORT".to_owned();
            Mistake::at(url.span(), "the target's URL starts neither with http:// nor with https://", hint)
        });
        scheme.into_iter().chain(settings).collect()
    }
}
