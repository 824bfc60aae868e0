//! The audit log: who did what to what. An event is stored in the transaction of what it tells.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Error, connection::Connection};

/// Notes that `user_id` did `action` to `subject_id`.
pub(super) async fn record(
    transaction: &mut Connection,
    user_id: Uuid,
    action: &'static str,
    subject_id: Uuid,
    now: Timestamp,
) -> Result<(), Error> {
    transaction
        .execute(
            "INSERT INTO audit_events (id, user_id, action, subject_id, created_at) VALUES ($1, $2, $3, $4, $5)",
            &[Uuid::now_v7().into(), user_id.into(), action.into(), subject_id.into(), now.into()],
        )
        .await?;
    Ok(())
}
