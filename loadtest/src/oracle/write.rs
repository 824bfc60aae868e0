//! One write as a journey announces it, and what a visit remembers of its own acknowledged writes.
use super::{ledger::rank, record::Found};
use reports::record::{JournalEntry, JournalEvent, RecordKind};
use serde_json::Value;

/// A write that a journey is about to send: what it makes or changes, and who can read it back.
#[derive(Debug, Clone)]
pub struct Write {
    pub(crate) kind: RecordKind,
    pub(crate) reference: String,
    pub(crate) owner: u32,
    pub(crate) parent: Option<String>,
    pub(crate) guest: Option<u32>,
    pub(crate) key: String,
    pub(crate) is_change: bool,
}

impl Write {
    /// What the record will be known by in its owner's lists. The request must carry it: at the end of a title as `#reference`, in a
    /// booking as `metadata.reference`, in a share as the address.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The idempotency key of the write.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// As something that belongs to a trip.
    #[must_use]
    pub fn within(self, trip_id: &str) -> Self {
        Self { parent: Some(trip_id.to_owned()), ..self }
    }

    /// A change of the record that this write has made.
    #[must_use]
    pub fn change(&self) -> Self {
        Self { is_change: true, ..self.clone() }
    }

    /// Whether both are about the same record.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        (self.kind, &self.reference, &self.parent) == (other.kind, &other.reference, &other.parent)
    }

    fn entry(&self, at_ns: u64, event: JournalEvent) -> JournalEntry {
        JournalEntry {
            at_ns,
            owner: self.owner,
            kind: self.kind,
            reference: self.reference.clone(),
            event,
            id: None,
            parent: self.parent.clone(),
            guest: self.guest,
            content: None,
            status: None,
            confirmation: None,
        }
    }

    pub(crate) fn sent(&self, at_ns: u64) -> JournalEntry {
        self.entry(at_ns, if self.is_change { JournalEvent::ChangeSent } else { JournalEvent::Sent })
    }

    pub(crate) fn refused(&self, at_ns: u64) -> JournalEntry {
        self.entry(at_ns, if self.is_change { JournalEvent::ChangeRefused } else { JournalEvent::Refused })
    }

    pub(crate) fn acknowledged(&self, at_ns: u64, found: Option<&Found>) -> JournalEntry {
        let event = if self.is_change { JournalEvent::ChangeAcknowledged } else { JournalEvent::Acknowledged };
        self.showing(at_ns, event, found)
    }

    pub(crate) fn showing(&self, at_ns: u64, event: JournalEvent, found: Option<&Found>) -> JournalEntry {
        let entry = self.entry(at_ns, event);
        let Some(found) = found else { return entry };
        JournalEntry {
            id: Some(found.id.clone()),
            content: found.content.map(|digest| format!("{digest:016x}")),
            status: found.status.clone(),
            confirmation: found.confirmation.clone(),
            ..entry
        }
    }
}

/// A record of a visit's own, as far as it was acknowledged.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) write: Write,
    /// Digests of the acknowledged contents, the last at the end.
    contents: Vec<u64>,
    acknowledged_ns: u64,
    status: Option<String>,
    /// When that status was shown first.
    status_ns: u64,
}

impl Own {
    pub(crate) fn new(write: Write, at_ns: u64, found: &Found) -> Self {
        let mut own = Self { write, contents: Vec::new(), acknowledged_ns: at_ns, status: None, status_ns: at_ns };
        own.acknowledge(at_ns, found);
        own
    }

    pub(crate) fn acknowledge(&mut self, at_ns: u64, found: &Found) {
        self.contents.extend(found.content);
        self.acknowledged_ns = at_ns;
        self.show(at_ns, found);
    }

    fn show(&mut self, at_ns: u64, found: &Found) {
        self.status.clone_from(&found.status);
        self.status_ns = at_ns;
    }

    /// Whether a read that was sent then may still show an earlier status than the one that was shown.
    fn may_be_behind(&self, sent_ns: u64, bound_ns: u64, found: &Found) -> bool {
        let is_behind = found.status.as_deref().map(rank) < self.status.as_deref().map(rank);
        is_behind && sent_ns < self.status_ns.saturating_add(bound_ns)
    }

