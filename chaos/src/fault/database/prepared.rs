//! The faults of a run on its database, opened before the run.
use std::collections::BTreeMap;

use super::{
    injection::Error,
    leased::Leased,
    postgres::PostgresFault,
    target::{Database, DatabaseFault},
};
use crate::timeline::Timeline;

/// The faults of a timeline that act on the database, ready to be put on. Clones are the same faults.
#[derive(Debug, Clone, Default)]
pub struct Prepared(BTreeMap<String, Leased>);

/// A fault that cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[error("fault `{fault}` cannot be prepared")]
pub struct PrepareError {
    /// Its name.
    pub fault: String,
    /// Why not.
    #[source]
    pub source: Error,
}

impl Prepared {
    /// Opens what the faults of a timeline need of the database.
    ///
    /// # Errors
    /// With the first fault that the database cannot have.
    pub async fn new(timeline: &Timeline, database: &Database) -> Result<Self, PrepareError> {
        let inside = timeline.faults().iter().filter_map(|timed| Some((&timed.name, timed.fault.on_database()?)));
        let inside: Vec<_> = inside.collect();
        let is_failover = |fault: &DatabaseFault| *fault == DatabaseFault::Postgres(PostgresFault::Failover);
        let wrong = |fault: &str, source| PrepareError { fault: fault.to_owned(), source };
        if let Some((late, _)) = inside.iter().skip_while(|(_, fault)| !is_failover(fault)).nth(1) {
            return Err(wrong(late, Error::AfterFailover));
        }
        let mut prepared = BTreeMap::new();
        for (name, fault) in inside {
            let leased = database.prepare(name, &fault).await.map_err(|source| wrong(name, source))?;
            prepared.insert(name.clone(), leased);
        }
        Ok(Self(prepared))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Leased> {
        self.0.get(name)
    }
}
