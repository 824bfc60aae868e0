//! The list of faults, and what each becomes on the wire of a fault proxy.
use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::clients::{ConnectionFlood, LargeBodies, OnClients, SlowClients};
use super::process::{CpuLimit, FileDescriptors, KeysRotated, Kill, OnPart, Pause, Restart};
use super::{
    bandwidth,
    bandwidth::Bandwidth,
    blackhole, close_after,
    close_after::CloseAfter,
    corrupt,
    corrupt::Corrupt,
    database::{DatabaseFault, PostgresFault, SqliteFault},
    down, latency,
    latency::Latency,
    limit_data,
    limit_data::LimitData,
    llm::LlmFault,
    loss,
    loss::Loss,
    mcp::McpFault,
    one_way, refuse,
    request::settings,
    reset_peer,
    reset_peer::ResetPeer,
    setting::Error,
    slicer,
    slicer::Slicer,
    slow_close,
    slow_close::SlowClose,
    timeout,
    timeout::Timeout,
    tls_alert,
    tls_alert::TlsAlert,
    toxics,
};
use crate::{
    forward::{Protocol, RequestFault},
    link::Reach,
};

/// What goes wrong, on a link or on a part of the target, as written in a scenario: `"down"`, `"kill"` or
/// `{ latency = { delay = "250ms" } }`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The link refuses connections and cuts those that are open.
    Down,
    /// The link refuses new connections; open ones live on.
    Refuse,
    /// Connections are accepted and then silent in both directions, open ones too; nothing ever closes.
    Blackhole,
    /// One direction falls silent, the other goes on.
    OneWay,
    /// Packets are lost: those and what is behind them arrive 200 ms later, or 600 ms, and so on.
    Loss(Loss),
    /// A bit of some packets is flipped.
    Corrupt(Corrupt),
    /// The connection closes a time after it was accepted or the fault began.
    CloseAfter(CloseAfter),
    /// A TLS handshake fails with an alert.
    TlsAlert(TlsAlert),
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
    /// The part ends at once (SIGKILL), and is started again at the end.
    Kill,
    /// The part is stopped in the middle of what it does (SIGSTOP), and goes on at the end.
    Pause,
    /// The part stops in order and is started again at once.
    Restart,
    /// The part comes back with another signing key, so that it refuses every session.
    KeysRotated,
    /// The part comes back with fewer files and sockets that it may have open.
    FileDescriptors(FileDescriptors),
    /// The part gets no more than so much of a CPU.
    CpuLimit(CpuLimit),
    /// Many connections are open to the service on which nothing is asked.
    ConnectionFlood(ConnectionFlood),
    /// Many clients send the head of a request byte by byte.
    SlowClients(SlowClients),
    /// Requests come with bodies that are far too large.
    LargeBodies(LargeBodies),
    /// Something goes wrong in the database, which is a SQLite file.
    Sqlite(SqliteFault),
    /// Something goes wrong in the database, which is a PostgreSQL server.
    Postgres(PostgresFault),
    /// Requests to an MCP server fail, or are answered wrongly.
    Mcp(McpFault),
    /// Requests to a model fail, or are answered late or in part.
    Llm(LlmFault),
}

/// By which means a fault is brought about.
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
    /// Something is done to a part of the target.
    Part,
    /// Clients of the harness's own crowd the link.
    Clients,
    /// Something is done inside the database.
    Database,
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

impl Fault {
    /// The kind as written in a scenario, such as `latency`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Down => down::NAME,
            Fault::Refuse => refuse::KIND.name,
            Fault::Blackhole => blackhole::KIND.name,
            Fault::OneWay => one_way::KIND.name,
            Fault::Loss(_) => loss::KIND.name,
            Fault::Corrupt(_) => corrupt::KIND.name,
            Fault::CloseAfter(_) => close_after::KIND.name,
            Fault::TlsAlert(_) => tls_alert::KIND.name,
            Fault::Latency(_) => latency::KIND.name,
            Fault::Bandwidth(_) => bandwidth::KIND.name,
            Fault::Timeout(_) => timeout::KIND.name,
            Fault::ResetPeer(_) => reset_peer::KIND.name,
            Fault::SlowClose(_) => slow_close::KIND.name,
            Fault::Slicer(_) => slicer::KIND.name,
            Fault::LimitData(_) => limit_data::KIND.name,
            Fault::Kill => Kill.name(),
            Fault::Pause => Pause.name(),
            Fault::Restart => Restart.name(),
            Fault::KeysRotated => KeysRotated.name(),
            Fault::FileDescriptors(settings) => settings.name(),
            Fault::CpuLimit(settings) => settings.name(),
            Fault::ConnectionFlood(settings) => settings.name(),
            Fault::SlowClients(settings) => settings.name(),
            Fault::LargeBodies(settings) => settings.name(),
            Fault::Sqlite(fault) => fault.kind(),
            Fault::Postgres(fault) => fault.kind(),
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

