//! `read_only`: every transaction of the server begins read-only, as on a standby that is not promoted yet.
//!
//! The setting outlives a connection, so it ends with the server (which ends with the harness), or with the lease.
use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{cluster::Cluster, log::Log, session::Session};
use crate::{
    control::Written,
    fault::database::injection::{Doing, Error, Injection, Seen, code},
};

pub(super) const NAME: &str = "read_only";
/// A write in a read-only transaction.
const REFUSED: &str = "25006";
/// How long connections may take to read the setting; they do so before their next transaction.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// Pause between two probes.
const LOOK: Duration = Duration::from_millis(2);

pub(super) async fn prepare(cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
    let admin = Session::open(cluster.as_superuser()).await?;
    let probe = Session::open(cluster.as_visitor()).await?;
    Ok(Box::new(ReadOnly { admin, probe, log: Log::new(cluster) }))
}

struct ReadOnly {
    admin: Session,
    probe: Session,
    log: Log,
}

impl ReadOnly {
    async fn set(&mut self) -> Result<Written, Error> {
        self.admin.revive().await?;
        self.probe.revive().await?;
        self.log.start();
        let before = Instant::now();
        self.change("ALTER SYSTEM SET default_transaction_read_only = on").await?;
        if self.probe_writes(false).await? {
            return Err(Error::NoEffect { seen: "a probe could write".to_owned() });
        }
        Ok(Written { before, after: Instant::now() })
    }

    async fn see(&mut self) -> Result<(), Error> {
        self.log.count();
        if self.probe_writes(false).await? {
            return Err(Error::Gone { how: "a probe could write".to_owned() });
        }
        Ok(())
    }

    async fn reset(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        self.admin.revive().await?;
        self.change("ALTER SYSTEM RESET default_transaction_read_only").await?;
        self.probe.revive().await?;
        let writes = self.probe_writes(true).await?;
        self.log.count();
        if writes {
            return Ok(Written { before, after: Instant::now() });
        }
        Err(Error::Stays { seen: "a probe could not write".to_owned() })
    }

    async fn change(&mut self, sql: &str) -> Result<(), Error> {
        self.admin.run("change the server's settings", sql).await?;
        self.admin.run("have the server read its settings", "SELECT pg_reload_conf()").await
    }

    /// Whether others may write, once they do what is expected, or after a while if they do not.
    async fn probe_writes(&mut self, expected: bool) -> Result<bool, Error> {
        let deadline = Instant::now() + READ_WITHIN;
        loop {
            let write = "BEGIN; CREATE TABLE chaos_probe (a int)";
            let outcome = self.probe.run("probe a write", write).await;
            self.probe.run("end the probe", "ROLLBACK").await?;
            let writes = match outcome {
                Ok(()) => true,
                Err(Error::Statement { source, .. }) if code(&source).as_deref() == Some(REFUSED) => false,
                Err(error) => return Err(error),
            };
            if writes == expected || Instant::now() > deadline {
                return Ok(writes);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Injection for ReadOnly {
    fn inject(&mut self, _lease: Duration) -> Doing<'_, Written> {
        Box::pin(self.set())
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.see())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.reset())
    }

    fn seen(&self) -> Seen {
        let what = format!("of the service's writes refused ({REFUSED} in the server's log)");
        Seen { count: self.log.met(REFUSED), what }
    }
}
