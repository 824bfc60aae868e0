//! The faults of a scenario file, as written.
//!
//! ```toml
//! [[faults]]
//! link  = "mcp.flights"
//! at    = "15s"
//! for   = "10s"
//! fault = { latency = { delay = "1500ms", jitter = "100ms" } }
//!
//! [[faults]]
//! part  = "service"
//! at    = "30s"
//! for   = "5s"
//! fault = "kill"
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
    /// What the fault is called in records and reports; `<link or part> <kind>` unless set. Unique in a run.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// The link it acts on, such as `mcp.flights`. Either this, or `links`, or `part`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub link: Option<Spanned<String>>,
    /// In place of `link`: several links, on and off together, such as `["mcp.flights", "llm"]` to cut both off. Each has a record of its own.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub links: Vec<Spanned<String>>,
    /// In place of `link`: the part of the bundled target that it acts on, such as `service`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub part: Option<Spanned<String>>,
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
    /// The direction whose bytes it touches; `downstream` unless set. Not for `down`, a part, or faults of requests.
    #[serde(default)]
    pub direction: Direction,
    /// The share of connections (of requests, when it is a fault of requests) that it takes hold of, above 0 and up to 1; 1 unless set.
    /// Not for `down`, nor for a part.
    #[serde(default = "every_connection")]
    #[schemars(with = "f64", range(min = 0.0, max = 1.0))]
    pub share: Spanned<f64>,
    /// Which connections it takes hold of, by their order; all unless set. Not for `down` and `refuse`, nor for a part.
    #[serde(default)]
    pub connections: Connections,
    /// How long it stays when nobody renews it, should the harness die; 10 s unless set, at least 100 ms. A part dies with
    /// the harness; there, a fifth of it is the time between two looks whether the fault is still on.
    #[serde(default = "ten_seconds")]
    #[schemars(with = "String")]
    pub lease: Spanned<Length>,
    /// Which requests it means; all unless set. For faults of requests (`mcp`, `llm`).
    #[serde(default)]
    pub requests: Requests,
}

/// Requests by what they ask for, and by their number among those. All that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// Only calls of this tool, such as `search_flights`. For `mcp` faults.
    pub tool: Option<String>,
    /// Only requests of this JSON-RPC method, such as `tools/call`; of a model, `chat/completions` or `models`.
    pub method: Option<String>,
    /// Only requests to this model. For `llm` faults.
    pub model: Option<String>,
    /// Only the n-th of these requests, counted while the fault is on.
    pub nth: Option<NonZeroU64>,
    /// Only the first n of these requests.
    pub first: Option<NonZeroU64>,
    /// Only each n-th of these requests.
    pub every: Option<NonZeroU64>,
}

impl Requests {
    /// As a rule of a link has it.
    pub(crate) fn selector(&self) -> Selector {
        let matching = Match { method: self.method.clone(), tool: self.tool.clone(), model: self.model.clone() };
        Selector { matching, nth: self.nth, first: self.first, every: self.every }
    }
}

/// Connections by their order: those that are open when the fault goes on, oldest first, then new ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connections {
    /// The first so many are spared; 0 unless set.
    #[serde(default)]
    pub skip: u64,
    /// Then only each so manieth is taken, the first of them included.
    pub every: Option<NonZeroU64>,
    /// Of those, no more than so many.
    pub first: Option<NonZeroU64>,
}

impl Connections {
    /// As attributes of a toxic, only what is set: a real Toxiproxy, which has none of them, need not know when nothing is chosen.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'static str, u64)> {
        let (every, count) = (self.every.map(NonZeroU64::get), self.first.map(NonZeroU64::get));
        let all = [("skip", Some(self.skip).filter(|skip| *skip > 0)), ("every", every), ("count", count)];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

impl fmt::Display for Connections {
    /// In words, such as `connections skip 1, every 3, first 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |(name, value): (&str, u64)| format!("{} {value}", if name == "count" { "first" } else { name });
        let words: Vec<String> = self.attributes().map(words).collect();
        write!(f, "connections {}", words.join(", "))
    }
}

impl FaultSettings {
    /// The links it names, in the order of the file, be it by `link` or by `links`.
    pub fn named_links(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.link.iter().chain(&self.links)
    }

    /// What of it a real Toxiproxy does not have, in words; `None` when it has all, or no link is meant.
    #[must_use]
    pub fn beyond_toxiproxy(&self) -> Option<String> {
        self.named_links().next()?;
        let fault = self.fault.get_ref();
        if !fault.is_toxiproxys() {
            return Some(format!("`{}`", fault.kind()));
        }
        (self.connections != Connections::default()).then(|| "`connections`".to_owned())
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

        [[faults]]
        part  = "service"
        at    = "10s"
        for   = "5s"
        fault = "kill"
    "#;

    #[test]
    fn faults_are_read_with_their_place_and_defaults() {
        let file: File = toml::from_str(WHOLE).unwrap();
        let [first, second, third] = &file.faults[..] else { panic!("three faults") };
        let named: Vec<&str> = first.named_links().map(|link| &WHOLE[link.span()]).collect();
        assert_eq!(named, ["\"mcp.flights\""]);
        assert_eq!(&WHOLE[first.at.span()], "\"15s\"");
        assert_eq!(first.lasts.get_ref().0, Duration::from_secs(90));
        assert_eq!((first.direction, *first.share.get_ref()), (Direction::Upstream, 0.5));
        assert_eq!(second.fault.get_ref(), &Fault::Down);
        assert_eq!((second.direction, *second.share.get_ref()), (Direction::Downstream, 1.0));
        assert_eq!(second.lease.get_ref().0, Duration::from_secs(10));
        assert_eq!((third.part.as_ref().unwrap().get_ref().as_str(), third.link.as_ref()), ("service", None));
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
        check("share", "connections = { first = 0 }\nshare", "nonzero");
        check("share", "connections = { last = 1 }\nshare", "unknown field `last`");
        check("lease", "requests = { nth = 0 }\nlease", "nonzero");
        check("lease", "requests = { tools = \"x\" }\nlease", "unknown field `tools`");
        check("link  = \"mcp.flights\"", "link = 5", "string");
        check("link  = \"mcp.flights\"", "links = \"mcp.flights\"", "sequence");
    }

    #[test]
    fn what_a_real_toxiproxy_lacks_is_known_beforehand() {
        let beyond = |from: &str, to: &str| {
            let file: File = toml::from_str(&WHOLE.replacen(from, to, 1)).unwrap();
            file.faults.iter().find_map(FaultSettings::beyond_toxiproxy)
        };
        assert_eq!(beyond("", ""), None);
        assert_eq!(beyond("\"down\"", "\"refuse\"").as_deref(), Some("`refuse`"));
        assert_eq!(beyond("share", "connections = { first = 2 }\nshare").as_deref(), Some("`connections`"));
    }

    #[test]
    fn the_schema_names_every_fault() {
        let schema = serde_json::to_string(&schemars::schema_for!(FaultSettings)).unwrap();
        for name in [
            "latency",
            "bandwidth",
            "timeout",
            "reset_peer",
            "down",
            "\"for\"",
            "downstream",
            "kill",
            "\"part\"",
            "rpc_error",
        ] {
            assert!(schema.contains(name), "{name}");
        }
    }
}
