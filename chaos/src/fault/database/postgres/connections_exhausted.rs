//! `connections_exhausted`: the server gives the service no more connections than a number, and ends those beyond it.
//!
//! By a limit of the service's account, which the server checks for each new connection, and which takes hold at once: taking
//! every place with connections of our own takes seconds on a busy machine, and the service would keep those of its pool.
//! The service sees the same (SQLSTATE 53300). The limit outlives a connection, so it ends with the server (which ends
//! with the harness), or with the lease.
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
    fault::{
        self,
        database::injection::{Doing, Error, Injection, Seen, code},
    },
};

pub(super) const NAME: &str = "connections_exhausted";
/// No connection left.
const NO_PLACE: &str = "53300";
/// How long those beyond the number may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(5);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(2);
/// Above this, a limit would limit nothing.
const MOST_KEPT: u32 = 1_000;

/// Settings of exhausted connections in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionsExhausted {
    /// How many connections the service may keep; none unless set, at most 1000.
    #[serde(default)]
    pub keep: u32,
}

impl fmt::Display for ConnectionsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.keep {
            0 => f.write_str("no connection left to the service"),
            1 => f.write_str("1 connection left to the service"),
            keep => write!(f, "{keep} connections left to the service"),
        }
    }
}

impl ConnectionsExhausted {
    pub(super) fn check(&self) -> Result<(), fault::Error> {
        if self.keep <= MOST_KEPT { Ok(()) } else { Err(fault::Error::Impossible("`keep` must be at most 1000")) }
    }

    pub(super) async fn prepare(&self, cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
        let admin = Session::open(cluster.as_superuser()).await?;
        let (service, log) = (cluster.as_service(), Log::new(cluster));
        Ok(Box::new(Limit { keep: self.keep, admin, service, log, probes_refused: 0 }))
    }
}

struct Limit {
    keep: u32,
    admin: Session,
    /// How a probe connects: as the service, whose account it is.
    service: PgConnectOptions,
    log: Log,
    /// Refusals in the log that were given to probes.
    probes_refused: u64,
}

impl Limit {
    async fn set(&mut self) -> Result<Written, Error> {
        self.admin.revive().await?;
        self.log.start();
        self.probes_refused = 0;
        let before = Instant::now();
        self.limit(i64::from(self.keep)).await?;
        let deadline = before + ENDED_WITHIN;
        while let excess @ 1.. = self.end_excess().await? {
            if Instant::now() > deadline {
                return Err(Error::NoEffect { seen: format!("the service has {excess} connections too many") });
            }
            tokio::time::sleep(LOOK).await;
        }
        let after = Instant::now();
        // As many as it may keep are not refused; a probe would be one of them if the service has fewer.
        if self.connections().await? >= u64::from(self.keep) && self.probe_gets_in().await? {
            return Err(Error::NoEffect { seen: "a probe could connect".to_owned() });
        }
        Ok(Written { before, after })
    }

    async fn see(&mut self) -> Result<(), Error> {
        self.log.count();
        let limit =
            format!("SELECT (rolconnlimit = {})::int::text FROM pg_roles WHERE rolname = '{SERVICE}'", self.keep);
        if self.admin.number("read the limit", limit).await? == 0 {
            return Err(Error::Gone { how: "the service's account has another limit".to_owned() });
        }
        Ok(())
    }

    async fn reset(&mut self) -> Result<Written, Error> {
        let before = Instant::now();
        self.admin.revive().await?;
        self.limit(-1).await?;
        let after = Instant::now();
        self.log.count();
        if self.probe_gets_in().await? {
            return Ok(Written { before, after });
        }
        Err(Error::Stays { seen: "a probe could not connect".to_owned() })
    }

    async fn limit(&mut self, most: i64) -> Result<(), Error> {
        let sql = format!("ALTER ROLE {SERVICE} CONNECTION LIMIT {most}");
        self.admin.run("limit the service's connections", sql).await
    }

    /// Ends connections of the service beyond those that it may keep; answers with how many these still are.
    async fn end_excess(&mut self) -> Result<u64, Error> {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid))::text FROM (SELECT pid FROM pg_stat_activity \
             WHERE usename = '{SERVICE}' ORDER BY backend_start OFFSET {}) AS excess",
            self.keep
        );
        self.admin.number("end connections of the service", sql).await
    }

    async fn connections(&mut self) -> Result<u64, Error> {
        let count = format!("SELECT count(*)::text FROM pg_stat_activity WHERE usename = '{SERVICE}'");
        self.admin.number("count the service's connections", count).await
    }

    async fn probe_gets_in(&mut self) -> Result<bool, Error> {
        match Session::open(self.service.clone()).await {
            Ok(_) => Ok(true),
            Err(Error::Statement { source, .. }) if code(&source).as_deref() == Some(NO_PLACE) => {
                self.probes_refused += 1;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl Injection for Limit {
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
        let what = format!("of the service's attempts to connect refused ({NO_PLACE} in the server's log)");
        Seen { count: self.log.met(NO_PLACE).saturating_sub(self.probes_refused), what }
    }
}
