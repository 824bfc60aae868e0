//! Whether a fault fits what it is aimed at: its link, its direction, its choice of connections or requests. Pure.
use toml::Spanned;

use crate::{
    fault::Means,
    forward::{Protocol, Selector},
    link::Reach,
    problem::{Error, Problem},
    settings::{Connections, Direction, FaultSettings},
};

/// The link between the users and the service.
const FRONT: &str = "client";

/// Checks where and on what share a fault acts that is brought about by `means`.
pub(crate) fn check(setting: &FaultSettings, place: &Spanned<String>, means: &Means) -> Result<(), Error> {
    if *means == Means::Clients && place.get_ref() != FRONT {
        let kind = setting.fault.get_ref().kind();
        return Err(Error { problem: Problem::NeedsClient { kind }, span: place.span() });
    }
    let checked = match means {
        Means::Rule { protocol, .. } => requests(setting, place.get_ref(), *protocol),
        _ if setting.requests.selector() != Selector::default() => Err(Problem::BytesAreNoRequests),
        Means::Part | Means::Clients | Means::Database => whole(setting),
        Means::Disable | Means::Toxic { .. } => reach(setting),
    };
    checked.map_err(|problem| Error { problem, span: setting.fault.span() })
}

fn requests(setting: &FaultSettings, link: &str, protocol: Protocol) -> Result<(), Problem> {
    if Protocol::of_link(link) != Some(protocol) {
        return Err(Problem::OtherProtocol { protocol, link: link.to_owned() });
    }
    if setting.direction != Direction::default() || setting.connections != Connections::default() {
        return Err(Problem::RequestsAreNoBytes);
    }
    if setting.requests.selector().is_void() { Err(Problem::NoRequest) } else { Ok(()) }
}

/// A part and a crowd are touched as a whole.
fn whole(setting: &FaultSettings) -> Result<(), Problem> {
    let is_whole = setting.share.span().is_empty()
        && setting.direction == Direction::default()
        && setting.connections == Connections::default();
    if is_whole { Ok(()) } else { Err(Problem::IsWhole { kind: setting.fault.get_ref().kind() }) }
}

/// What a fault acts on cannot be narrowed down to less than it is.
fn reach(setting: &FaultSettings) -> Result<(), Problem> {
    let kind = setting.fault.get_ref().kind();
    let is_partial = *setting.share.get_ref() < 1.0 || setting.connections != Connections::default();
    let names_direction = setting.direction != Direction::default();
    match setting.fault.get_ref().reach() {
        Reach::Door if is_partial || names_direction => Err(Problem::WholeLink { kind }),
        Reach::BothStreams if names_direction => Err(Problem::BothDirections { kind }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(link: &str, fault: &str, more: &str) -> Option<String> {
        let text = format!("link = \"{link}\"\nat = \"1s\"\nfor = \"1s\"\nfault = {fault}\n{more}");
        let setting: FaultSettings = toml::from_str(&text).unwrap();
        let means = setting.fault.get_ref().means().unwrap();
        super::check(&setting, setting.link.as_ref().unwrap(), &means).err().map(|problem| problem.to_string())
    }

    const MCP: &str = "{ mcp = { http_error = { status = 503 } } }";
    const LLM: &str = "{ llm = { cut = {} } }";
    const LATENCY: &str = "{ latency = { delay = \"1s\" } }";

    #[test]
    fn faults_of_requests_act_where_requests_are_known() {
        assert_eq!(check("mcp.flights", MCP, "requests = { tool = \"x\", every = 2 }"), None);
        assert_eq!(check("llm", LLM, "requests = { model = \"m\" }"), None);
        for (link, fault, protocol) in [("client", MCP, "mcp"), ("llm", MCP, "mcp"), ("mcp.time", LLM, "llm")] {
            let said = format!(
                "faults of {protocol} requests act on links named `{protocol}` or `{protocol}.…`, which `{link}` is not"
            );
            assert_eq!(check(link, fault, ""), Some(said));
        }
    }

    #[test]
    fn a_choice_that_makes_no_sense_is_refused() {
        let said = "only faults of requests (`mcp`, `llm`) choose `requests`";
        for choice in ["tool = \"x\"", "method = \"x\"", "model = \"x\"", "nth = 1", "first = 1", "every = 2"] {
            let choice = &format!("requests = {{ {choice} }}");
            assert_eq!(check("mcp.flights", LATENCY, choice).as_deref(), Some(said), "{choice}");
            assert_eq!(check("mcp.flights", "\"down\"", choice).as_deref(), Some(said), "{choice}");
        }
        assert_eq!(check("mcp.flights", LATENCY, "direction = \"upstream\""), None);
        let said = "a fault of requests chooses `requests`: leave `direction` and `connections` out";
        for choice in ["direction = \"upstream\"", "connections = { first = 2 }"] {
            assert_eq!(check("mcp.flights", MCP, choice).as_deref(), Some(said), "{choice}");
        }
        let said = "no request is meant: `nth`, `first` and `every` contradict one another";
        assert_eq!(check("mcp.flights", MCP, "requests = { nth = 3, first = 2 }").as_deref(), Some(said));
    }
}
