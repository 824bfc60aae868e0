//! Exports and their archives, which are kept in parts so that no row is large.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Error, Storage,
    audit::record,
    row::{Row, Value},
};
use crate::domain::export::{Export, ExportStatus};

const SELECT_ONE: &str = "SELECT id, status, created_at, finished_at, expires_at, bytes, sha256 FROM exports \
     WHERE id = $1 AND user_id = $2 AND expires_at > $3";
const SELECT_PENDING: &str = "SELECT id, status, created_at, finished_at, expires_at, bytes, sha256 FROM exports \
     WHERE user_id = $1 AND status = 'pending'";

const REMOVE_PARTS: &str = "DELETE FROM export_parts WHERE export_id = $1 \
     AND number IN (SELECT number FROM export_parts WHERE export_id = $1 ORDER BY number LIMIT 20)";
const REMOVE_OTHER_PARTS: &str = "DELETE FROM export_parts WHERE export_id IN \
       (SELECT id FROM exports WHERE user_id = $1 AND id <> $2 AND status <> 'pending') \
     AND number IN (SELECT number FROM export_parts WHERE export_id IN \
       (SELECT id FROM exports WHERE user_id = $1 AND id <> $2 AND status <> 'pending') ORDER BY number LIMIT 20)";

/// An export that somebody builds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueExport {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    /// Which attempt this is, from 1: a builder that was taken for dead is known by it.
    pub(crate) attempts: i64,
}

impl Storage {
    /// Orders an export, unless one of that user is being built: then that one.
    pub(crate) async fn order_export(
        &self,
        id: Uuid,
        user_id: Uuid,
        now: Timestamp,
        life: SignedDuration,
    ) -> Result<Export, Error> {
        let mut transaction = self.write().await?;
        let added = transaction
            .execute(
                "INSERT INTO exports (id, user_id, status, created_at, expires_at, due_at, attempts) \
                 VALUES ($1, $2, 'pending', $3, $4, $3, 0) ON CONFLICT (user_id) WHERE status = 'pending' DO NOTHING",
                &[id.into(), user_id.into(), now.into(), (now + life).into()],
            )
            .await?;
        if added == 1 {
            record(&mut transaction, user_id, "export.ordered", id, None, now).await?;
        }
        let row = transaction.fetch_optional(SELECT_PENDING, &[user_id.into()]).await?;
        let export = export(&row.ok_or(Error::Corrupt { column: "status" })?)?;
        transaction.commit().await?;
        Ok(export)
    }

    /// The export, if it is that user's and has not expired.
    pub(crate) async fn export(&self, id: Uuid, user_id: Uuid, now: Timestamp) -> Result<Option<Export>, Error> {
        let mut connection = self.read().await?;
        let row = connection.fetch_optional(SELECT_ONE, &[id.into(), user_id.into(), now.into()]).await?;
        row.map(|row| export(&row)).transpose()
    }

    /// A part of an archive, in base64.
    pub(crate) async fn export_part(&self, id: Uuid, number: i64) -> Result<Option<String>, Error> {
        let mut connection = self.read().await?;
        let row = connection
            .fetch_optional(
                "SELECT content FROM export_parts WHERE export_id = $1 AND number = $2",
                &[id.into(), number.into()],
            )
            .await?;
        row.map(|row| row.text("content")).transpose()
    }

    /// Takes an export that waits to be built, for `life`: nobody else does until then.
    pub(crate) async fn claim_export(&self, now: Timestamp, life: SignedDuration) -> Result<Option<DueExport>, Error> {
        let due = self
            .read()
            .await?
            .fetch_optional(
                "SELECT id, user_id, attempts FROM exports WHERE status = 'pending' AND due_at <= $1 ORDER BY due_at LIMIT 1",
                &[now.into()],
            )
            .await?;
        let Some(row) = due else { return Ok(None) };
        let attempts = row.integer("attempts")? + 1;
        let due = DueExport { id: row.id("id")?, user_id: row.id("user_id")?, attempts };
        let mut transaction = self.write().await?;
        let rows = transaction
            .execute(
                "UPDATE exports SET due_at = $1, attempts = $2 \
                 WHERE id = $3 AND status = 'pending' AND due_at <= $4 AND attempts = $2 - 1",
                &[(now + life).into(), attempts.into(), due.id.into(), now.into()],
            )
            .await?;
        transaction.commit().await?;
        Ok((rows == 1).then_some(due))
    }

    /// Adds a part to the archive of an export; `false` when it is not this builder's any more.
    ///
    /// Each part is a transaction of its own: a large archive must not keep other writers waiting.
    pub(crate) async fn add_export_part(&self, due: DueExport, number: i64, content: &str) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let rows = transaction
            .execute(
                "INSERT INTO export_parts (export_id, number, content) \
                 SELECT id, CAST($1 AS BIGINT), CAST($2 AS TEXT) FROM exports \
                 WHERE id = $3 AND status = 'pending' AND attempts = $4",
                &[number.into(), content.into(), due.id.into(), due.attempts.into()],
            )
            .await?;
        transaction.commit().await?;
        Ok(rows == 1)
    }

    /// Gives the archive out; `false` when it is not this builder's any more.
    pub(crate) async fn finish_export(
        &self,
        due: DueExport,
        (bytes, sha256): (i64, &str),
        now: Timestamp,
        life: SignedDuration,
    ) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let rows = transaction
            .execute(
                "UPDATE exports SET status = 'ready', finished_at = $1, expires_at = $2, bytes = $3, sha256 = $4 \
                 WHERE id = $5 AND status = 'pending' AND attempts = $6",
                &[now.into(), (now + life).into(), bytes.into(), sha256.into(), due.id.into(), due.attempts.into()],
            )
            .await?;
        transaction.commit().await?;
        Ok(rows == 1)
    }

    /// Removes what an earlier builder left of this archive.
    pub(crate) async fn clear_export(&self, due: DueExport) -> Result<(), Error> {
        while self.change(REMOVE_PARTS, &[due.id.into()]).await? > 0 {}
        Ok(())
    }

    /// Removes the user's exports before this one.
    pub(crate) async fn clear_older_exports(&self, due: DueExport) -> Result<(), Error> {
        let others = [due.user_id.into(), due.id.into()];
        while self.change(REMOVE_OTHER_PARTS, &others).await? > 0 {}
        self.change("DELETE FROM exports WHERE user_id = $1 AND id <> $2 AND status <> 'pending'", &others).await?;
        Ok(())
    }

    /// Gives an export up.
    pub(crate) async fn fail_export(&self, id: Uuid, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE exports SET status = 'failed', finished_at = $1 WHERE id = $2 AND status = 'pending'";
        self.change(sql, &[now.into(), id.into()]).await.map(drop)
    }

    /// Puts an export off.
    pub(crate) async fn postpone_export(&self, id: Uuid, due_at: Timestamp) -> Result<(), Error> {
        self.change("UPDATE exports SET due_at = $1 WHERE id = $2", &[due_at.into(), id.into()]).await.map(drop)
    }

    /// One statement as one transaction.
    async fn change(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, Error> {
        let mut transaction = self.write().await?;
        let rows = transaction.execute(sql, values).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}

fn export(row: &Row) -> Result<Export, Error> {
    Ok(Export {
        export_id: row.id("id")?,
        status: row.parsed("status", ExportStatus::named)?,
        created_at: row.instant("created_at")?,
        finished_at: row.optional_instant("finished_at")?,
        expires_at: row.instant("expires_at")?,
        bytes: row.optional_integer("bytes")?,
        sha256: row.optional_text("sha256")?,
    })
}
