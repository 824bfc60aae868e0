//! The list of faults, and what each becomes on the wire of a fault proxy.
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use super::{
    bandwidth, bandwidth::Bandwidth, down, latency, latency::Latency, limit_data, limit_data::LimitData, llm::LlmFault,
    mcp::McpFault, noop, reset_peer, reset_peer::ResetPeer, slicer, slicer::Slicer, slow_close, slow_close::SlowClose,
    timeout, timeout::Timeout,
};
use crate::{
    forward::{Protocol, RequestFault},
    link::Kind,
};

/// Every toxic that a link understands, by its name in the HTTP API.
const KINDS: &[&Kind] = &[
    &latency::KIND,
    &bandwidth::KIND,
    &slow_close::KIND,
    &timeout::KIND,
    &reset_peer::KIND,
    &slicer::KIND,
    &limit_data::KIND,
    &noop::KIND,
];

/// Looks a toxic up by its name in the HTTP API.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}

/// What goes wrong on a link, as written in a scenario: `"down"` or `{ latency = { delay = "250ms" } }`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The link refuses connections and cuts those that are open.
    Down,
    /// Bytes arrive later.
    Latency(Latency),
    /// Bytes arrive at no more than a rate.
    Bandwidth(Bandwidth),
    /// Bytes vanish, and the connection closes after a while (or never).
    Timeout(Timeout),
    /// The connection is reset (RST), open ones included.
    ResetPeer(ResetPeer),
    /// The end of the stream arrives later.
    SlowClose(SlowClose),
    /// Bytes arrive in small pieces.
    Slicer(Slicer),
    /// The connection closes after a number of bytes.
    LimitData(LimitData),
    /// Requests to an MCP server fail, or are answered wrongly.
    Mcp(McpFault),
    /// Requests to a model fail, or are answered late or in part.
    Llm(LlmFault),
}

/// By which means a fault proxy brings a fault about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// The proxy is disabled.
    Disable,
    /// A toxic is added.
    Toxic {
        /// Its type in the HTTP API, such as `latency`.
        kind: &'static str,
        /// Its attributes, in the units of the HTTP API.
        attributes: BTreeMap<&'static str, u64>,
    },
    /// A rule is set for single requests; only our own links know such.
    Rule {
        /// What the link must speak.
        protocol: Protocol,
        /// Its kind in the HTTP API, such as `http_error`.
        kind: &'static str,
        /// Its settings, as in a scenario.
        attributes: Map<String, Value>,
    },
}

/// Why the settings of a fault cannot be brought about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A time is finer than the HTTP API can say.
    #[error("`{name}` is {}, but fault proxies count in whole {unit}", format_duration(*value))]
    TooFine {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: Duration,
        /// The unit that the value must be a multiple of.
        unit: &'static str,
    },
    /// A rate is finer than the HTTP API can say.
    #[error("`rate` is {bytes_per_second} B/s, but fault proxies count in whole KB/s (1000 bytes)")]
    RateTooFine {
        /// What was written.
        bytes_per_second: u64,
    },
    /// The settings would do nothing.
    #[error("{0}")]
    NoEffect(&'static str),
    /// A setting is beyond what it may be.
    #[error("`{name}` is {value}, but must be {must}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: String,
        /// What it may be.
        must: &'static str,
    },
}

/// Why the settings of a rule cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    #[error(transparent)]
    Fault(#[from] Error),
}

/// A fault for single requests, and its settings as the HTTP API shows them.
pub(crate) type WithSettings = (Arc<dyn RequestFault>, Map<String, Value>);

/// A fault for single requests, by its kind and settings in the HTTP API; its settings come back with their defaults.
pub(crate) fn request_fault(
    protocol: Protocol,
    kind: &str,
    attributes: Map<String, Value>,
) -> Result<WithSettings, SettingsError> {
    let written = Value::from(Map::from_iter([(kind.to_owned(), Value::from(attributes))]));
    let (fault, settings) = match protocol {
        Protocol::Mcp => serde_json::from_value(written).map(|fault: McpFault| (fault.kind(), settings(&fault)))?,
        Protocol::Llm => serde_json::from_value(written).map(|fault: LlmFault| (fault.kind(), settings(&fault)))?,
    };
    fault.check()?;
    Ok((fault, settings))
}

