//! What goes over the HTTP API: Toxiproxy's shapes, and the effects that ours adds.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::forward::{Protocol, Selector};

/// A proxy as listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proxy {
    /// The name of the link.
    pub name: String,
    /// Where it listens, `host:port`; the real port once it has listened.
    pub listen: String,
    /// Where it connects to, `host:port`.
    pub upstream: String,
    /// False while it refuses connections.
    pub enabled: bool,
    /// Upstream toxics first, then downstream ones, each in order of creation.
    #[serde(default)]
    pub toxics: Vec<Toxic>,
    /// Lease of a disabled proxy in milliseconds; only listed when set. Not in a real Toxiproxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// What it speaks above TCP; only listed when set. Not in a real Toxiproxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Faults of single requests, in order of creation; only listed when there are any. Not in a real Toxiproxy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// A rule as listed: a fault for some of the requests of a link that speaks a protocol. Not in a real Toxiproxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique within the proxy.
    pub name: String,
    /// What it does, such as `http_error`.
    pub kind: String,
    /// The settings of the fault, as a scenario writes them, with their defaults.
    pub attributes: Map<String, Value>,
    /// The requests that it means.
    #[serde(flatten)]
    pub selector: Selector,
    /// The share of them that it hits, (0, 1].
    pub share: f64,
    /// Its lease in milliseconds; only listed when set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// A toxic as listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Toxic {
    /// Every attribute of the type, defaults included; `ttl_ms` when the toxic has a lease.
    pub attributes: BTreeMap<String, Value>,
    /// Unique within the proxy.
    pub name: String,
    /// Its type, such as `latency`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `upstream` (towards the server) or `downstream` (towards the client).
    pub stream: String,
    /// The share of connections that it takes hold of.
    pub toxicity: f64,
}

/// What the links and their toxics have done since the last reset. Not in a real Toxiproxy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// By name of the proxy.
    pub proxies: BTreeMap<String, ProxyEffects>,
}

/// What one link has done since the last reset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProxyEffects {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections accepted whose upstream could not be reached.
    pub upstream_failed: u64,
    /// Connections cut because the proxy was disabled, changed or deleted.
    pub cut: u64,
    /// Bytes read from clients.
    pub upstream_bytes: u64,
    /// Bytes read from the server.
    pub downstream_bytes: u64,
    /// Bytes written to the server.
    #[serde(default)]
    pub upstream_sent_bytes: u64,
    /// Bytes written to clients.
    #[serde(default)]
    pub downstream_sent_bytes: u64,
    /// In order of creation, removed ones included (the last 256 of them).
    pub toxics: Vec<ToxicEffects>,
    /// In order of creation, removed ones included (the last 256 of them); only listed when there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleEffects>,
}

/// What one rule has done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleEffects {
    /// Its name; a name that was used again appears again.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// True when it is no longer there.
    pub removed: bool,
    /// Requests that its `match` took.
    pub matched: u64,
    /// Those of them that its numbers and its share took.
    pub chosen: u64,
    /// Those of them on which it really did something.
    pub hit: u64,
    /// Connections that it cut.
    pub cut: u64,
    /// Bytes of answers that it threw away.
    pub dropped_bytes: u64,
    /// Sum of the waits that it added, in microseconds.
    pub delayed_us: u64,
}

/// What one toxic has done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToxicEffects {
    /// Its name; a name that was used again appears again.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// True when it is no longer there.
    pub removed: bool,
    /// Connections on which it delayed, changed, dropped, cut, closed or reset something.
    pub connections: u64,
    /// Chunks delayed, changed or dropped.
    pub chunks: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Bytes dropped for ever; part of `bytes`.
    pub dropped_bytes: u64,
    /// Sum over chunks of how much later each went on, in microseconds.
    pub delayed_us: u64,
}
