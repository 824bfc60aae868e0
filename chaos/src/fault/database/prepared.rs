//! The faults of a run on its database, opened before the run.
use std::collections::BTreeMap;

use super::{injection::Error, leased::Leased, target::Database};
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
        let mut prepared = BTreeMap::new();
        for timed in timeline.faults() {
            let Some(fault) = timed.fault.on_database() else { continue };
            let leased = database.prepare(&timed.name, &fault).await;
            let leased = leased.map_err(|source| PrepareError { fault: timed.name.clone(), source })?;
            prepared.insert(timed.name.clone(), leased);
        }
        Ok(Self(prepared))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Leased> {
        self.0.get(name)
    }
}
