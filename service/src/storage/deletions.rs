//! The ledger of users who asked to be forgotten, and the tombstones it leaves.
//!
//! A ledger entry is also the order to erase: it is due until everything that belonged to the user is gone, here and at the
//! providers.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Error, Storage, audit::record, connection::Connection, row::Row};

/// One user who is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) user_id: Uuid,
    pub(crate) requested_at: Timestamp,
}

/// A deletion that somebody works on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueDeletion {
    pub(crate) deletion: Deletion,
    /// Times it was tried before.
    pub(crate) attempts: i64,
}

impl Storage {
    /// Enters the user into the ledger and leaves only a tombstone, all or nothing; `false` when there is no such user.
    ///
    /// The tombstone is the id and the dates. The address of e-mail is replaced by one made of the id, so that it is free
    /// for another user.
    pub(crate) async fn delete_user(&self, deletion: Deletion) -> Result<bool, Error> {
        let Deletion { user_id, requested_at } = deletion;
        let mut transaction = self.write().await?;
        if bury(&mut transaction, deletion).await? == 0 {
            return Ok(false);
        }
        enter(&mut transaction, deletion, requested_at).await?;
        record(&mut transaction, user_id, "user.deletion_requested", user_id, None, requested_at).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Applies entries of a ledger that was kept elsewhere; the number of those that were not known here.
    ///
    /// A database that was restored from before a deletion knows the user again: the user is buried again before anything
    /// else, and the order to erase is due at once. An entry that is here already is opened again if its user has come back.
    pub(crate) async fn reapply(&self, ledger: &[Deletion], now: Timestamp) -> Result<u64, Error> {
        let known: HashSet<Uuid> =
            self.deletions_since(Timestamp::MIN).await?.into_iter().map(|deletion| deletion.user_id).collect();
        let unknown = ledger.iter().copied().filter(|deletion| !known.contains(&deletion.user_id));
        let mut count = 0;
        for deletion in unknown.chain(self.risen().await?) {
            let mut transaction = self.write().await?;
            let user_id = deletion.user_id;
            enter(&mut transaction, deletion, now).await?;
            bury(&mut transaction, deletion).await?;
            reopen(&mut transaction, user_id, now).await?;
            record(&mut transaction, user_id, "user.deletion_reapplied", user_id, None, now).await?;
            transaction.commit().await?;
            count += 1;
        }
        Ok(count)
    }

    /// Makes every entry due again.
    pub(crate) async fn reopen_deletions(&self, now: Timestamp) -> Result<u64, Error> {
        let mut transaction = self.write().await?;
        let rows = transaction
            .execute("UPDATE deletions SET finished_at = NULL, attempts = 0, due_at = $1", &[now.into()])
            .await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// All entries from an instant on.
    pub(crate) async fn deletions_since(&self, since: Timestamp) -> Result<Vec<Deletion>, Error> {
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all("SELECT user_id, requested_at FROM deletions WHERE requested_at >= $1", &[since.into()])
            .await?;
        rows.iter().map(deletion).collect()
    }

    /// Takes an entry that is due, for `life`: nobody else does until then.
    pub(crate) async fn claim_deletion(
        &self,
        now: Timestamp,
        life: SignedDuration,
    ) -> Result<Option<DueDeletion>, Error> {
        let due = self
            .read()
            .await?
            .fetch_optional(
                "SELECT user_id, requested_at, attempts FROM deletions WHERE finished_at IS NULL AND due_at <= $1 \
                 ORDER BY due_at LIMIT 1",
                &[now.into()],
            )
            .await?;
        let Some(row) = due else { return Ok(None) };
        let due = DueDeletion { deletion: deletion(&row)?, attempts: row.integer("attempts")? };
        let mut transaction = self.write().await?;
        let rows = transaction
            .execute(
                "UPDATE deletions SET due_at = $1, attempts = attempts + 1 \
                 WHERE user_id = $2 AND finished_at IS NULL AND due_at <= $3",
                &[(now + life).into(), due.deletion.user_id.into(), now.into()],
            )
            .await?;
        transaction.commit().await?;
        Ok((rows == 1).then_some(due))
    }

    /// Puts an entry off.
    pub(crate) async fn postpone_deletion(&self, user_id: Uuid, due_at: Timestamp) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        transaction
            .execute("UPDATE deletions SET due_at = $1 WHERE user_id = $2", &[due_at.into(), user_id.into()])
            .await?;
        transaction.commit().await
    }

    /// Notes that nothing of the user is left.
    pub(crate) async fn finish_deletion(&self, user_id: Uuid, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let values = [now.into(), user_id.into()];
        transaction.execute("UPDATE deletions SET finished_at = $1 WHERE user_id = $2", &values).await?;
        record(&mut transaction, user_id, "user.deletion_finished", user_id, None, now).await?;
        transaction.commit().await
    }

    /// How many entries are not finished.
    pub(crate) async fn open_deletions(&self) -> Result<i64, Error> {
        let mut connection = self.read().await?;
        let row =
            connection.fetch_optional("SELECT COUNT(*) AS total FROM deletions WHERE finished_at IS NULL", &[]).await?;
        row.map_or(Ok(0), |row| row.integer("total"))
    }

    /// Entries whose users are there again, as after a part of the database was restored.
    async fn risen(&self) -> Result<Vec<Deletion>, Error> {
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all(
                "SELECT d.user_id, d.requested_at FROM deletions d JOIN users u ON u.id = d.user_id \
                 WHERE u.deleted_at IS NULL",
                &[],
            )
            .await?;
        rows.iter().map(deletion).collect()
    }
}

async fn enter(transaction: &mut Connection, deletion: Deletion, due_at: Timestamp) -> Result<u64, Error> {
    transaction
        .execute(
            "INSERT INTO deletions (user_id, requested_at, due_at, attempts) VALUES ($1, $2, $3, 0) \
             ON CONFLICT (user_id) DO NOTHING",
            &[deletion.user_id.into(), deletion.requested_at.into(), due_at.into()],
        )
        .await
}

async fn reopen(transaction: &mut Connection, user_id: Uuid, now: Timestamp) -> Result<u64, Error> {
    transaction
        .execute(
            "UPDATE deletions SET finished_at = NULL, attempts = 0, due_at = $1 WHERE user_id = $2",
            &[now.into(), user_id.into()],
        )
        .await
}

/// Makes a tombstone of the user and ends every session.
async fn bury(transaction: &mut Connection, deletion: Deletion) -> Result<u64, Error> {
    let Deletion { user_id, requested_at } = deletion;
    let nobody = format!("deleted:{user_id}");
    let rows = transaction
        .execute(
            "UPDATE users SET email = $1, full_name = NULL, password_hash = '', preferences = NULL, deleted_at = $2, \
             updated_at = $2 WHERE id = $3 AND deleted_at IS NULL",
            &[nobody.as_str().into(), requested_at.into(), user_id.into()],
        )
        .await?;
    if rows > 0 {
        transaction.execute("DELETE FROM refresh_tokens WHERE user_id = $1", &[user_id.into()]).await?;
    }
    Ok(rows)
}

fn deletion(row: &Row) -> Result<Deletion, Error> {
    Ok(Deletion { user_id: row.id("user_id")?, requested_at: row.instant("requested_at")? })
}
