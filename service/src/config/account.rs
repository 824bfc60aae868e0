//! What becomes of a user's data: exports, erasure, the audit log.

use std::{path::PathBuf, time::Duration};

use super::vars::{Error, Vars, secs};

/// Settings of exports, deletions and the audit log.
#[derive(Debug, Clone)]
pub struct Account {
    /// `TRIPSAGE_AUDIT_SEAL_EVERY`: how often new audit events are sealed. Default `5s`.
    pub audit_seal_every: Duration,
    /// `TRIPSAGE_DELETIONS_READ_EVERY`: how often the ledger of deletions is read, and so the longest time for which a
    /// user who was deleted through another replica is still served here. Default `5s`.
    pub deletions_read_every: Duration,
    /// `TRIPSAGE_DELETION_LEDGER`: file to which deletions are also written, so that they outlive the database and are
    /// applied again to a restored one. Keep it where the backups of the database are not. Default none.
    pub deletion_ledger: Option<PathBuf>,
    /// `TRIPSAGE_ERASURE_SETTLE`: how long after a deletion its last erasure is made: longer than a request that was let
    /// in before all replicas knew can take. Default `60s`.
    pub erasure_settle: Duration,
    /// `TRIPSAGE_EXPORT_LIFE`: how long an export can be fetched. Default `24h`.
    pub export_life: Duration,
    /// `TRIPSAGE_ACCOUNT_WORK_EVERY`: how often exports and erasures are looked for that other replicas left. Default `5s`.
    pub work_every: Duration,
}

impl Account {
    pub(super) fn read(vars: &mut Vars) -> Result<Self, Error> {
        Ok(Self {
            audit_seal_every: vars.duration("TRIPSAGE_AUDIT_SEAL_EVERY", secs(5))?,
            deletions_read_every: vars.duration("TRIPSAGE_DELETIONS_READ_EVERY", secs(5))?,
            deletion_ledger: vars.text("TRIPSAGE_DELETION_LEDGER").map(PathBuf::from),
            erasure_settle: vars.duration("TRIPSAGE_ERASURE_SETTLE", secs(60))?,
            export_life: vars.duration("TRIPSAGE_EXPORT_LIFE", secs(24 * 3_600))?,
            work_every: vars.duration("TRIPSAGE_ACCOUNT_WORK_EVERY", secs(5))?,
        })
    }
}
