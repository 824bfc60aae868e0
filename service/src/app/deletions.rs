//! Users who asked to be forgotten: who is served no more, and the erasing of what they leave.
//!
//! ```text
//!  DELETE /users/me ─▶ tombstone + ledger entry ─▶ ledger file ─▶ erased here, forgotten by the memory server
//!                       (one transaction)                          (again after a while, then finished)
//! ```
//!
//! Access tokens are checked without asking anyone, so each replica keeps the deleted users whose tokens may still live, and
//! reads the ledger again every few seconds.

use std::{
    collections::HashMap,
    io,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Notify, time::Instant};
use tracing::{error, info, warn};
use uuid::Uuid;

use super::{App, clock::now, deletion_ledger::DeletionLedger, tokens::ACCESS_LIFE};
use crate::{
    config::Account,
    dependency::Failure,
    mcp::Caller,
    storage::{self, Deletion, DueDeletion, Storage},
};

/// Clocks of replicas may differ by this much, and a token may be issued that much after its user was deleted.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// For how long one replica works on a deletion before another may.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// Waits after failures double from the first up to the longest.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);
/// Longest time for the memory server to forget.
const FORGET_TIMEOUT: Duration = Duration::from_secs(5);

/// The deletions that this replica knows of.
pub(crate) struct Deletions {
    /// Deleted users whose access tokens may still be alive, and when each was deleted.
    refused: RwLock<HashMap<Uuid, Timestamp>>,
    ledger: DeletionLedger,
    /// Rung when there is something to erase.
    pub(super) due: Notify,
}

/// Why the deletions of before cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeletionsError {
    #[error("cannot use the ledger of deletions")]
    Ledger(#[from] io::Error),
    #[error("cannot apply the ledger of deletions")]
    Storage(#[from] storage::Error),
}

/// Why something of a user may be left.
#[derive(Debug, thiserror::Error)]
enum EraseError {
    #[error("cannot write to the ledger of deletions")]
    Ledger(#[source] io::Error),
    #[error("cannot erase what is stored")]
    Storage(#[from] storage::Error),
    #[error("the memory server has not forgotten")]
    Memory(#[from] Failure),
    #[error("whether the provider has orders for {0} bookings is not known yet")]
    OpenBookings(u64),
}

impl Deletions {
    /// Applies the ledger file, if there is one, to the database, and the other way round.
    ///
    /// # Errors
    /// The file or the database fails: then a user could be served who must not be.
    pub(super) async fn open(config: &Account, storage: &Storage) -> Result<Self, DeletionsError> {
        let (ledger, noted) = DeletionLedger::open(config.deletion_ledger.clone()).await?;
        let reapplied = storage.reapply(&noted, now()).await?;
        if reapplied > 0 {
            warn!(reapplied, "{reapplied} users were deleted again, the database is from before they were");
        }
        for deletion in storage.deletions_since(Timestamp::MIN).await? {
            ledger.note(deletion).await?;
        }
        let deletions = Self { refused: RwLock::default(), ledger, due: Notify::new() };
        deletions.read(storage).await?;
        Ok(deletions)
    }

    /// Whether the tokens of this user are good no more.
    pub(crate) fn refuses(&self, user_id: Uuid) -> bool {
        self.refused.read().unwrap_or_else(PoisonError::into_inner).contains_key(&user_id)
    }

    /// Learns of deletions through other replicas, and forgets those whose tokens have all expired.
    pub(super) async fn read(&self, storage: &Storage) -> Result<(), storage::Error> {
        let since = now() - ACCESS_LIFE - MARGIN;
        let recent = storage.deletions_since(since).await?;
        let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
        refused.extend(recent.into_iter().map(|deletion| (deletion.user_id, deletion.requested_at)));
        refused.retain(|_, requested_at| *requested_at >= since);
        Ok(())
    }

    fn refuse(&self, deletion: Deletion) {
        let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
        refused.insert(deletion.user_id, deletion.requested_at);
    }
}

impl App {
    /// Deletes a user: from now on there is a tombstone, and the rest is erased in the background. When, if there is such a user.
    pub(crate) async fn delete_user(&self, user_id: Uuid) -> Result<Option<Timestamp>, storage::Error> {
        let deletion = Deletion { user_id, requested_at: now() };
        if !self.storage.delete_user(deletion).await? {
            return Ok(None);
        }
        self.deletions.refuse(deletion);
        self.deletions.due.notify_one();
        if let Err(error) = self.deletions.ledger.note(deletion).await {
            // The erasure cannot finish before it is written.
            error!(user = %user_id, error = &error as &dyn std::error::Error, "the ledger of deletions cannot be written");
        }
        Ok(Some(deletion.requested_at))
    }

    /// Erases what is due, until nothing is.
    pub(crate) async fn erase_due(&self) -> Result<(), storage::Error> {
        while let Some(due) = self.storage.claim_deletion(now(), LEASE).await? {
            self.advance(due).await?;
        }
        Ok(())
    }

    async fn advance(&self, due: DueDeletion) -> Result<(), storage::Error> {
        let Deletion { user_id, requested_at } = due.deletion;
        let started = now();
        let erased = self.erase(due.deletion).await;
        let now = now();
        // Requests that were let in before all replicas knew may have written since: the last erasure begins after them.
        let settled_at = requested_at + self.config.account.erasure_settle;
        match erased {
            Ok(()) if started >= settled_at => {
                self.storage.finish_deletion(user_id, now).await?;
                self.metrics.erasure("finished");
                info!(user = %user_id, "nothing of the user {user_id} is left");
                Ok(())
            }
            Ok(()) => {
                self.metrics.erasure("settling");
                self.storage.postpone_deletion(user_id, settled_at.max(now)).await
            }
            Err(error) => {
                self.metrics.erasure("failed");
                warn!(user = %user_id, error = &error as &dyn std::error::Error, "the user {user_id} is not erased yet");
                self.storage.postpone_deletion(user_id, now + wait(due.attempts)).await
            }
        }
    }

    async fn erase(&self, deletion: Deletion) -> Result<(), EraseError> {
        self.deletions.ledger.note(deletion).await.map_err(EraseError::Ledger)?;
        let open_bookings = self.storage.erase_belongings(deletion.user_id, now()).await?;
        if let Some(memory) = &self.servers.memory {
            memory.forget(deletion.user_id, &Caller::platform(Instant::now() + FORGET_TIMEOUT)).await?;
        }
        if open_bookings > 0 { Err(EraseError::OpenBookings(open_bookings)) } else { Ok(()) }
    }
}

/// How long to wait after so many failures.
fn wait(attempts: i64) -> SignedDuration {
    let doublings = attempts.clamp(0, 16);
    (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, 1)]
    #[case(1, 2)]
    #[case(8, 256)]
    #[case(9, 300)]
    #[case(i64::MAX, 300)]
    #[case(-1, 1)]
    fn waits_grow_to_a_limit(#[case] attempts: i64, #[case] seconds: i64) {
        assert_eq!(wait(attempts), SignedDuration::from_secs(seconds));
    }
}
