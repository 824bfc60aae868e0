//! The chain that seals the audit log: who writes it, one at a time, and what is read to check it.

use jiff::Timestamp;

use super::{
    Error, Storage,
    connection::Connection,
    leases::{Lease, take},
    row::Row,
};
use crate::domain::audit::{Head, Link, StoredEvent};

/// Events looked at in one step.
const SEAL_STEP: usize = 500;

/// Some events in the order of their ids.
pub(crate) struct Unsealed {
    /// Those that have no link yet.
    pub(crate) events: Vec<StoredEvent>,
    /// The id of the last event looked at, sealed or not.
    pub(crate) last_id: Option<String>,
    /// Whether there may be more after it.
    pub(crate) is_full: bool,
}

impl Storage {
    /// The next [`SEAL_STEP`] events after `after_id`, as far as they have no link.
    pub(crate) async fn unsealed_events(&self, after_id: &str) -> Result<Unsealed, Error> {
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all(
                "SELECT e.id, e.user_id, e.action, e.subject_id, e.details, e.created_at, c.event_id AS sealed \
                 FROM (SELECT id, user_id, action, subject_id, details, created_at FROM audit_events \
                       WHERE id > $1 ORDER BY id LIMIT $2) e \
                 LEFT JOIN audit_chain c ON c.event_id = e.id ORDER BY e.id",
                &[after_id.into(), i64::try_from(SEAL_STEP).unwrap_or(i64::MAX).into()],
            )
            .await?;
        let mut events = Vec::new();
        for row in &rows {
            if row.optional_text("sealed")?.is_none() {
                events.push(event(row)?);
            }
        }
        let last_id = rows.last().map(|row| row.text("id")).transpose()?;
        Ok(Unsealed { events, last_id, is_full: rows.len() == SEAL_STEP })
    }

    /// Appends a link for each event that has none yet, all or nothing; the number of links, none when another seals.
    ///
    /// The lease keeps sealers out of each other's way; that an event is sealed once, and that a number is given once, is
    /// what the keys of the table hold even for a sealer that took too long.
    pub(crate) async fn seal(
        &self,
        events: Vec<StoredEvent>,
        lease: Lease<'_>,
        now: Timestamp,
    ) -> Result<Option<u64>, Error> {
        let mut transaction = self.write().await?;
        if !take(&mut transaction, lease, now).await? {
            return Ok(None);
        }
        let mut head = head(&mut transaction).await?;
        let mut count = 0;
        for event in events {
            let (link, next) = head.seal(event);
            let added = transaction
                .execute(
                    "INSERT INTO audit_chain (seq, event_id, previous_hash, hash) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (event_id) DO NOTHING",
                    &[
                        link.seq.into(),
                        link.event_id.as_str().into(),
                        link.previous_hash.as_str().into(),
                        link.hash.as_str().into(),
                    ],
                )
                .await?;
            if added == 1 {
                (head, count) = (next, count + 1);
            }
        }
        transaction.commit().await?;
        Ok(Some(count))
    }

    /// The end of the chain.
    pub(crate) async fn chain_head(&self) -> Result<Head, Error> {
        head(&mut self.read().await?).await
    }

    /// The link of that number as a place to check from.
    pub(crate) async fn chain_at(&self, seq: i64) -> Result<Option<Head>, Error> {
        if seq == 0 {
            return Ok(Some(Head::default()));
        }
        let mut connection = self.read().await?;
        let row = connection.fetch_optional("SELECT seq, hash FROM audit_chain WHERE seq = $1", &[seq.into()]).await?;
        row.map(|row| Ok(Head { seq: row.integer("seq")?, hash: row.text("hash")? })).transpose()
    }

    /// Whether there is a link with that hash.
    pub(crate) async fn chain_holds(&self, hash: &str) -> Result<bool, Error> {
        let mut connection = self.read().await?;
        let row = connection.fetch_optional("SELECT seq FROM audit_chain WHERE hash = $1", &[hash.into()]).await?;
        Ok(row.is_some())
    }

    /// Up to `limit` links after a number, each with its event.
    pub(crate) async fn chain_links(&self, after: i64, limit: u32) -> Result<Vec<Link>, Error> {
        let mut connection = self.read().await?;
        let rows = connection
            .fetch_all(
                "SELECT c.seq, c.event_id, c.previous_hash, c.hash, e.id AS present, e.id, e.user_id, e.action, \
                   e.subject_id, e.details, e.created_at \
                 FROM (SELECT seq, event_id, previous_hash, hash FROM audit_chain WHERE seq > $1 ORDER BY seq LIMIT $2) c \
                 LEFT JOIN audit_events e ON e.id = c.event_id ORDER BY c.seq",
                &[after.into(), i64::from(limit).into()],
            )
            .await?;
        rows.iter().map(link).collect()
    }
}

async fn head(connection: &mut Connection) -> Result<Head, Error> {
    let last = connection.fetch_optional("SELECT seq, hash FROM audit_chain ORDER BY seq DESC LIMIT 1", &[]).await?;
    last.map_or(Ok(Head::default()), |row| Ok(Head { seq: row.integer("seq")?, hash: row.text("hash")? }))
}

fn link(row: &Row) -> Result<Link, Error> {
    let is_present = row.optional_text("present")?.is_some();
    Ok(Link {
        seq: row.integer("seq")?,
        event_id: row.text("event_id")?,
        previous_hash: row.text("previous_hash")?,
        hash: row.text("hash")?,
        event: is_present.then(|| event(row)).transpose()?,
    })
}

fn event(row: &Row) -> Result<StoredEvent, Error> {
    Ok(StoredEvent {
        id: row.text("id")?,
        user_id: row.text("user_id")?,
        action: row.text("action")?,
        subject_id: row.text("subject_id")?,
        details: row.optional_text("details")?,
        created_at: row.integer("created_at")?,
    })
}
