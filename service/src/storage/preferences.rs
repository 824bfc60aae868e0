//! Preferences of users.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Error, Storage, audit::record, row::json};
use crate::domain::preferences::{Preferences, Refusal, merged};

impl Storage {
    /// What a user prefers; none when there is no such user.
    pub(crate) async fn preferences(&self, user_id: Uuid) -> Result<Option<Preferences>, Error> {
        let mut connection = self.read().await?;
        let row = connection
            .fetch_optional("SELECT preferences FROM users WHERE id = $1 AND deleted_at IS NULL", &[user_id.into()])
            .await?;
        row.map(|row| Ok(row.optional_json("preferences")?.unwrap_or_default())).transpose()
    }

    /// Merges a change into what a user prefers, and what came of it; none when there is no such user.
    pub(crate) async fn merge_preferences(
        &self,
        user_id: Uuid,
        change: Preferences,
        now: Timestamp,
    ) -> Result<Option<Result<Preferences, Refusal>>, Error> {
        let mut transaction = self.write().await?;
        // First a write, so that two changes at once do not both merge into what was there before.
        let rows = transaction
            .execute(
                "UPDATE users SET updated_at = $1 WHERE id = $2 AND deleted_at IS NULL",
                &[now.into(), user_id.into()],
            )
            .await?;
        let row = transaction.fetch_optional("SELECT preferences FROM users WHERE id = $1", &[user_id.into()]).await?;
        let Some(row) = row.filter(|_| rows == 1) else { return Ok(None) };
        let preferences = match merged(row.optional_json("preferences")?.unwrap_or_default(), change) {
            Ok(preferences) => preferences,
            Err(refusal) => return Ok(Some(Err(refusal))),
        };
        transaction
            .execute("UPDATE users SET preferences = $1 WHERE id = $2", &[json(&preferences), user_id.into()])
            .await?;
        record(&mut transaction, user_id, "user.preferences_changed", user_id, None, now).await?;
        transaction.commit().await?;
        Ok(Some(Ok(preferences)))
    }
}
