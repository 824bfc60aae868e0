//! A second server that follows the first one: made before the run, promoted when the first one is gone.
//!
//! Replication is synchronous, so what was acknowledged is on both: a write that is lost in a failover was lost by the service.
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    cluster::{Cluster, Error as ClusterError, Server, free_port},
    session::Session,
};
use crate::fault::database::injection::Error;

/// How long a standby may take to follow, and to take over.
const WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Copies the server that takes writes, starts the copy, and waits until it follows synchronously.
pub(super) async fn make(cluster: &Cluster) -> Result<Server, Error> {
    let port = free_port().map_err(ClusterError::system("find a free port"))?;
    let standby = Server { name: "standby", port };
    cluster.tell("copy", standby).await?;
    let mut primary = Session::open(cluster.as_superuser()).await?;
    primary.run("have writes wait for the standby", "ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
    primary.run("have the server read its settings", "SELECT pg_reload_conf()").await?;
    let following = "SELECT count(*)::text FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'";
    let deadline = Instant::now() + WITHIN;
    while primary.number("ask for the standby", following).await? == 0 {
        if Instant::now() > deadline {
            return Err(Error::NoEffect { seen: "the standby does not follow the server".to_owned() });
        }
        sleep(LOOK).await;
    }
    Ok(standby)
}

/// Has the standby take over. It waits for nobody's copy of its own.
pub(super) async fn promote(cluster: &Cluster, standby: Server) -> Result<(), Error> {
    let mut session = Session::open(cluster.as_superuser().port(standby.port)).await?;
    if session.number("ask for its role", "SELECT pg_is_in_recovery()::int::text").await? == 1 {
        let promote = format!("SELECT pg_promote(true, {})::int::text", WITHIN.as_secs());
        // The limit of a statement is shorter than a promotion on a busy machine may take.
        session.run("be patient", "SET statement_timeout = 0").await?;
        if session.number("promote the standby", promote).await? == 0 {
            return Err(Error::Stays { seen: "the standby was not promoted".to_owned() });
        }
    }
    session.run("let writes wait for nobody", "ALTER SYSTEM SET synchronous_standby_names = ''").await?;
    session.run("have the server read its settings", "SELECT pg_reload_conf()").await?;
    cluster.serve_by(standby);
    Ok(())
}
