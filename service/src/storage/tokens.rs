//! Refresh tokens: each may be spent once.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Error, Storage, audit::record, users::take_turn};
use crate::domain::user::User;

/// What came of spending a refresh token.
pub(crate) enum Spending {
    /// It was good; the next one is stored. Its owner, as of now.
    Spent(User),
    /// It is unknown, expired or spent, or its owner is gone.
    Refused,
}

impl Storage {
    /// Stores the refresh token of a login.
    pub(crate) async fn keep_refresh_token(
        &self,
        id: Uuid,
        user_id: Uuid,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let values = [id.into(), user_id.into(), expires_at.into()];
        transaction
            .execute("INSERT INTO refresh_tokens (id, user_id, expires_at) VALUES ($1, $2, $3)", &values)
            .await?;
        record(&mut transaction, user_id, "user.logged_in", user_id, None, now).await?;
        transaction.commit().await
    }

    /// Spends one refresh token of a user, or all: whoever has them can make no more of them.
    pub(crate) async fn end_sessions(&self, user_id: Uuid, only: Option<Uuid>, now: Timestamp) -> Result<u64, Error> {
        let only = only.map(|id| id.to_string());
        let mut transaction = self.write().await?;
        take_turn(&mut transaction, user_id).await?;
        let rows = transaction
            .execute(
                "UPDATE refresh_tokens SET spent_at = $1 \
                 WHERE user_id = $2 AND spent_at IS NULL AND (CAST($3 AS TEXT) IS NULL OR id = $3)",
                &[now.into(), user_id.into(), only.as_deref().into()],
            )
            .await?;
        record(&mut transaction, user_id, "user.logged_out", user_id, None, now).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// Spends a refresh token and stores the one that replaces it, both or neither.
    pub(crate) async fn spend_refresh_token(
        &self,
        spent: Uuid,
        user_id: Uuid,
        replacement: Uuid,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Spending, Error> {
        let Some(user) = self.user(user_id).await? else { return Ok(Spending::Refused) };
        let mut transaction = self.write().await?;
        take_turn(&mut transaction, user_id).await?;
        let spent_rows = transaction
            .execute(
                "UPDATE refresh_tokens SET spent_at = $1 WHERE id = $2 AND user_id = $3 AND spent_at IS NULL AND expires_at > $1",
                &[now.into(), spent.into(), user_id.into()],
            )
            .await?;
        if spent_rows == 0 {
            return Ok(Spending::Refused);
        }
        let values = [replacement.into(), user_id.into(), expires_at.into()];
        transaction
            .execute("INSERT INTO refresh_tokens (id, user_id, expires_at) VALUES ($1, $2, $3)", &values)
            .await?;
        transaction.commit().await?;
        Ok(Spending::Spent(user))
    }
}