/// The settings of a fault, without its kind.
fn settings(fault: &impl Serialize) -> Map<String, Value> {
    let written = serde_json::to_value(fault).unwrap_or_default();
    let inner = written.as_object().and_then(|kinds| kinds.values().next());
    inner.and_then(Value::as_object).cloned().unwrap_or_default()
}

impl Fault {
    /// The kind as written in a scenario, such as `latency`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Down => down::NAME,
            Fault::Latency(_) => latency::KIND.name,
            Fault::Bandwidth(_) => bandwidth::KIND.name,
            Fault::Timeout(_) => timeout::KIND.name,
            Fault::ResetPeer(_) => reset_peer::KIND.name,
            Fault::SlowClose(_) => slow_close::KIND.name,
            Fault::Slicer(_) => slicer::KIND.name,
            Fault::LimitData(_) => limit_data::KIND.name,
            Fault::Mcp(fault) => fault.kind().kind(),
            Fault::Llm(fault) => fault.kind().kind(),
        }
    }

    /// What a link must speak for it, when it acts on single requests.
    #[must_use]
    pub fn protocol(&self) -> Option<Protocol> {
        match self {
            Fault::Mcp(_) => Some(Protocol::Mcp),
            Fault::Llm(_) => Some(Protocol::Llm),
            _ => None,
        }
    }

    /// What a fault proxy must be told to bring this about.
    ///
    /// # Errors
    /// When a value cannot be said in the units of the HTTP API, or the settings would do nothing.
    pub fn means(&self) -> Result<Means, Error> {
        let attributes: Vec<(&'static str, u64)> = match self {
            Fault::Down => return Ok(Means::Disable),
            Fault::Latency(settings) => settings.attributes()?,
            Fault::Bandwidth(settings) => settings.attributes()?,
            Fault::Timeout(settings) => settings.attributes()?,
            Fault::ResetPeer(settings) => settings.attributes()?,
            Fault::SlowClose(settings) => settings.attributes()?,
            Fault::Slicer(settings) => settings.attributes()?,
            Fault::LimitData(settings) => settings.attributes()?,
            Fault::Mcp(fault) => return rule(Protocol::Mcp, &*fault.kind(), settings(fault)),
            Fault::Llm(fault) => return rule(Protocol::Llm, &*fault.kind(), settings(fault)),
        };
        Ok(Means::Toxic { kind: self.kind(), attributes: attributes.into_iter().collect() })
    }
}

impl fmt::Display for Fault {
    /// The fault and its settings in words, such as `latency 1.5s ± 100ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Down => f.write_str(down::NAME),
            Fault::Latency(settings) => settings.fmt(f),
            Fault::Bandwidth(settings) => settings.fmt(f),
            Fault::Timeout(settings) => settings.fmt(f),
            Fault::ResetPeer(settings) => settings.fmt(f),
            Fault::SlowClose(settings) => settings.fmt(f),
            Fault::Slicer(settings) => settings.fmt(f),
            Fault::LimitData(settings) => settings.fmt(f),
            Fault::Mcp(fault) => fault.kind().fmt(f),
            Fault::Llm(fault) => fault.kind().fmt(f),
        }
    }
}

fn rule(protocol: Protocol, fault: &dyn RequestFault, attributes: Map<String, Value>) -> Result<Means, Error> {
    fault.check()?;
    Ok(Means::Rule { protocol, kind: fault.kind(), attributes })
}

/// Reads a size with a unit, such as `64KiB`, for `#[serde(deserialize_with)]`.
pub(super) fn read_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    reports::units::parse_size(&text).map_err(D::Error::custom)
}

/// Writes a size with a unit, for `#[serde(serialize_with)]`.
pub(super) fn write_size<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&reports::units::format_size(*bytes))
}

/// Reads a byte rate with a unit, such as `100KB/s`, for `#[serde(deserialize_with)]`.
pub(super) fn read_byte_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    reports::units::parse_byte_rate(&text).map_err(D::Error::custom)
}

/// Writes a byte rate with a unit, for `#[serde(serialize_with)]`.
pub(super) fn write_byte_rate<S: Serializer>(bytes_per_second: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{}/s", reports::units::format_size(*bytes_per_second)))
}

