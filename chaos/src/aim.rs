//! Whether a fault fits what it is aimed at: its link, its direction, its choice of requests. Pure.
use crate::{
    fault::Means,
    forward::{Protocol, Selector},
    settings::{Direction, FaultSettings},
};

/// Why a fault does not fit what it is aimed at.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The link does not speak what the fault breaks.
    #[error("faults of {protocol} requests act on links named `{protocol}` or `{protocol}.…`, which `{link}` is not")]
    OtherProtocol {
        /// What the fault breaks.
        protocol: Protocol,
        /// The link as written.
        link: String,
    },
    /// A rule acts on requests with their answers.
    #[error("a fault of requests has no direction: leave `direction` out")]
    RuleIsWhole,
    /// Bytes are no requests.
    #[error("only faults of requests (`mcp`, `llm`) choose by `tool`, `method`, `model`, `nth`, `first` or `every`")]
    BytesAreNoRequests,
    /// The numbers contradict one another.
    #[error("no request is meant: `nth`, `first` and `every` contradict one another")]
    NoRequest,
}

/// Checks the link, the direction and the choice of requests of a fault that is brought about by `means`.
pub(crate) fn check(setting: &FaultSettings, means: &Means, selector: &Selector) -> Result<(), Problem> {
    let Means::Rule { protocol, .. } = means else {
        let is_all = *selector == Selector::default();
        return if is_all { Ok(()) } else { Err(Problem::BytesAreNoRequests) };
    };
    let link = setting.link.get_ref();
    if Protocol::of_link(link) != Some(*protocol) {
        return Err(Problem::OtherProtocol { protocol: *protocol, link: link.clone() });
    }
    if setting.direction == Direction::Upstream {
        return Err(Problem::RuleIsWhole);
    }
    if selector.is_void() { Err(Problem::NoRequest) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(link: &str, fault: &str, more: &str) -> Option<String> {
        let text = format!("link = \"{link}\"\nat = \"1s\"\nfor = \"1s\"\nfault = {fault}\n{more}");
        let setting: FaultSettings = toml::from_str(&text).unwrap();
        let means = setting.fault.get_ref().means().unwrap();
        super::check(&setting, &means, &setting.selector()).err().map(|problem| problem.to_string())
    }

    const MCP: &str = "{ mcp = { http_error = { status = 503 } } }";
    const LLM: &str = "{ llm = { cut = {} } }";
    const LATENCY: &str = "{ latency = { delay = \"1s\" } }";

    #[test]
    fn faults_of_requests_act_where_requests_are_known() {
        assert_eq!(check("mcp.flights", MCP, "tool = \"x\"\nevery = 2"), None);
        assert_eq!(check("llm", LLM, "model = \"m\""), None);
        for (link, fault, protocol) in [("client", MCP, "mcp"), ("llm", MCP, "mcp"), ("mcp.time", LLM, "llm")] {
            let said = format!(
                "faults of {protocol} requests act on links named `{protocol}` or `{protocol}.…`, which `{link}` is not"
            );
            assert_eq!(check(link, fault, ""), Some(said));
        }
    }

    #[test]
    fn a_choice_that_makes_no_sense_is_refused() {
        let said =
            "only faults of requests (`mcp`, `llm`) choose by `tool`, `method`, `model`, `nth`, `first` or `every`";
        for choice in ["tool = \"x\"", "method = \"x\"", "model = \"x\"", "nth = 1", "first = 1", "every = 2"] {
            assert_eq!(check("mcp.flights", LATENCY, choice).as_deref(), Some(said), "{choice}");
            assert_eq!(check("mcp.flights", "\"down\"", choice).as_deref(), Some(said), "{choice}");
        }
        assert_eq!(check("mcp.flights", LATENCY, "direction = \"upstream\""), None);
        let said = "a fault of requests has no direction: leave `direction` out";
        assert_eq!(check("mcp.flights", MCP, "direction = \"upstream\"").as_deref(), Some(said));
        let said = "no request is meant: `nth`, `first` and `every` contradict one another";
        assert_eq!(check("mcp.flights", MCP, "nth = 3\nfirst = 2").as_deref(), Some(said));
    }
}
