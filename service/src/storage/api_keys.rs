//! Users' own keys. Their secrets come and go sealed.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Error, Storage, audit,
    row::{Row, Value},
    users::take_turn,
};
use crate::{
    dependency::KeyNote,
    domain::api_key::{ApiKey, KEYS_PER_USER_MAX, Service},
};

/// What came of storing a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyCreation {
    Created,
    /// The user has one of that name for that service.
    Duplicate,
    /// The user has as many as may be.
    TooMany,
}

/// A key with what is sealed of it.
pub(crate) struct StoredKey {
    pub(crate) key: ApiKey,
    pub(crate) sealed: String,
}

impl Storage {
    /// Stores a new key.
    pub(crate) async fn create_api_key(&self, user_id: Uuid, key: &ApiKey, sealed: &str) -> Result<KeyCreation, Error> {
        let mut transaction = self.write().await?;
        take_turn(&mut transaction, user_id).await?;
        let row = transaction
            .fetch_optional("SELECT COUNT(*) AS keys FROM api_keys WHERE user_id = $1", &[user_id.into()])
            .await?;
        let keys = row.map_or(Ok(0), |row| row.integer("keys"))?;
        if usize::try_from(keys).is_ok_and(|keys| keys >= KEYS_PER_USER_MAX) {
            return Ok(KeyCreation::TooMany);
        }
        let values: [Value<'_>; 8] = [
            key.id.into(),
            user_id.into(),
            key.service.as_str().into(),
            key.name.as_str().into(),
            key.description.as_deref().into(),
            sealed.into(),
            key.expires_at.into(),
            key.created_at.into(),
        ];
        let created = transaction
            .execute(
                "INSERT INTO api_keys (id, user_id, service, name, description, secret, is_valid, expires_at, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $8) ON CONFLICT (user_id, service, name) DO NOTHING",
                &values,
            )
            .await?;
        if created == 0 {
            return Ok(KeyCreation::Duplicate);
        }
        audit::record(&mut transaction, user_id, "key.created", key.id, None, key.created_at).await?;
        transaction.commit().await?;
        Ok(KeyCreation::Created)
    }

    /// A user's keys, newest first, as they are now.
    pub(crate) async fn api_keys(&self, user_id: Uuid, now: Timestamp) -> Result<Vec<ApiKey>, Error> {
        let rows = self
            .read()
            .await?
            .fetch_all(
                "SELECT id, service, name, description, is_valid, expires_at, last_used, created_at, updated_at \
                 FROM api_keys WHERE user_id = $1 ORDER BY created_at DESC, id DESC",
                &[user_id.into()],
            )
            .await?;
        rows.iter().map(|row| api_key(row, now)).collect()
    }

    /// A key, and whose it is.
    pub(crate) async fn api_key(&self, id: Uuid, now: Timestamp) -> Result<Option<(Uuid, ApiKey)>, Error> {
        let row = self
            .read()
            .await?
            .fetch_optional(
                "SELECT id, user_id, service, name, description, is_valid, expires_at, last_used, created_at, updated_at \
                 FROM api_keys WHERE id = $1",
                &[id.into()],
            )
            .await?;
        row.map(|row| Ok((row.id("user_id")?, api_key(&row, now)?))).transpose()
    }

    /// A user's keys with their sealed secrets, in the order in which they are to be used.
    pub(crate) async fn stored_keys(&self, user_id: Uuid, now: Timestamp) -> Result<Vec<StoredKey>, Error> {
        let rows = self
            .read()
            .await?
            .fetch_all(
                "SELECT id, service, name, description, secret, is_valid, expires_at, last_used, created_at, updated_at \
                 FROM api_keys WHERE user_id = $1 ORDER BY is_valid DESC, updated_at DESC, id DESC",
                &[user_id.into()],
            )
            .await?;
        rows.iter().map(|row| Ok(StoredKey { key: api_key(row, now)?, sealed: row.text("secret")? })).collect()
    }

    /// Gives a key another secret. False when it is gone.
    pub(crate) async fn rotate_api_key(&self, user_id: Uuid, key: &ApiKey, sealed: &str) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let values = [sealed.into(), key.expires_at.into(), key.updated_at.into(), key.id.into(), user_id.into()];
        let rows = transaction
            .execute(
                "UPDATE api_keys SET secret = $1, is_valid = 1, expires_at = $2, updated_at = $3 WHERE id = $4 AND user_id = $5",
                &values,
            )
            .await?;
        if rows > 0 {
            audit::record(&mut transaction, user_id, "key.rotated", key.id, None, key.updated_at).await?;
        }
        transaction.commit().await?;
        Ok(rows > 0)
    }

    /// Deletes a key. False when it is gone already.
    pub(crate) async fn delete_api_key(&self, user_id: Uuid, id: Uuid, now: Timestamp) -> Result<bool, Error> {
        let mut transaction = self.write().await?;
        let rows = transaction
            .execute("DELETE FROM api_keys WHERE id = $1 AND user_id = $2", &[id.into(), user_id.into()])
            .await?;
        if rows > 0 {
            audit::record(&mut transaction, user_id, "key.deleted", id, None, now).await?;
        }
        transaction.commit().await?;
        Ok(rows > 0)
    }

    /// Keeps that a key was used, and whether it was taken, unless its secret has changed since.
    pub(crate) async fn note_key_use(&self, note: KeyNote, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        transaction
            .execute(
                "UPDATE api_keys SET last_used = $1, is_valid = $2 WHERE id = $3 AND updated_at = $4",
                &[now.into(), i64::from(note.is_valid).into(), note.key_id.into(), note.since.into()],
            )
            .await?;
        transaction.commit().await
    }
}

fn api_key(row: &Row, now: Timestamp) -> Result<ApiKey, Error> {
    let expires_at = row.instant("expires_at")?;
    Ok(ApiKey {
        id: row.id("id")?,
        name: row.text("name")?,
        service: row.parsed("service", Service::named)?,
        description: row.optional_text("description")?,
        created_at: row.instant("created_at")?,
        updated_at: row.instant("updated_at")?,
        is_valid: row.integer("is_valid")? == 1 && expires_at > now,
        expires_at,
        last_used: row.optional_instant("last_used")?,
    })
}