    /// What it does to a part of the target; `None` for a fault on a link.
    pub(crate) fn on_part(&self) -> Option<&dyn OnPart> {
        match self {
            Fault::Kill => Some(&Kill),
            Fault::Pause => Some(&Pause),
            Fault::Restart => Some(&Restart),
            Fault::KeysRotated => Some(&KeysRotated),
            Fault::FileDescriptors(settings) => Some(settings),
            Fault::CpuLimit(settings) => Some(settings),
            _ => None,
        }
    }

    /// The clients that it is; `None` for other faults.
    pub(crate) fn on_clients(&self) -> Option<&dyn OnClients> {
        match self {
            Fault::ConnectionFlood(settings) => Some(settings),
            Fault::SlowClients(settings) => Some(settings),
            Fault::LargeBodies(settings) => Some(settings),
            _ => None,
        }
    }

    /// What it does to the database; `None` for any other fault.
    #[must_use]
    pub fn on_database(&self) -> Option<DatabaseFault> {
        match self {
            Fault::Sqlite(fault) => Some(DatabaseFault::Sqlite(*fault)),
            Fault::Postgres(fault) => Some(DatabaseFault::Postgres(fault.clone())),
            _ => None,
        }
    }

    /// Whether a real Toxiproxy can bring it about too.
    #[must_use]
    pub fn is_toxiproxys(&self) -> bool {
        matches!(
            self,
            Fault::Down
                | Fault::Latency(_)
                | Fault::Bandwidth(_)
                | Fault::Timeout(_)
                | Fault::ResetPeer(_)
                | Fault::SlowClose(_)
                | Fault::Slicer(_)
                | Fault::LimitData(_)
        )
    }