    /// What a whole answer to a read of it, sent at `sent_ns`, adds to the journal: that it showed what was there before, or a status
    /// that its owner had not seen yet. `body` is `None` when it says that there is no such record.
    pub(crate) fn read(
        &mut self,
        sent_ns: u64,
        at_ns: u64,
        body: Option<&Value>,
        bound_ns: u64,
    ) -> Option<JournalEntry> {
        let found = body.map(|body| Found::of_record(self.write.kind, body));
        let is_due = sent_ns >= self.acknowledged_ns.saturating_add(bound_ns);
        let is_old = match &found {
            None => true,
            Some(found) => found
                .as_ref()
                .and_then(|found| found.content)
                .is_some_and(|seen| self.contents.last() != Some(&seen) && self.contents.contains(&seen)),
        };
        if is_old {
            return is_due.then(|| self.write.entry(at_ns, JournalEvent::Stale));
        }
        let found = found.flatten().filter(|found| found.status.is_some() && found.status != self.status)?;
        if self.may_be_behind(sent_ns, bound_ns, &found) {
            return None;
        }
        self.show(at_ns, &found);
        Some(self.write.showing(at_ns, JournalEvent::Seen, Some(&found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    /// A new record of one owner.
    fn write(kind: RecordKind) -> Write {
        Write { kind, reference: "1".into(), owner: 0, parent: None, guest: None, key: String::new(), is_change: false }
    }

    /// A trip that was acknowledged as A at 100 and as B at 200, and is read then.
    #[rstest]
    #[case::the_last(200, Some("B"), 0, None)]
    #[case::the_one_before(200, Some("A"), 0, Some(JournalEvent::Stale))]
    #[case::not_there(200, None, 0, Some(JournalEvent::Stale))]
    #[case::within_the_bound(249, Some("A"), 50, None)]
    #[case::not_there_within_the_bound(249, None, 50, None)]
    #[case::beyond_the_bound(250, Some("A"), 50, Some(JournalEvent::Stale))]
    #[case::neither_is_for_the_reading_after_the_load(200, Some("C"), 0, None)]
    fn an_own_write_must_show_in_an_own_read_after_its_bound(
        #[case] sent_ns: u64,
        #[case] shown: Option<&str>,
        #[case] bound_ns: u64,
        #[case] expected: Option<JournalEvent>,
    ) {
        let trip = |title: &str| json!({ "id": "t", "title": title });
        let found = |title: &str| Found::of_record(RecordKind::Trip, &trip(title)).unwrap();
        let mut own = Own::new(write(RecordKind::Trip), 100, &found("A"));
        own.acknowledge(200, &found("B"));
        let entry = own.read(sent_ns, sent_ns + 1, shown.map(trip).as_ref(), bound_ns);
        assert_eq!(entry.map(|entry| entry.event), expected);
    }

    /// A booking that was acknowledged as saved at 100, shown as booked at 200, and is read then.
    #[rstest]
    #[case::as_it_was(200, "booked", 0, None)]
    #[case::forward_within_the_bound(249, "cancelled", 50, Some("cancelled"))]
    #[case::back(200, "saved", 0, Some("saved"))]
    #[case::back_within_the_bound(249, "saved", 50, None)]
    #[case::back_beyond_the_bound(250, "saved", 50, Some("saved"))]
    fn a_status_from_before_may_show_within_the_bound(
        #[case] sent_ns: u64,
        #[case] shown: &str,
        #[case] bound_ns: u64,
        #[case] expected: Option<&str>,
    ) {
        let booking = |status: &str| json!({ "id": "b", "contact": {}, "status": status });
        let mut own = Own::new(
            write(RecordKind::Booking),
            100,
            &Found::of_record(RecordKind::Booking, &booking("saved")).unwrap(),
        );
        let seen = own.read(199, 200, Some(&booking("booked")), bound_ns).unwrap();
        assert_eq!((seen.event, seen.status.as_deref()), (JournalEvent::Seen, Some("booked")));
        let entry = own.read(sent_ns, sent_ns + 1, Some(&booking(shown)), bound_ns);
        assert_eq!(entry.and_then(|entry| entry.status).as_deref(), expected);
    }
}
