//! `failover`: the server is killed, and at the end its standby is promoted and the link to the database leads there.
//!
//! The killed server does not come back in the run. The standby is made before the run, and follows all the time.
use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    cluster::{Cluster, Server},
    session::Session,
    standby,
};
use crate::{
    control::Written,
    fault::database::injection::{Doing, Error, Injection, Seen, code},
};

pub(super) const NAME: &str = "failover";
/// A write in a read-only transaction, as all are on a standby.
const READ_ONLY: &str = "25006";

pub(super) async fn prepare(cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
    cluster.has_front()?;
    let standby = standby::make(cluster).await?;
    Ok(Box::new(Failover { cluster: cluster.clone(), standby, killed: 0, takeover: None }))
}

struct Failover {
    cluster: Arc<Cluster>,
    standby: Server,
    /// Processes of the server that were killed.
    killed: usize,
    /// How long it took from the promotion until a probe could write by the link.
    takeover: Option<Duration>,
}

impl Failover {
    async fn kill(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        self.killed = self.cluster.crash().await?;
        let after = Instant::now();
        match self.probe_writes(self.cluster.as_visitor().port(self.standby.port)).await {
            Err(Error::Statement { source, .. }) if code(&source).as_deref() == Some(READ_ONLY) => {}
            Ok(()) => return Err(Error::NoEffect { seen: "a probe could write to the standby".to_owned() }),
            Err(error) => return Err(error),
        }
        Ok(Written { before, after })
    }

    async fn see(&mut self) -> Result<(), Error> {
        if self.cluster.serving() == self.standby {
            return Err(Error::Gone { how: "the standby takes writes".to_owned() });
        }
        Ok(())
    }

    async fn take_over(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        // Never killed: nothing is to be taken over.
        if self.cluster.serving() != self.standby && self.cluster.is_up() {
            return Ok(Written { before, after: before });
        }
        standby::promote(&self.cluster, self.standby).await?;
        self.cluster.lead_front().await?;
        self.probe_writes(self.cluster.as_visitor_by_front()?).await?;
        let after = Instant::now();
        self.takeover.get_or_insert(after - before);
        Ok(Written { before, after })
    }

    async fn probe_writes(&self, options: sqlx::postgres::PgConnectOptions) -> Result<(), Error> {
        let mut probe = Session::open(options).await?;
        probe.run("probe a write", "BEGIN; CREATE TABLE chaos_probe (a int); ROLLBACK").await
    }
}

impl Injection for Failover {
    fn inject(&mut self, _lease: Duration) -> Doing<'_, Written> {
        Box::pin(self.kill())
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.see())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.take_over())
    }

    fn seen(&self) -> Seen {
        let takeover = match self.takeover {
            Some(time) => {
                format!(", and the standby took a write by the link {} ms after it was told to", time.as_millis())
            }
            None => String::new(),
        };
        Seen {
            count: self.killed as u64,
            what: format!("processes of the server killed; its standby took no write{takeover}"),
        }
    }
}
