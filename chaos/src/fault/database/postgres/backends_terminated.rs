//! `backends_terminated`: the server ends the service's connections, again and again.
use std::{fmt, sync::Arc, time::Duration};

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{
    sync::Mutex,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    cluster::{Cluster, SERVICE},
    log::Log,
    session::Session,
};
use crate::{
    control::Written,
    fault::{
        self,
        database::injection::{Doing, Error, Injection, Seen},
    },
};

pub(super) const NAME: &str = "backends_terminated";
/// More often than this, a server does little else.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// An administrator ended the connection.
const ENDED: &str = "57P01";

/// Settings of terminated backends in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendsTerminated {
    /// Time between two times that all connections of the service are ended, such as `"1s"`; at least 10 ms. The first time
    /// is when the fault goes on.
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub every: Duration,
}

impl fmt::Display for BackendsTerminated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service's connections terminated every {}", format_duration(self.every))
    }
}

impl BackendsTerminated {
    pub(super) fn check(&self) -> Result<(), fault::Error> {
        if self.every < SHORTEST_PAUSE {
            return Err(fault::Error::Impossible("`every` must be at least 10 ms"));
        }
        Ok(())
    }

    pub(super) async fn prepare(&self, cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
        let session = Session::open(cluster.as_superuser()).await?;
        let state = Arc::new(Mutex::new(State { session, broken: None }));
        Ok(Box::new(Terminator { every: self.every, log: Log::new(cluster), state, rounds: None }))
    }
}

struct Terminator {
    every: Duration,
    log: Log,
    state: Arc<Mutex<State>>,
    /// What ends the connections while the fault is on.
    rounds: Option<AbortHandle>,
}

struct State {
    session: Session,
    /// Why no more are ended.
    broken: Option<Error>,
}

impl State {
    /// Ends every connection of the service that there is.
    async fn round(&mut self) -> Result<(), Error> {
        let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{SERVICE}'");
        self.session.run("terminate the service's connections", sql).await
    }
}

impl Terminator {
    async fn begin(&mut self) -> Result<Written, Error> {
        self.log.start();
        let mut state = self.state.lock().await;
        state.session.revive().await?;
        let before = Instant::now();
        state.round().await?;
        let after = Instant::now();
        drop(state);
        self.rounds = Some(tokio::spawn(rounds(self.state.clone(), self.every)).abort_handle());
        Ok(Written { before, after })
    }

    async fn see(&mut self) -> Result<(), Error> {
        self.log.count();
        match self.state.lock().await.broken.take() {
            Some(error) => Err(Error::Gone { how: error.to_string() }),
            None => Ok(()),
        }
    }

    async fn end(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        if let Some(rounds) = self.rounds.take() {
            rounds.abort();
        }
        // Free once the round that may be going on is over, or given up.
        let mut state = self.state.lock().await;
        let after = Instant::now();
        state.session.revive().await?;
        self.log.count();
        Ok(Written { before, after })
    }
}

impl Injection for Terminator {
    fn inject(&mut self, _lease: Duration) -> Doing<'_, Written> {
        Box::pin(self.begin())
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.see())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.end())
    }

    fn seen(&self) -> Seen {
        let what = format!("of the service's connections terminated ({ENDED} in the server's log)");
        Seen { count: self.log.met(ENDED), what }
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        if let Some(rounds) = self.rounds.take() {
            rounds.abort();
        }
    }
}

async fn rounds(state: Arc<Mutex<State>>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and the first round is over.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let mut state = state.lock().await;
        if let Err(error) = state.round().await {
            state.broken = Some(error);
            return;
        }
    }
}
