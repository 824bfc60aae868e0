//! The clients of all MCP servers.

use std::sync::Arc;

use crate::{
    config::{Config, McpServer},
    dependency::Limits,
    mcp::Client,
    metrics::Metrics,
};

/// One client for each server that has an address.
pub(crate) struct Servers {
    pub(crate) flights: Option<Arc<Client>>,
    pub(crate) airbnb: Option<Arc<Client>>,
    pub(crate) google_maps: Option<Arc<Client>>,
    pub(crate) weather: Option<Arc<Client>>,
    pub(crate) time: Option<Arc<Client>>,
    pub(crate) memory: Option<Arc<Client>>,
    pub(crate) webcrawl: Option<Arc<Client>>,
}

impl Servers {
    /// Sets up the clients; no server is reached yet.
    ///
    /// # Errors
    /// An HTTP client cannot be set up.
    pub(crate) fn open(config: &Config, metrics: &Arc<Metrics>) -> reqwest::Result<Self> {
        let limits = Limits {
            concurrent: config.mcp.max_concurrent,
            attempt_timeout: config.mcp.attempt_timeout,
            failures_to_open: config.breaker_failures,
            open_for: config.breaker_open,
        };
        let client = |name: &'static str, server: &McpServer| -> reqwest::Result<Option<Arc<Client>>> {
            let client = Client::new(name, server, limits, Arc::clone(metrics))?;
            if client.is_none() {
                tracing::warn!(server = name, "no address for the {name} server, what needs it answers 503");
            }
            Ok(client.map(Arc::new))
        };
        Ok(Self {
            flights: client("flights", &config.mcp.flights)?,
            airbnb: client("airbnb", &config.mcp.airbnb)?,
            google_maps: client("google_maps", &config.mcp.google_maps)?,
            weather: client("weather", &config.mcp.weather)?,
            time: client("time", &config.mcp.time)?,
            memory: client("memory", &config.mcp.memory)?,
            webcrawl: client("webcrawl", &config.mcp.webcrawl)?,
        })
    }

    /// Those that are configured.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        [&self.flights, &self.airbnb, &self.google_maps, &self.weather, &self.time, &self.memory, &self.webcrawl]
            .into_iter()
            .flatten()
    }
}
