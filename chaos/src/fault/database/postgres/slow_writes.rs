//! `slow_writes`: every statement of the service that writes takes longer, while it holds what it holds.
//!
//! Reads are slowed down on the link to the database instead, by `latency`.
use std::{fmt, sync::Arc, time::Duration};

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{cluster::Cluster, session::Session, tables, trigger::Trigger};
use crate::{
    control::Written,
    fault::{
        self,
        database::injection::{Doing, Error, Injection, Seen},
    },
};

pub(super) const NAME: &str = "slow_writes";
/// Lifting has to wait for those that are being slowed down, so they may not be for long.
const LONGEST: Duration = Duration::from_secs(3);

/// Settings of slow writes in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowWrites {
    /// How much longer each statement that writes takes, such as `"250ms"`; up to 3 s.
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub delay: Duration,
    /// The tables, such as `["trips"]`; all of the service's unless set.
    #[serde(default)]
    pub tables: Vec<String>,
}

impl fmt::Display for SlowWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writes to {} take {} longer", tables::words(&self.tables), format_duration(self.delay))
    }
}

impl SlowWrites {
    pub(super) fn check(&self) -> Result<(), fault::Error> {
        match self.delay {
            Duration::ZERO => Err(fault::Error::NoEffect("a `delay` of no time does nothing")),
            delay if delay > LONGEST => Err(fault::Error::Impossible("`delay` must be at most 3 s")),
            _ => Ok(()),
        }
    }

    pub(super) async fn prepare(&self, cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
        let mut session = Session::open(cluster.as_superuser()).await?;
        let tables = tables::find(&mut session, &self.tables).await?;
        let action = format!("PERFORM pg_sleep({});", self.delay.as_secs_f64());
        let trigger = Trigger::new(session, "chaos_slow_writes", tables).that(action, "true".to_owned());
        Ok(Box::new(Slowing(trigger)))
    }
}

struct Slowing(Trigger);

impl Injection for Slowing {
    fn inject(&mut self, _lease: Duration) -> Doing<'_, Written> {
        Box::pin(self.0.create())
    }

    fn renew(&mut self) -> Doing<'_, ()> {
        Box::pin(self.0.see())
    }

    fn lift(&mut self) -> Doing<'_, Written> {
        Box::pin(self.0.drop())
    }

    fn seen(&self) -> Seen {
        self.0.seen("writes made slower")
    }
}