    /// What of a link it acts on.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Fault::Down => Reach::Door,
            _ => toxics::kind(self.kind()).map_or(Reach::Stream, |kind| kind.reach),
        }
    }

    /// What must be done to bring this about.
    ///
    /// # Errors
    /// When a value cannot be said in the units of the HTTP API, or the settings would do nothing.
    pub fn means(&self) -> Result<Means, Error> {
        let attributes: Vec<(&'static str, u64)> = match self {
            Fault::Down => return Ok(Means::Disable),
            Fault::Refuse | Fault::Blackhole | Fault::OneWay => Vec::new(),
            Fault::Loss(settings) => settings.attributes()?,
            Fault::Corrupt(settings) => settings.attributes()?,
            Fault::CloseAfter(settings) => settings.attributes()?,
            Fault::TlsAlert(settings) => settings.attributes()?,
            Fault::Latency(settings) => settings.attributes()?,
            Fault::Bandwidth(settings) => settings.attributes()?,
            Fault::Timeout(settings) => settings.attributes()?,
            Fault::ResetPeer(settings) => settings.attributes()?,
            Fault::SlowClose(settings) => settings.attributes()?,
            Fault::Slicer(settings) => settings.attributes()?,
            Fault::LimitData(settings) => settings.attributes()?,
            Fault::FileDescriptors(settings) => return settings.check_settings().map(|()| Means::Part),
            Fault::CpuLimit(settings) => return settings.check_settings().map(|()| Means::Part),
            Fault::ConnectionFlood(settings) => return settings.check_settings().map(|()| Means::Clients),
            Fault::SlowClients(settings) => return settings.check_settings().map(|()| Means::Clients),
            Fault::LargeBodies(settings) => return settings.check_settings().map(|()| Means::Clients),
            Fault::Sqlite(_) => return Ok(Means::Database),
            Fault::Postgres(fault) => return fault.check().map(|()| Means::Database),
            Fault::Kill | Fault::Pause | Fault::Restart | Fault::KeysRotated => return Ok(Means::Part),
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
            Fault::Down | Fault::Refuse | Fault::Blackhole | Fault::OneWay => f.write_str(self.kind()),
            Fault::Loss(settings) => settings.fmt(f),
            Fault::Corrupt(settings) => settings.fmt(f),
            Fault::CloseAfter(settings) => settings.fmt(f),
            Fault::TlsAlert(settings) => settings.fmt(f),
            Fault::Latency(settings) => settings.fmt(f),
            Fault::Bandwidth(settings) => settings.fmt(f),
            Fault::Timeout(settings) => settings.fmt(f),
            Fault::ResetPeer(settings) => settings.fmt(f),
            Fault::SlowClose(settings) => settings.fmt(f),
            Fault::Slicer(settings) => settings.fmt(f),
            Fault::LimitData(settings) => settings.fmt(f),
            Fault::Kill => f.write_str(&Kill.words()),
            Fault::Pause => f.write_str(&Pause.words()),
            Fault::Restart => f.write_str(&Restart.words()),
            Fault::KeysRotated => f.write_str(&KeysRotated.words()),
            Fault::FileDescriptors(settings) => f.write_str(&settings.words()),
            Fault::CpuLimit(settings) => f.write_str(&settings.words()),
            Fault::ConnectionFlood(settings) => f.write_str(&settings.words()),
            Fault::SlowClients(settings) => f.write_str(&settings.words()),
            Fault::LargeBodies(settings) => f.write_str(&settings.words()),
            Fault::Sqlite(fault) => fault.fmt(f),
            Fault::Postgres(fault) => fault.fmt(f),
            Fault::Mcp(fault) => fault.kind().fmt(f),
            Fault::Llm(fault) => fault.kind().fmt(f),
        }
    }
}