/// The duration as whole milliseconds of an attribute.
pub(super) fn whole_millis(name: &'static str, value: Duration) -> Result<u64, Error> {
    whole(name, value, 1_000_000, "milliseconds")
}

/// The duration as whole microseconds of an attribute.
pub(super) fn whole_micros(name: &'static str, value: Duration) -> Result<u64, Error> {
    whole(name, value, 1_000, "microseconds")
}

fn whole(name: &'static str, value: Duration, unit_ns: u128, unit: &'static str) -> Result<u64, Error> {
    let too_fine = Error::TooFine { name, value, unit };
    if !value.as_nanos().is_multiple_of(unit_ns) {
        return Err(too_fine);
    }
    u64::try_from(value.as_nanos() / unit_ns).map_err(|_| too_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Fault, String> {
        #[derive(Deserialize)]
        struct File {
            fault: Fault,
        }
        toml::from_str::<File>(&format!("fault = {text}")).map(|file| file.fault).map_err(|e| e.to_string())
    }

    fn check(text: &str, words: &str, kind: &str, attributes: &[(&'static str, u64)]) {
        let fault = read(text).unwrap();
        assert_eq!((fault.to_string().as_str(), fault.kind()), (words, kind));
        let expected = Means::Toxic { kind: fault.kind(), attributes: attributes.iter().copied().collect() };
        assert_eq!(fault.means().unwrap(), expected, "{text}");
        let kind = super::kind(kind).expect("every toxic of the catalogue is known to the link");
        assert!(attributes.iter().all(|(name, _)| kind.attributes.contains(name)), "{text}");
    }

    #[test]
    fn faults_are_read_said_in_words_and_turned_into_toxics() {
        check(
            r#"{ latency = { delay = "1500ms", jitter = "100ms" } }"#,
            "latency 1.5s ± 100ms",
            "latency",
            &[("latency", 1500), ("jitter", 100)],
        );
        check(r#"{ latency = { delay = "1s" } }"#, "latency 1s", "latency", &[("latency", 1000), ("jitter", 0)]);
        check(r#"{ bandwidth = { rate = "100KB/s" } }"#, "bandwidth 100KB/s", "bandwidth", &[("rate", 100)]);
        check(r#"{ bandwidth = { rate = "0B/s" } }"#, "bandwidth 0B/s", "bandwidth", &[("rate", 0)]);
        check(r#"{ timeout = { after = "0ms" } }"#, "timeout, never closing", "timeout", &[("timeout", 0)]);
        check(r#"{ timeout = { after = "2s" } }"#, "timeout, closing after 2s", "timeout", &[("timeout", 2000)]);
        check(r#"{ reset_peer = { after = "0ms" } }"#, "reset_peer at once", "reset_peer", &[("timeout", 0)]);
        check(r#"{ slow_close = { delay = "1s" } }"#, "slow_close 1s", "slow_close", &[("delay", 1000)]);
        check(
            r#"{ slicer = { size = "64B", variation = "32B", delay = "10us" } }"#,
            "slicer 64B ± 32B every 10us",
            "slicer",
            &[("average_size", 64), ("size_variation", 32), ("delay", 10)],
        );
        check(r#"{ limit_data = { bytes = "1KB" } }"#, "limit_data 1KB", "limit_data", &[("bytes", 1000)]);
        assert_eq!(read(r#""down""#).unwrap().means(), Ok(Means::Disable));
    }

    #[test]
    fn what_cannot_be_said_or_does_nothing_is_refused() {
        let refused = |text: &str| read(text).unwrap().means().unwrap_err().to_string();
        assert_eq!(
            refused(r#"{ latency = { delay = "1500us" } }"#),
            "`delay` is 1.5ms, but fault proxies count in whole milliseconds"
        );
        assert_eq!(refused(r#"{ latency = { delay = "0ms" } }"#), "a latency without delay and jitter does nothing");
        assert!(refused(r#"{ bandwidth = { rate = "1500B/s" } }"#).contains("1500 B/s"));
        assert!(refused(r#"{ slicer = { size = "0B" } }"#).contains("does nothing"));
        for text in [r#""up""#, r#"{ latency = {} }"#, r#"{ latency = { delay = "1s", delya = "2s" } }"#, "{}"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(r#"{ latency = { delay = "5" } }"#).unwrap_err().contains("unit"));
    }
}
