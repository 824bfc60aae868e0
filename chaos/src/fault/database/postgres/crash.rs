//! `crash`: every process of the server is killed at once, and the server is started again at the end.
use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{cluster::Cluster, session::Session};
use crate::{
    control::Written,
    fault::database::injection::{Doing, Error, Injection, Seen},
};

pub(super) const NAME: &str = "crash";

pub(super) async fn prepare(cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
    Session::open(cluster.as_visitor()).await?;
    Ok(Box::new(Crash { cluster: cluster.clone(), killed: 0, recovery: None }))
}

struct Crash {
    cluster: Arc<Cluster>,
    /// Processes of the server that were killed.
    killed: usize,
    /// How long the server took until it let somebody in again.
    recovery: Option<Duration>,
}

impl Crash {
    async fn kill(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        self.killed = self.cluster.crash().await?;
        let after = Instant::now();
        if self.probe_gets_in().await {
            return Err(Error::NoEffect { seen: "a probe could connect".to_owned() });
        }
        Ok(Written { before, after })
    }

    async fn see(&mut self) -> Result<(), Error> {
        if self.cluster.is_up() {
            return Err(Error::Gone { how: "the server was started again".to_owned() });
        }
        Ok(())
    }

    async fn start(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        if !self.cluster.is_up() {
            self.cluster.resume().await?;
        }
        Session::open(self.cluster.as_visitor()).await?;
        let after = Instant::now();
        self.recovery.get_or_insert(after - before);
        Ok(Written { before, after })
    }

    async fn probe_gets_in(&self) -> bool {
        Session::open(self.cluster.as_visitor()).await.is_ok()
    }
}

impl Injection for Crash {
    fn inject(&mut self, _lease: Duration) -> Doing<'_, Written> {
        self.recovery = None;
        Box::pin(self.kill())
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.see())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.start())
    }

    fn seen(&self) -> Seen {
        let recovery = match self.recovery {
            Some(time) => format!(", and let a probe in {} ms after it was started again", time.as_millis()),
            None => String::new(),
        };
        Seen {
            count: self.killed as u64,
            what: format!("processes of the server killed; it refused a probe{recovery}"),
        }
    }
}
