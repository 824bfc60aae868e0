//! Seals the audit log in the background: a chain of hashes over all events, written by one replica at a time.

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::{App, clock::now};
use crate::{
    domain::audit::{Break, Head},
    storage::{self, Lease},
};

/// How long the right to seal lasts without being used.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How much later than its id says an event may be committed and still be found by the next look.
const LATE: SignedDuration = SignedDuration::from_mins(2);
/// How often all events are looked at, for those that were later still.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// Links read at once.
const CHECK_STEP: u32 = 500;

/// One replica's sealer.
pub(crate) struct Sealer {
    holder: Uuid,
    /// All events up to here are sealed, as far as was seen.
    after_id: String,
    swept_at: Option<Instant>,
}

/// What a look at the chain found.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The last link that holds.
    pub(crate) head: Head,
    /// The first that does not.
    pub(crate) first_break: Option<Break>,
}

impl Sealer {
    pub(crate) fn new() -> Self {
        Self { holder: Uuid::new_v4(), after_id: String::new(), swept_at: None }
    }

    /// Seals the events that have come since; leaves it to another replica that is at it.
    pub(crate) async fn seal(&mut self, app: &App) -> Result<(), storage::Error> {
        let started = now();
        let is_sweep = self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY);
        let mut after_id = if is_sweep { String::new() } else { self.after_id.clone() };
        self.after_id = loop {
            let step = app.storage.unsealed_events(&after_id).await?;
            if !step.events.is_empty() {
                let lease = Lease { name: "audit.sealer", holder: self.holder, life: LEASE };
                match app.storage.seal(step.events, lease, now()).await? {
                    Some(count) => drop(app.metrics.audit_events_sealed.inc_by(count)),
                    // Another replica is at it: all before this step is sealed, and is not looked at again.
                    None => break after_id.min(first_id_at(started - LATE)),
                }
            }
            match step.last_id {
                Some(last_id) if step.is_full => after_id = last_id,
                _ => break first_id_at(started - LATE),
            }
        };
        if is_sweep {
            self.swept_at = Some(Instant::now());
        }
        Ok(())
    }
}

impl App {
    /// Checks up to `limit` links after the one numbered `after`, whose hash is taken as it is; none when there is no such link.
    pub(crate) async fn check_audit(&self, after: i64, limit: u32) -> Result<Option<Checked>, storage::Error> {
        let Some(mut head) = self.storage.chain_at(after).await? else { return Ok(None) };
        let mut left = limit;
        while left > 0 {
            let links = self.storage.chain_links(head.seq, left.min(CHECK_STEP)).await?;
            if links.is_empty() {
                break;
            }
            for link in &links {
                match head.check(link) {
                    Ok(next) => head = next,
                    Err(found) => return Ok(Some(Checked { head, first_break: Some(found) })),
                }
                left -= 1;
            }
        }
        Ok(Some(Checked { head, first_break: None }))
    }
}

/// The smallest id that an event of that time can have: a UUID of version 7 begins with its milliseconds.
/// Source: RFC 9562, section 5.7.
fn first_id_at(instant: Timestamp) -> String {
    let millis = u128::try_from(instant.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(millis << 80).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_events_sort_by_time() {
        let id = Uuid::now_v7().to_string();
        assert!(first_id_at(now() - SignedDuration::from_secs(1)) < id);
        assert!(first_id_at(now() + SignedDuration::from_secs(1)) > id);
    }
}
