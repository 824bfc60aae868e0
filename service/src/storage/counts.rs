//! How much of everything there is, for administrators.

use jiff::Timestamp;

use super::{Error, Storage};

/// Rows at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) users: i64,
    /// Users of whom the audit log has an event since the instant asked for.
    pub(crate) active_users: i64,
    /// Deletions that are not finished.
    pub(crate) open_deletions: i64,
}

impl Storage {
    /// Counts what there is; `since` says from when on a user counts as active.
    pub(crate) async fn counts(&self, since: Timestamp) -> Result<Counts, Error> {
        let mut connection = self.read().await?;
        let users =
            connection.fetch_optional("SELECT COUNT(*) AS total FROM users WHERE deleted_at IS NULL", &[]).await?;
        let active_users = connection
            .fetch_optional(
                "SELECT COUNT(DISTINCT user_id) AS total FROM audit_events WHERE created_at >= $1",
                &[since.into()],
            )
            .await?;
        drop(connection);
        let total = |row: Option<super::row::Row>| row.map_or(Ok(0), |row| row.integer("total"));
        Ok(Counts {
            users: total(users)?,
            active_users: total(active_users)?,
            open_deletions: self.open_deletions().await?,
        })
    }
}
