//! The audit log: one event beside each write that matters, in the same transaction.
//!
//! Events are only ever inserted; `audit_chain` seals them later, so that a write pays for one plain insert.

use jiff::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    Error, Storage,
    connection::Connection,
    row::{Row, Value},
};
use crate::domain::{
    audit::AuditEvent,
    page::{Page, Slice},
};

/// Which events to list.
#[derive(Debug, Default)]
pub(crate) struct AuditFilter {
    pub(crate) user_id: Option<Uuid>,
    pub(crate) action: Option<String>,
    /// The first instant.
    pub(crate) from: Option<Timestamp>,
    /// The instant after the last.
    pub(crate) to: Option<Timestamp>,
}

/// Notes within a transaction that `user_id` did `action` to `subject_id`.
///
/// `details` must not hold personal data: an event outlives its user.
pub(super) async fn record(
    transaction: &mut Connection,
    user_id: Uuid,
    action: &'static str,
    subject_id: Uuid,
    details: Option<&Json>,
    now: Timestamp,
) -> Result<(), Error> {
    let details = details.map(Json::to_string);
    let values = [
        Uuid::now_v7().into(),
        user_id.into(),
        action.into(),
        subject_id.into(),
        details.as_deref().into(),
        now.into(),
    ];
    transaction
        .execute(
            "INSERT INTO audit_events (id, user_id, action, subject_id, details, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
            &values,
        )
        .await?;
    Ok(())
}

impl Storage {
    /// Notes an event that goes with no other write.
    pub(crate) async fn note(
        &self,
        user_id: Uuid,
        action: &'static str,
        subject_id: Uuid,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        record(&mut transaction, user_id, action, subject_id, None, now).await?;
        transaction.commit().await
    }

    /// A slice of the events, newest first.
    pub(crate) async fn audit_events(&self, filter: &AuditFilter, slice: Slice) -> Result<Page<AuditEvent>, Error> {
        let user_id = filter.user_id.map(|id| id.to_string());
        let values = [
            Value::from(user_id.as_deref()),
            filter.action.as_deref().into(),
            filter.from.unwrap_or(Timestamp::MIN).into(),
            filter.to.unwrap_or(Timestamp::MAX).into(),
            i64::from(slice.limit).into(),
            i64::from(slice.skip).into(),
        ];
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all(
                "SELECT id, user_id, action, subject_id, details, created_at FROM audit_events \
                 WHERE (CAST($1 AS TEXT) IS NULL OR user_id = $1) AND (CAST($2 AS TEXT) IS NULL OR action = $2) \
                   AND created_at >= $3 AND created_at < $4 \
                 ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6",
                &values,
            )
            .await?;
        let count = connection
            .fetch_optional(
                "SELECT COUNT(*) AS total FROM audit_events \
                 WHERE (CAST($1 AS TEXT) IS NULL OR user_id = $1) AND (CAST($2 AS TEXT) IS NULL OR action = $2) \
                   AND created_at >= $3 AND created_at < $4",
                &values[..4],
            )
            .await?;
        let total = count.map_or(Ok(0), |row| row.integer("total"))?;
        Ok(Page {
            items: rows.iter().map(event).collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or_default(),
            skip: slice.skip,
            limit: slice.limit,
        })
    }
}

fn event(row: &Row) -> Result<AuditEvent, Error> {
    Ok(AuditEvent {
        id: row.id("id")?,
        user_id: row.id("user_id")?,
        action: row.text("action")?,
        subject_id: row.id("subject_id")?,
        details: row.optional_json("details")?,
        created_at: row.instant("created_at")?,
    })
}
