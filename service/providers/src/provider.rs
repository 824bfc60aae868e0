//! The list of bundled providers: a new one is a file, a variant and a row of the table here.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use axum::Router;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{Settings, llm, mcp, pace::Pace, service_time::ServiceTime};

/// One bundled server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Flight offers and orders, over MCP.
    Flights,
    /// What is known about a user, over MCP.
    Memory,
    /// Weather now and to come, over MCP.
    Weather,
    /// Chat completions, over an OpenAI-compatible API.
    Llm,
    /// Places to stay, over MCP.
    Airbnb,
    /// Places, distances and time zones, over MCP.
    GoogleMaps,
    /// Clocks around the world, over MCP.
    Time,
    /// Pages of the web, all made up, over MCP.
    Webcrawl,
}

struct Row {
    provider: Provider,
    name: &'static str,
    service_time: ServiceTime,
    open: fn(&Settings) -> Mount,
}

/// In the order of the enum, which is the order of the ports.
///
/// Medians are near the targets of the original product (tool execution below 2 s, Duffel and weather below 200 ms).
#[rustfmt::skip]
static TABLE: [Row; 8] = [
    Row { provider: Provider::Flights, name: "flights", service_time: ServiceTime::quiet(120), open: mcp::flights::open },
    Row { provider: Provider::Memory, name: "memory", service_time: ServiceTime::quiet(15), open: mcp::memory::open },
    Row { provider: Provider::Weather, name: "weather", service_time: ServiceTime::quiet(60), open: mcp::weather::open },
    Row { provider: Provider::Llm, name: "llm", service_time: ServiceTime::quiet(200), open: llm::open },
    Row { provider: Provider::Airbnb, name: "airbnb", service_time: ServiceTime::quiet(150), open: mcp::airbnb::open },
    Row { provider: Provider::GoogleMaps, name: "google_maps", service_time: ServiceTime::quiet(50), open: mcp::google_maps::open },
    Row { provider: Provider::Time, name: "time", service_time: ServiceTime::quiet(5), open: mcp::time::open },
    Row { provider: Provider::Webcrawl, name: "webcrawl", service_time: ServiceTime::quiet(250), open: mcp::webcrawl::open },
];

/// Makes the routes of one instance; what instances share is made before, once.
pub(crate) type Mount = Box<dyn Fn(&Context) -> Router + Send + Sync>;

/// What an instance of a provider has for itself.
pub(crate) struct Context {
    pub(crate) address: IpAddr,
    pub(crate) pace: Arc<Pace>,
    /// Ends all waiting.
    pub(crate) hurry: CancellationToken,
}

impl Provider {
    /// All providers, in the order of their ports.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Flights; TABLE.len()];
        let mut index = 0;
        while index < TABLE.len() {
            all[index] = TABLE[index].provider;
            index += 1;
        }
        all
    };

    /// How long it takes to answer unless told otherwise; for the LLM, to its first token.
    pub fn service_time(self) -> ServiceTime {
        self.row().service_time
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// Makes what all its instances share.
    pub(crate) fn open(self, settings: &Settings) -> Mount {
        (self.row().open)(settings)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that belongs to no bundled provider.
#[derive(Debug, thiserror::Error)]
#[error("unknown provider `{name}`; there are {}", Provider::ALL.map(Provider::name).join(", "))]
pub struct UnknownProvider {
    name: String,
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| UnknownProvider { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, provider) in Provider::ALL.into_iter().enumerate() {
            assert_eq!(provider as usize, index);
            assert_eq!(provider.to_string().parse::<Provider>().unwrap(), provider);
            assert_eq!(serde_json::to_value(provider).unwrap(), provider.name());
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = "hotels".parse::<Provider>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown provider `hotels`; there are flights, memory, weather, llm, airbnb, google_maps, time, webcrawl"
        );
    }
}
