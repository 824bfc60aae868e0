//! The faults of a scenario file, as written.
//!
//! ```toml
//! [[faults]]
//! link  = "mcp.flights"
//! at    = "15s"
//! for   = "10s"
//! fault = { latency = { delay = "1500ms", jitter = "100ms" } }
//! ```
use std::{fmt, num::NonZeroU64, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::{
    fault::Fault,
    forward::{Match, Selector},
};

/// One `[[faults]]` of a scenario: what goes wrong, where, and when.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSettings {
    /// What the fault is called in records and reports; `<link> <kind>` unless set. Unique in a run.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// The link it acts on, such as `mcp.flights`.
    #[schemars(with = "String")]
    pub link: Spanned<String>,
    /// When it begins, counted from the start of the run.
    #[schemars(with = "String")]
    pub at: Spanned<Length>,
    /// How long it is on.
    #[serde(rename = "for")]
    #[schemars(with = "String")]
    pub lasts: Spanned<Length>,
    /// What goes wrong.
    #[schemars(with = "Fault")]
    pub fault: Spanned<Fault>,
    /// The direction whose bytes it touches; `downstream` unless set. Not for `down`, nor for faults of requests.
    #[serde(default)]
    pub direction: Direction,
    /// The share of connections that it takes hold of (of requests, when it is a fault of requests), above 0 and up to 1; 1 unless
    /// set. Not for `down`.
    #[serde(default = "every_connection")]
    #[schemars(with = "f64", range(min = 0.0, max = 1.0))]
    pub share: Spanned<f64>,
    /// How long it stays when nobody renews it, should the harness die; 10 s unless set, at least 100 ms.
    #[serde(default = "ten_seconds")]
    #[schemars(with = "String")]
    pub lease: Spanned<Length>,
    /// Only calls of this tool, such as `search_flights`. For `mcp` faults.
    #[serde(default)]
    pub tool: Option<String>,
    /// Only requests of this JSON-RPC method, such as `tools/call`; of a model, `chat/completions` or `models`.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests to this model. For `llm` faults.
    #[serde(default)]
    pub model: Option<String>,
    /// Only the n-th of these requests, counted while the fault is on.
    #[serde(default)]
    pub nth: Option<NonZeroU64>,
    /// Only the first n of these requests.
    #[serde(default)]
    pub first: Option<NonZeroU64>,
    /// Only each n-th of these requests.
    #[serde(default)]
    pub every: Option<NonZeroU64>,
}

impl FaultSettings {
    /// The requests that it means; all, when it says nothing about them.
    pub(crate) fn selector(&self) -> Selector {
        let matching = Match { method: self.method.clone(), tool: self.tool.clone(), model: self.model.clone() };
        Selector { matching, nth: self.nth, first: self.first, every: self.every }
    }
}

/// A duration as written: a number and a unit, such as `1.5s` or `1m30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Length(
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub Duration,
);

/// Which way bytes go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the server to the client: answers.
    #[default]
    Downstream,
    /// From the client to the server: requests.
    Upstream,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Downstream => "downstream",
            Direction::Upstream => "upstream",
        })
    }
}

fn every_connection() -> Spanned<f64> {
    Spanned::new(0..0, 1.0)
}

fn ten_seconds() -> Spanned<Length> {
    Spanned::new(0..0, Length(Duration::from_secs(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        faults: Vec<FaultSettings>,
    }

    const WHOLE: &str = r#"
        [[faults]]
        name  = "flights-slow"
        link  = "mcp.flights"
        at    = "15s"
        for   = "1m30s"
        fault = { latency = { delay = "1500ms", jitter = "100ms" } }
        direction = "upstream"
        share = 0.5
        lease = "3s"

        [[faults]]
        link  = "llm"
        at    = "0s"
        for   = "5s"
        fault = "down"
    "#;

    #[test]
    fn faults_are_read_with_their_place_and_defaults() {
        let file: File = toml::from_str(WHOLE).unwrap();
        let [first, second] = &file.faults[..] else { panic!("two faults") };
        assert_eq!(&WHOLE[first.link.span()], "\"mcp.flights\"");
        assert_eq!(&WHOLE[first.at.span()], "\"15s\"");
        assert_eq!(first.lasts.get_ref().0, Duration::from_secs(90));
        assert_eq!((first.direction, *first.share.get_ref()), (Direction::Upstream, 0.5));
        assert_eq!(second.fault.get_ref(), &Fault::Down);
        assert_eq!((second.direction, *second.share.get_ref()), (Direction::Downstream, 1.0));
        assert_eq!(second.lease.get_ref().0, Duration::from_secs(10));
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        let check = |from: &str, to: &str, said: &str| {
            let error = toml::from_str::<File>(&WHOLE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(said), "{to}: {error}");
        };
        check("lease", "leese", "unknown field `leese`");
        check("\"15s\"", "\"15\"", "unit");
        check("\"15s\"", "15", "string");
        check("\"upstream\"", "\"sideways\"", "unknown variant `sideways`");
        check("latency =", "latancy =", "unknown variant `latancy`");
        check("jitter", "jiter", "unknown field `jiter`");
        check("link  = \"mcp.flights\"", "", "missing field `link`");
        check("lease", "nth = 0\nlease", "nonzero");
        check("lease", "tools = \"x\"\nlease", "unknown field `tools`");
    }

    #[test]
    fn the_schema_names_every_fault() {
        let schema = serde_json::to_string(&schemars::schema_for!(FaultSettings)).unwrap();
        for name in ["latency", "bandwidth", "timeout", "reset_peer", "down", "\"for\"", "downstream", "rpc_error"] {
            assert!(schema.contains(name), "{name}");
        }
    }
}
