//! Idempotency keys: a client's own name for a write, remembered for 24 h with what it made.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Error, connection::Connection};

/// How long a key is remembered.
pub(super) const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// A client's name for one write, and what it was to do.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey<'a> {
    pub(crate) key: &'a str,
    /// Of the request body.
    pub(crate) fingerprint: String,
}

/// What a key stands for.
pub(super) enum Claim {
    /// It is new and now stands for this write.
    Taken,
    /// It stands for the same write, which made this.
    Replay(Uuid),
    /// It stands for another write.
    Clash,
}

/// Takes the key of `user_id` for an `operation` that makes `resource_id`, unless a live one stands in its way.
///
/// Two transactions that claim one key at once: the second waits for the first to end.
pub(super) async fn claim(
    transaction: &mut Connection,
    (user_id, operation): (Uuid, &'static str),
    key: &IdempotencyKey<'_>,
    resource_id: Uuid,
    now: Timestamp,
) -> Result<Claim, Error> {
    let rows = transaction
        .execute(
            "INSERT INTO idempotency_keys (user_id, operation, key, fingerprint, resource_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (user_id, operation, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
               resource_id = excluded.resource_id, created_at = excluded.created_at \
             WHERE idempotency_keys.created_at < $7",
            &[
                user_id.into(),
                operation.into(),
                key.key.into(),
                key.fingerprint.as_str().into(),
                resource_id.into(),
                now.into(),
                (now - KEY_LIFE).into(),
            ],
        )
        .await?;
    if rows == 1 {
        return Ok(Claim::Taken);
    }
    Ok(claimed(transaction, (user_id, operation), key, now).await?.unwrap_or(Claim::Clash))
}

/// What a live key stands for, without taking it.
pub(super) async fn claimed(
    connection: &mut Connection,
    (user_id, operation): (Uuid, &'static str),
    key: &IdempotencyKey<'_>,
    now: Timestamp,
) -> Result<Option<Claim>, Error> {
    let row = connection
        .fetch_optional(
            "SELECT fingerprint, resource_id FROM idempotency_keys \
             WHERE user_id = $1 AND operation = $2 AND key = $3 AND created_at >= $4",
            &[user_id.into(), operation.into(), key.key.into(), (now - KEY_LIFE).into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let is_same = row.text("fingerprint")? == key.fingerprint;
    if is_same { row.id("resource_id").map(|id| Some(Claim::Replay(id))) } else { Ok(Some(Claim::Clash)) }
}
