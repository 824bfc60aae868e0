//! The MCP servers: where they are, and what the platform's own account at them is.

use std::time::Duration;

use secrecy::SecretString;

use super::{Error, ServerUrl, Vars, secs};

/// All MCP servers, and what is the same for each. For NAME in `FLIGHTS`, `AIRBNB`, `GOOGLE_MAPS`, `WEATHER`, `TIME`,
/// `MEMORY`, `WEBCRAWL`:
///
/// - `TRIPSAGE_MCP_<NAME>_URL`: its endpoint; several instances are separated by commas. Without it, what needs the
///   server answers 503 (or does without, where the answer can say so).
/// - `TRIPSAGE_MCP_<NAME>_API_KEY`: the platform's own key for it. Default none.
#[derive(Debug, Clone)]
pub struct Mcp {
    /// Flights: searches, offers, orders.
    pub flights: McpServer,
    /// Stays.
    pub airbnb: McpServer,
    /// Places and distances.
    pub google_maps: McpServer,
    /// Weather.
    pub weather: McpServer,
    /// Time zones.
    pub time: McpServer,
    /// What is known of a user.
    pub memory: McpServer,
    /// Pages of the web.
    pub webcrawl: McpServer,
    /// `TRIPSAGE_MCP_ATTEMPT_TIMEOUT`: longest wait for one attempt of one tool call. Default `2s`.
    pub attempt_timeout: Duration,
    /// `TRIPSAGE_MCP_MAX_CONCURRENT`: calls in progress per MCP server. Default 128.
    pub max_concurrent: usize,
}

/// One MCP server.
#[derive(Debug, Clone, Default)]
pub struct McpServer {
    /// Its instances; none when it is not configured.
    pub urls: Vec<ServerUrl>,
    /// The platform's own key for it.
    pub api_key: Option<SecretString>,
}

impl Mcp {
    pub(super) fn read(vars: &mut Vars) -> Result<Self, Error> {
        let mut server = |url, key| -> Result<McpServer, Error> {
            Ok(McpServer { urls: vars.urls(url)?, api_key: vars.text(key).map(SecretString::from) })
        };
        Ok(Self {
            flights: server("TRIPSAGE_MCP_FLIGHTS_URL", "TRIPSAGE_MCP_FLIGHTS_API_KEY")?,
            airbnb: server("TRIPSAGE_MCP_AIRBNB_URL", "TRIPSAGE_MCP_AIRBNB_API_KEY")?,
            google_maps: server("TRIPSAGE_MCP_GOOGLE_MAPS_URL", "TRIPSAGE_MCP_GOOGLE_MAPS_API_KEY")?,
            weather: server("TRIPSAGE_MCP_WEATHER_URL", "TRIPSAGE_MCP_WEATHER_API_KEY")?,
            time: server("TRIPSAGE_MCP_TIME_URL", "TRIPSAGE_MCP_TIME_API_KEY")?,
            memory: server("TRIPSAGE_MCP_MEMORY_URL", "TRIPSAGE_MCP_MEMORY_API_KEY")?,
            webcrawl: server("TRIPSAGE_MCP_WEBCRAWL_URL", "TRIPSAGE_MCP_WEBCRAWL_API_KEY")?,
            attempt_timeout: vars.duration("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", secs(2))?,
            max_concurrent: vars.count("TRIPSAGE_MCP_MAX_CONCURRENT", 128)? as usize,
        })
    }
}
