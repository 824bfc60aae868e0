//! `connections_exhausted`: connections of our own take the places that the server has, the service's included.
//!
//! A service that keeps a pool would not notice that the others are gone, so its own connections are ended too, until it
//! has no more than a number of them.
use std::{fmt, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;

use super::{
    cluster::{Cluster, SERVICE},
    log::Log,
    session::Session,
};
use crate::{
    control::Written,
    fault::database::injection::{Doing, Error, Injection, Seen, code},
};

pub(super) const NAME: &str = "connections_exhausted";
/// No connection left.
const NO_PLACE: (&str, &str) = ("53300", "too many connections");
/// How long it may take until every place is taken; the service takes them back as fast as it can.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

/// Settings of exhausted connections in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionsExhausted {
    /// How many connections the service may keep; none unless set.
    #[serde(default)]
    pub keep: u32,
}

impl fmt::Display for ConnectionsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.keep {
            0 => f.write_str("every connection taken, none left to the service"),
            1 => f.write_str("every connection taken, 1 left to the service"),
            keep => write!(f, "every connection taken, {keep} left to the service"),
        }
    }
}

impl ConnectionsExhausted {
    pub(super) async fn prepare(&self, cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
        let admin = Session::open(cluster.as_superuser()).await?;
        let (visitor, log) = (cluster.as_visitor(), Log::new(cluster));
        Ok(Box::new(Crowd { keep: self.keep, admin, visitor, log, taken: Vec::new(), lease: Duration::ZERO }))
    }
}

struct Crowd {
    keep: u32,
    admin: Session,
    visitor: PgConnectOptions,
    log: Log,
    taken: Vec<Session>,
    lease: Duration,
}

impl Crowd {
    async fn take(&mut self, lease: Duration) -> Result<Written, Error> {
        self.admin.revive().await?;
        self.log.start();
        self.lease = lease;
        let before = Instant::now();
        self.take_all().await?;
        Ok(Written { before, after: Instant::now() })
    }

    /// Takes every free place, and those of the service until it has few enough.
    async fn take_all(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + TAKEN_WITHIN;
        loop {
            while self.take_one().await? {}
            let excess = self.service_connections().await?.saturating_sub(u64::from(self.keep));
            if excess == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::NoEffect { seen: format!("the service still has {excess} connections too many") });
            }
            let end = format!(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = '{SERVICE}' LIMIT {excess}"
            );
            self.admin.run("end connections of the service", end).await?;
        }
    }

    /// Takes one place, unless there is none left.
    async fn take_one(&mut self) -> Result<bool, Error> {
        // The server ends the connection by itself when nothing comes from here any more.
        let limit = self.lease.as_millis().to_string();
        let options = self.visitor.clone().options([("idle_session_timeout", limit)]);
        match Session::open(options).await {
            Ok(session) => self.taken.push(session),
            Err(Error::Statement { source, .. }) if code(&source).as_deref() == Some(NO_PLACE.0) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    async fn service_connections(&mut self) -> Result<u64, Error> {
        let count = format!("SELECT count(*)::text FROM pg_stat_activity WHERE usename = '{SERVICE}'");
        self.admin.number("count the service's connections", count).await
    }

    async fn see(&mut self) -> Result<(), Error> {
        for session in &mut self.taken {
            let gone = |error| Error::Gone { how: format!("a connection that took a place was ended ({error})") };
            session.run("keep a place", "SELECT 1").await.map_err(gone)?;
        }
        self.log.count();
        self.take_all().await
    }

    async fn leave(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        self.taken.clear();
        self.log.count();
        // The server notices a closed connection a moment later.
        let deadline = Instant::now() + TAKEN_WITHIN;
        loop {
            match Session::open(self.visitor.clone()).await {
                Ok(_) => return Ok(Written { before, after: Instant::now() }),
                Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => return Err(Error::Stays { seen: format!("a probe could not connect ({error})") }),
            }
        }
    }
}

impl Injection for Crowd {
    fn inject(&mut self, lease: Duration) -> Doing<'_, Written> {
        Box::pin(self.take(lease))
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.see())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.leave())
    }

    fn seen(&self) -> Seen {
        let met = self.log.seen(&[NO_PLACE]);
        Seen { count: met.count, what: format!("of the service's attempts to connect refused: {met}") }
    }
}
