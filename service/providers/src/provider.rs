//! The list of bundled providers: a new one is a file, a variant and a row of the table here.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use axum::Router;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{LlmSettings, llm, mcp, pace::Pace, service_time::ServiceTime};

/// One bundled server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Flight offers, over MCP.
    Flights,
    /// What is known about a user, over MCP.
    Memory,
    /// Weather now and to come, over MCP.
    Weather,
    /// Chat completions, over an OpenAI-compatible API.
    Llm,
}

struct Row {
    provider: Provider,
    name: &'static str,
    service_time: ServiceTime,
    router: fn(&Context) -> Router,
}

/// In the order of the enum, which is the order of the ports.
///
/// Medians are near the targets of the original product (tool execution below 2 s, Duffel and weather below 200 ms).
#[rustfmt::skip]
static TABLE: [Row; 4] = [
    Row { provider: Provider::Flights, name: "flights", service_time: ServiceTime::quiet(120), router: mcp::flights::router },
    Row { provider: Provider::Memory, name: "memory", service_time: ServiceTime::quiet(15), router: mcp::memory::router },
    Row { provider: Provider::Weather, name: "weather", service_time: ServiceTime::quiet(60), router: mcp::weather::router },
    Row { provider: Provider::Llm, name: "llm", service_time: ServiceTime::quiet(200), router: llm::router },
];

/// What a provider is built from.
pub(crate) struct Context {
    pub(crate) address: IpAddr,
    pub(crate) seed: u64,
    pub(crate) pace: Arc<Pace>,
    pub(crate) llm: LlmSettings,
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

    pub(crate) fn router(self, context: &Context) -> Router {
        (self.row().router)(context)
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
        assert_eq!(error.to_string(), "unknown provider `hotels`; there are flights, memory, weather, llm");
    }
}
