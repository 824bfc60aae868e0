//! Faults of a PostgreSQL server that the harness started.
//!
//! A new fault is a new file and a line in [`PostgresFault`].
mod backends_terminated;
mod connections_exhausted;
mod crash;
mod failover;
mod read_only;
mod relation_locked;
mod serialization_failures;
mod slow_writes;

mod log;
mod session;
mod standby;
mod tables;
mod trigger;

mod cluster;
mod front;
mod process;
mod programs;

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::Deserialize;

use super::injection::{Error, Injection};
use crate::fault;

pub use backends_terminated::BackendsTerminated;
pub use cluster::{Cluster, Error as ClusterError};
pub use connections_exhausted::ConnectionsExhausted;
pub use programs::Programs;
pub use relation_locked::RelationLocked;
pub use serialization_failures::SerializationFailures;
pub use slow_writes::SlowWrites;

/// What goes wrong with a PostgreSQL server, as written in a scenario: `{ postgres = { relation_locked = { table = "trips" } } }`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostgresFault {
    /// A table is locked.
    RelationLocked(RelationLocked),
    /// The service's connections are ended again and again.
    BackendsTerminated(BackendsTerminated),
    /// The service gets no connection.
    ConnectionsExhausted(ConnectionsExhausted),
    /// Nothing can be written.
    ReadOnly,
    /// The server is killed, and started again at the end.
    Crash,
    /// The server is killed, and a standby takes over at the end.
    Failover,
    /// Writes fail with SQLSTATE 40001.
    SerializationFailures(SerializationFailures),
    /// Writes take longer.
    SlowWrites(SlowWrites),
}

impl PostgresFault {
    /// The kind as written in a scenario, such as `relation_locked`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            PostgresFault::RelationLocked(_) => relation_locked::NAME,
            PostgresFault::BackendsTerminated(_) => backends_terminated::NAME,
            PostgresFault::ConnectionsExhausted(_) => connections_exhausted::NAME,
            PostgresFault::ReadOnly => read_only::NAME,
            PostgresFault::Crash => crash::NAME,
            PostgresFault::Failover => failover::NAME,
            PostgresFault::SerializationFailures(_) => serialization_failures::NAME,
            PostgresFault::SlowWrites(_) => slow_writes::NAME,
        }
    }

    /// Whether the settings can be brought about, as far as is known without the server.
    pub(in crate::fault) fn check(&self) -> Result<(), fault::Error> {
        match self {
            PostgresFault::BackendsTerminated(settings) => settings.check(),
            PostgresFault::ConnectionsExhausted(settings) => settings.check(),
            PostgresFault::SerializationFailures(settings) => settings.check(),
            PostgresFault::SlowWrites(settings) => settings.check(),
            _ => Ok(()),
        }
    }

    /// Opens what the fault needs.
    pub(super) async fn prepare(&self, cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
        match self {
            PostgresFault::RelationLocked(settings) => settings.prepare(cluster).await,
            PostgresFault::BackendsTerminated(settings) => settings.prepare(cluster).await,
            PostgresFault::ConnectionsExhausted(settings) => settings.prepare(cluster).await,
            PostgresFault::ReadOnly => read_only::prepare(cluster).await,
            PostgresFault::Crash => crash::prepare(cluster).await,
            PostgresFault::Failover => failover::prepare(cluster).await,
            PostgresFault::SerializationFailures(settings) => settings.prepare(cluster).await,
            PostgresFault::SlowWrites(settings) => settings.prepare(cluster).await,
        }
    }
}

impl fmt::Display for PostgresFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PostgresFault::RelationLocked(settings) => settings.fmt(f),
            PostgresFault::BackendsTerminated(settings) => settings.fmt(f),
            PostgresFault::ConnectionsExhausted(settings) => settings.fmt(f),
            PostgresFault::ReadOnly => f.write_str("every transaction read-only"),
            PostgresFault::Crash => f.write_str("server killed, then started again"),
            PostgresFault::Failover => f.write_str("server killed, then its standby promoted"),
            PostgresFault::SerializationFailures(settings) => settings.fmt(f),
            PostgresFault::SlowWrites(settings) => settings.fmt(f),
        }
    }
}