fn rule(protocol: Protocol, fault: &dyn RequestFault, attributes: Map<String, Value>) -> Result<Means, Error> {
    fault.check()?;
    Ok(Means::Rule { protocol, kind: fault.kind(), attributes })
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
        let kind = toxics::kind(kind).expect("every toxic of the catalogue is known to the link");
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
        check(r#""refuse""#, "refuse", "refuse", &[]);
        check(r#""blackhole""#, "blackhole", "blackhole", &[]);
        check(r#""one_way""#, "one_way", "one_way", &[]);
        let packets = &[("packets_per_mille", 20)];
        check("{ loss = { per_mille = 20 } }", "loss of 20 ‰ of packets", "loss", packets);
        check("{ corrupt = { per_mille = 20 } }", "corrupt 20 ‰ of packets", "corrupt", packets);
        check(r#"{ close_after = { delay = "2s" } }"#, "close_after 2s", "close_after", &[("delay", 2000)]);
        let alert = r#"{ tls_alert = { alert = "protocol_version" } }"#;
        check(alert, "tls_alert 70", "tls_alert", &[("alert", 70)]);
        assert_eq!(read(r#""down""#).unwrap().means(), Ok(Means::Disable));
    }

    #[test]
    fn faults_on_parts_are_read_and_said_in_words() {
        let check = |text: &str, kind: &str, words: &str| {
            let fault = read(text).unwrap();
            assert_eq!((fault.kind(), fault.to_string().as_str()), (kind, words));
            assert_eq!(fault.means(), Ok(Means::Part));
            assert!(fault.on_part().is_some_and(|on_part| on_part.name() == kind), "{text}");
        };
        check(r#""kill""#, "kill", "kill (SIGKILL), started again at the end");
        check(r#""pause""#, "pause", "pause (SIGSTOP), continued at the end");
        check(r#""restart""#, "restart", "restart in order");
        check(r#""keys_rotated""#, "keys_rotated", "keys_rotated: restart in order with another signing key");
        check(
            "{ file_descriptors = { limit = 64 } }",
            "file_descriptors",
            "file_descriptors: restart in order with at most 64 of them",
        );
        check("{ cpu_limit = { share = 0.5 } }", "cpu_limit", "cpu_limit: at most 0.5 of a CPU");
        assert!(read("{ file_descriptors = { limit = 3 } }").unwrap().means().is_err());
        assert!(read(r#""down""#).unwrap().on_part().is_none());
    }

    #[test]
    fn faults_of_databases_are_read_and_said_in_words() {
        let check = |text: &str, kind: &str, words: &str| {
            let fault = read(text).unwrap();
            assert_eq!((fault.kind(), fault.to_string().as_str()), (kind, words));
            assert_eq!(fault.means(), Ok(Means::Database));
            assert!(fault.on_database().is_some_and(|inside| inside.to_string() == words), "{text}");
        };
        let postgres = |text: &str, kind: &str, words: &str| check(&format!("{{ postgres = {text} }}"), kind, words);
        check(r#"{ sqlite = "lock" }"#, "lock", "write lock held by another process");
        postgres(r#""read_only""#, "read_only", "every transaction read-only");
        postgres(r#""failover""#, "failover", "server killed, then its standby promoted");
        postgres(r#""crash""#, "crash", "server killed, then started again");
        postgres(r#"{ relation_locked = { table = "trips" } }"#, "relation_locked", "table trips locked exclusively");
        postgres(
            r#"{ backends_terminated = { every = "1s" } }"#,
            "backends_terminated",
            "the service's connections terminated every 1s",
        );
        postgres(
            "{ connections_exhausted = { keep = 2 } }",
            "connections_exhausted",
            "2 connections left to the service",
        );
        postgres(
            r#"{ serialization_failures = { share = 0.25, tables = ["trips", "users"] } }"#,
            "serialization_failures",
            "25 % of writes to trips, users fail with 40001",
        );
        postgres(r#"{ slow_writes = { delay = "250ms" } }"#, "slow_writes", "writes to every table take 250ms longer");
        for text in [
            r#"{ backends_terminated = { every = "9ms" } }"#,
            "{ serialization_failures = { share = 0.0 } }",
            "{ serialization_failures = { share = nan } }",
            r#"{ slow_writes = { delay = "0s" } }"#,
        ] {
            assert!(read(&format!("{{ postgres = {text} }}")).unwrap().means().is_err(), "{text}");
        }
    }

    #[test]
    fn crowds_of_clients_are_read_and_said_in_words() {
        let check = |text: &str, words: &str, connections: u32| {
            let fault = read(text).unwrap();
            assert_eq!((fault.to_string().as_str(), fault.means()), (words, Ok(Means::Clients)));
            let clients = fault.on_clients().unwrap();
            assert_eq!((clients.name(), clients.connections()), (fault.kind(), connections));
        };
        check(
            "{ connection_flood = { connections = 500 } }",
            "connection_flood: 500 connections on which nothing is asked",
            500,
        );
        check(
            r#"{ slow_clients = { connections = 20, rate = "10B/s" } }"#,
            "slow_clients: 20 requests whose heads come at 10 B/s and never end",
            20,
        );
        check(r#"{ large_bodies = { size = "20MB", rate = "5/s" } }"#, "large_bodies: 5/s of 20MB each", 64);
        for text in [
            "{ connection_flood = { connections = 0 } }",
            "{ connection_flood = { connections = 10001 } }",
            r#"{ slow_clients = { connections = 20, rate = "0B/s" } }"#,
            r#"{ slow_clients = { connections = 20, rate = "2KB/s" } }"#,
            r#"{ large_bodies = { size = "0B", rate = "5/s" } }"#,
            r#"{ large_bodies = { size = "2GiB", rate = "5/s" } }"#,
            r#"{ large_bodies = { size = "2MB", rate = "101/s" } }"#,
        ] {
            assert!(read(text).unwrap().means().is_err(), "{text}");
        }
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
        assert_eq!(refused("{ loss = { per_mille = 0 } }"), "`per_mille` is 0, so no packet is hit");
        assert_eq!(refused("{ corrupt = { per_mille = 1001 } }"), "`per_mille` is 1001, but must be at most 1000");
        assert!(refused(r#"{ slicer = { size = "0B" } }"#).contains("does nothing"));
        for text in [r#""up""#, r#"{ latency = {} }"#, r#"{ latency = { delay = "1s", delya = "2s" } }"#, "{}"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(r#"{ latency = { delay = "5" } }"#).unwrap_err().contains("unit"));
    }
}
