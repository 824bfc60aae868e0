//! `serialization_failures`: a share of the service's writes fails as if other transactions had been in their way.
use std::{fmt, sync::Arc, time::Duration};

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

pub(super) const NAME: &str = "serialization_failures";
/// Shares are counted in this many parts.
const PARTS: f64 = 1_000_000.0;

/// Settings of serialization failures in a scenario.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SerializationFailures {
    /// The share of statements that write, above 0 and up to 1, that fail with SQLSTATE 40001. Which ones is a function of
    /// the number of the statement, so the n-th one meets the same in every run.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// The tables, such as `["trips"]`; all of the service's unless set.
    #[serde(default)]
    pub tables: Vec<String>,
}

impl fmt::Display for SerializationFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} % of writes to {} fail with 40001", self.share * 100.0, tables::words(&self.tables))
    }
}

impl SerializationFailures {
    pub(super) fn check(&self) -> Result<(), fault::Error> {
        if self.share > 0.0 && self.share <= 1.0 {
            return Ok(());
        }
        Err(fault::Error::Impossible("`share` must be above 0 and at most 1"))
    }

    pub(super) async fn prepare(&self, cluster: &Arc<Cluster>) -> Result<Box<dyn Injection>, Error> {
        let mut session = Session::open(cluster.as_superuser()).await?;
        let tables = tables::find(&mut session, &self.tables).await?;
        let action = "RAISE EXCEPTION 'could not serialize access (a fault of the harness)' USING ERRCODE = '40001';";
        // Evenly spread over statements, and the same in every run.
        let condition = format!("mod(hashint8extended(n, 0) & 9223372036854775807, {PARTS}) < {}", self.share * PARTS);
        let trigger = Trigger::new(session, "chaos_serialization_failures", tables);
        Ok(Box::new(Aborting(trigger.that(action.to_owned(), condition))))
    }
}

struct Aborting(Trigger);

impl Injection for Aborting {
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
        self.0.seen("writes failed with 40001 (serialization failure)")
    }
}
