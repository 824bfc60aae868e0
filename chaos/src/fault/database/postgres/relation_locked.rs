//! `relation_locked`: a transaction of our own holds a table, so that everybody who reads or writes it has to wait.
use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    cluster::Cluster,
    log::Log,
    session::{Session, quoted},
    tables,
};
use crate::{
    control::Written,
    fault::database::injection::{Doing, Error, Injection, Seen, code},
};

pub(super) const NAME: &str = "relation_locked";
/// The server could not give a lock in time.
const NO_LOCK: &str = "55P03";
/// The statement took too long.
const TIMED_OUT: &str = "57014";

/// Settings of a locked table in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelationLocked {
    /// The table, such as `trips`.
    pub table: String,
}

impl fmt::Display for RelationLocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {} locked exclusively", self.table)
    }
}

impl RelationLocked {
    pub(super) async fn prepare(&self, cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
        let mut holder = Session::open(cluster.as_superuser()).await?;
        let probe = Session::open(cluster.as_superuser()).await?;
        tables::find(&mut holder, std::slice::from_ref(&self.table)).await?;
        Ok(Box::new(TableLock {
            table: quoted(&self.table),
            holder,
            probe,
            log: Log::new(cluster),
            blocked: BTreeSet::new(),
        }))
    }
}

struct TableLock {
    table: String,
    holder: Session,
    probe: Session,
    log: Log,
    /// Statements that were seen to wait: process and start of each.
    blocked: BTreeSet<String>,
}

impl TableLock {
    async fn lock(&mut self, lease: Duration) -> Result<Written, Error> {
        self.holder.revive().await?;
        self.probe.revive().await?;
        self.log.start();
        self.blocked.clear();
        // The server ends the transaction by itself when nothing comes from here any more.
        let limit = lease.as_millis();
        let begin = format!("BEGIN; SET LOCAL idle_in_transaction_session_timeout = {limit}");
        self.holder.run("begin a transaction", begin).await?;
        let before = Instant::now();
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", self.table);
        self.holder.run(&format!("lock table {}", self.table), lock).await?;
        let after = Instant::now();
        if self.probe_gets_in().await? {
            return Err(Error::NoEffect { seen: format!("a probe could read {}", self.table) });
        }
        Ok(Written { before, after })
    }

    async fn see(&mut self) -> Result<(), Error> {
        let gone = |error| Error::Gone { how: format!("the holder of the lock was ended ({error})") };
        self.holder.run("keep the lock", "SELECT 1").await.map_err(gone)?;
        let waiting = "SELECT a.pid || ' ' || a.query_start FROM pg_stat_activity a, pg_stat_activity h \
             WHERE h.application_name = 'chaos' AND a.application_name <> 'chaos' AND h.pid = ANY (pg_blocking_pids(a.pid))";
        let rows = self.probe.ask("count who waits", waiting).await?;
        self.blocked.extend(rows.into_iter().flatten());
        self.log.count();
        Ok(())
    }

    async fn free(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        // Whether the lock is free is what the probe says; a holder that was ended has none.
        let _ = self.holder.run("free the lock", "ROLLBACK").await;
        let after = Instant::now();
        self.log.count();
        self.probe.revive().await?;
        if self.probe_gets_in().await? {
            return Ok(Written { before, after });
        }
        Err(Error::Stays { seen: format!("a probe could not read {}", self.table) })
    }

    /// Whether somebody else may read the table.
    async fn probe_gets_in(&mut self) -> Result<bool, Error> {
        let read = format!("BEGIN; LOCK TABLE {} IN ACCESS SHARE MODE NOWAIT", self.table);
        let outcome = self.probe.run("probe the lock", read).await;
        self.probe.run("end the probe", "ROLLBACK").await?;
        match outcome {
            Ok(()) => Ok(true),
            Err(Error::Statement { source, .. }) if code(&source).as_deref() == Some(NO_LOCK) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Injection for TableLock {
    fn inject(&mut self, lease: Duration) -> Doing<'_, Written> {
        Box::pin(self.lock(lease))
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.see())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.free())
    }

    fn seen(&self) -> Seen {
        let (waiting, no_lock, timed_out) = (self.blocked.len(), self.log.met(NO_LOCK), self.log.met(TIMED_OUT));
        let count = (no_lock + timed_out).max(waiting as u64);
        let refused = format!("{no_lock} × {NO_LOCK} and {timed_out} × {TIMED_OUT} in the server's log");
        Seen { count, what: format!("of the service's statements hit ({waiting} seen waiting, {refused})") }
    }
}
