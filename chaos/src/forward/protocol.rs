//! What a link speaks above TCP, when faults are to act on single requests.
use std::fmt;

use serde::{Deserialize, Serialize};

/// The protocol of a link; a link without one carries bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// JSON-RPC over MCP's streamable HTTP.
    Mcp,
    /// The HTTP API of OpenAI and those that are compatible with it.
    Llm,
}

impl Protocol {
    /// What a link of this name speaks: `mcp.…` MCP, `llm` (or `llm.…`) that of a model, any other nothing known.
    #[must_use]
    pub fn of_link(name: &str) -> Option<Self> {
        match name.split('.').next() {
            Some("mcp") => Some(Self::Mcp),
            Some("llm") => Some(Self::Llm),
            _ => None,
        }
    }

    /// The protocol of this name, as in a proxy's `protocol`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Mcp, Self::Llm].into_iter().find(|protocol| protocol.to_string() == name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mcp => "mcp",
            Self::Llm => "llm",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_speaks_what_its_name_says() {
        let of = |name| Protocol::of_link(name).map(|protocol| protocol.to_string());
        assert_eq!(of("mcp.flights").as_deref(), Some("mcp"));
        assert_eq!(of("llm").as_deref(), Some("llm"));
        for name in ["client", "database", "mcpx", "", "x.mcp"] {
            assert_eq!(of(name), None, "{name}");
        }
        assert_eq!((Protocol::named("mcp"), Protocol::named("MCP")), (Some(Protocol::Mcp), None));
    }
}
