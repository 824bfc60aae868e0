//! Where the load goes: the bundled TripSage stack, or a URL.
use crate::scenario::Mistake;
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
    /// Settings of the bundled service, by the name of its environment variable without `TRIPSAGE_`, in small letters: `breaker_open = "5s"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub service: BTreeMap<String, Spanned<String>>,
    /// Service times of the bundled providers, by provider: `flights = "lognormal:120ms:0.3"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub providers: BTreeMap<String, Spanned<String>>,
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

/// The hops of the bundled stack that faults can act on.
pub const BUNDLED_LINKS: [&str; 9] = [
    "client",
    "mcp.flights",
    "mcp.airbnb",
    "mcp.google_maps",
    "mcp.weather",
    "mcp.time",
    "mcp.memory",
    "mcp.webcrawl",
    "llm",
];

/// The parts of the bundled stack that faults can act on.
pub const BUNDLED_PARTS: [&str; 1] = ["service"];

impl Target {
    /// What cannot be, beyond what the file format refuses by itself.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        let Some(url) = &self.url else { return Vec::new() };
        let own = self.service.values().chain(self.providers.values());
        let settings = own.map(|value| {
            let text = "a target with a `url` is not started by the harness, so it cannot be given settings";
            Mistake::at(value.span(), text, "remove the setting, or remove `url`".to_owned())
        });
        let is_http = ["http://", "https://"].iter().any(|scheme| url.get_ref().starts_with(scheme));
        let scheme = (!is_http).then(|| {
            let hint = "write http://HOST:PORT or https://HOST:PORT".to_owned();
            Mistake::at(url.span(), "the target's URL starts neither with http:// nor with https://", hint)
        });
        scheme.into_iter().chain(settings).collect()
    }
}
