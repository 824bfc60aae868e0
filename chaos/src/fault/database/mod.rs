//! Faults inside a database: of a SQLite file, and of a PostgreSQL server that the harness started.
//!
//! ```text
//! settings ─▶ Database::prepare ─▶ Leased ─▶ Injection (one file per fault) ─▶ a connection of its own
//!             (before the run)     (ends it when nobody renews it)
//! ```
//! What a fault needs is opened before the run, so that a fault can be lifted while nobody else gets in. Every fault is
//! proven by a probe when it is put on, and by the same probe when it is lifted.
mod injection;
mod leased;
mod prepared;
mod target;

mod postgres;
mod sqlite;

pub use injection::{Error, Seen};
pub use leased::Leased;
pub use postgres::{
    BackendsTerminated, Cluster, ClusterError, ConnectionsExhausted, PostgresFault, Programs, RelationLocked,
    SerializationFailures, SlowWrites,
};
pub use prepared::{PrepareError, Prepared};
pub use sqlite::SqliteFault;
pub use target::{Database, DatabaseFault};
