//! What an owner's records must be, from its part of the journal, and how far what the target shows is from it. Pure.
use super::record::Found;
use reports::record::{JournalEntry, JournalEvent, RecordKind, Violation, ViolationExample};
use std::collections::{BTreeMap, BTreeSet};

/// Kind, trip (for what belongs to one), and what it is known by.
pub(crate) type Name = (RecordKind, String, String);

/// What one owner has written.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) records: BTreeMap<Name, Expected>,
    /// Trips of others that were, or may be, shared with this owner: they are in its lists.
    pub(crate) shared: BTreeSet<String>,
}

/// What one record must be.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    creation: Creation,
    /// As acknowledged.
    pub(crate) id: Option<String>,
    /// Digests of the acknowledged contents, the last at the end.
    contents: Vec<u64>,
    /// Whether a change without an answer came after the last acknowledged content.
    may_have_changed: bool,
    acknowledged: u64,
    status: Option<String>,
    confirmation: Option<String>,
    has_reverted: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Creation {
    /// Nobody sent it.
    #[default]
    None,
    Unknown,
    Acknowledged,
    Refused,
}

impl Ledger {
    /// Adds the next event of the journal.
    pub(crate) fn add(&mut self, entry: &JournalEntry) {
        let name = (entry.kind, entry.parent.clone().unwrap_or_default(), entry.reference.clone());
        let record = self.records.entry(name).or_default();
        match entry.event {
            JournalEvent::Sent => record.creation = Creation::Unknown,
            JournalEvent::Refused => record.creation = Creation::Refused,
            JournalEvent::Acknowledged => {
                record.creation = Creation::Acknowledged;
                record.id.clone_from(&entry.id);
                record.acknowledge(entry);
            }
            JournalEvent::ChangeSent => record.may_have_changed = true,
            JournalEvent::ChangeRefused => record.may_have_changed = false,
            JournalEvent::ChangeAcknowledged => {
                record.may_have_changed = false;
                record.acknowledge(entry);
            }
            JournalEvent::Seen => record.show(entry.status.as_deref(), entry.confirmation.as_deref()),
            JournalEvent::Stale => {}
        }
    }

    /// Kinds with the trip that their list is of, in the order of their names.
    pub(crate) fn lists(&self) -> BTreeSet<(RecordKind, String)> {
        self.records.keys().map(|(kind, parent, _)| (*kind, parent.clone())).collect()
    }

    /// What a whole list shows that it must not: a record twice, or one that nobody sent. Also says which records without a known
    /// outcome are there.
    pub(crate) fn judge_list(
        &self,
        owner: u32,
        kind: RecordKind,
        parent: &str,
        found: &[Found],
    ) -> (Vec<ViolationExample>, u64) {
        let mut ids: BTreeMap<Option<&str>, BTreeSet<&str>> = BTreeMap::new();
        for found in found.iter().filter(|found| kind != RecordKind::Trip || !self.shared.contains(&found.id)) {
            ids.entry(found.reference.as_deref()).or_default().insert(&found.id);
        }
        let (mut violations, mut landed) = (Vec::new(), 0);
        for (reference, ids) in ids {
            let name = reference.map(|reference| (kind, parent.to_owned(), reference.to_owned()));
            let creation = name.and_then(|name| self.records.get(&name)).map_or(Creation::None, |known| known.creation);
            let violation = match creation {
                Creation::None | Creation::Refused => Some(Violation::Invented),
                Creation::Unknown | Creation::Acknowledged => (ids.len() > 1).then_some(Violation::Duplicated),
            };
            landed += u64::from(creation == Creation::Unknown);
            violations.extend(violation.map(|violation| ViolationExample {
                violation,
                kind,
                owner,
                reference: reference.unwrap_or_default().to_owned(),
                ids: ids.into_iter().map(str::to_owned).collect(),
                status: None,
            }));
        }
        (violations, landed)
    }
}

impl Expected {
    /// Whether it must be there.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.creation == Creation::Acknowledged
    }

    /// Acknowledged writes that it stands for: its own, and its changes.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn acknowledge(&mut self, entry: &JournalEntry) {
        self.acknowledged += 1;
        let digest = entry.content.as_ref().and_then(|digits| u64::from_str_radix(digits, 16).ok());
        match digest {
            Some(digest) => self.contents.push(digest),
            // Acknowledged without saying what: anything may be there.
            None => self.may_have_changed = true,
        }
        self.show(entry.status.as_deref(), entry.confirmation.as_deref());
    }

    /// Its owner is shown a status: from now on it must not fall behind it.
    fn show(&mut self, status: Option<&str>, confirmation: Option<&str>) {
        self.has_reverted |= self.is_behind(status, confirmation);
        if status.is_some() {
            self.status = status.map(str::to_owned);
        }
        if confirmation.is_some() {
            self.confirmation = confirmation.map(str::to_owned);
        }
    }

    /// Whether a booking is shown less far than it was, or with another confirmation.
    fn is_behind(&self, status: Option<&str>, confirmation: Option<&str>) -> bool {
        let (Some(before), Some(now)) = (&self.status, status) else { return false };
        let is_other = |known: &String| confirmation.is_some_and(|seen| seen != known);
        rank(now) < rank(before) || self.confirmation.as_ref().is_some_and(is_other)
    }

    /// What is wrong with an acknowledged record as it is shown now; `None` for one that is not there.
    pub(crate) fn judge(&self, found: Option<&Found>) -> Vec<Violation> {
        let Some(found) = found else { return vec![Violation::Lost] };
        let mut violations = Vec::new();
        let seen = found.content.filter(|_| !self.may_have_changed);
        if let Some(seen) = seen.filter(|seen| self.contents.last() != Some(seen)) {
            violations.push(if self.contents.contains(&seen) { Violation::Stale } else { Violation::Changed });
        }
        if is_unconfirmed(found.status.as_deref(), found.confirmation.as_deref()) {
            violations.push(Violation::Unconfirmed);
        }
        if self.has_reverted || self.is_behind(found.status.as_deref(), found.confirmation.as_deref()) {
            violations.push(Violation::Reverted);
        }
        violations
    }
}

/// Whether a booking says that it is booked, and has no confirmation to show.
pub(crate) fn is_unconfirmed(status: Option<&str>, confirmation: Option<&str>) -> bool {
    status == Some("booked") && confirmation.is_none_or(str::is_empty)
}

/// How far a booking has come.
pub(super) fn rank(status: &str) -> u8 {
    match status {
        "cancelled" => 2,
        "booked" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Write;
    use JournalEvent::{Acknowledged, ChangeAcknowledged, ChangeRefused, ChangeSent, Refused, Seen, Sent};
    use rstest::rstest;

    fn entry(event: JournalEvent, content: u64, status: Option<&str>) -> JournalEntry {
        let write = Write {
            kind: RecordKind::Booking,
            reference: "7".into(),
            owner: 3,
            parent: None,
            guest: None,
            key: "k".into(),
            is_change: false,
        };
        write.showing(0, event, Some(&found("a", Some("7"), content, status)))
    }

    fn found(id: &str, reference: Option<&str>, content: u64, status: Option<&str>) -> Found {
        let confirmation = status.filter(|status| *status == "booked").map(|_| "CONF".to_owned());
        Found {
            id: id.into(),
            reference: reference.map(str::to_owned),
            content: Some(content),
            status: status.map(str::to_owned),
            confirmation,
        }
    }

    fn ledger(events: &[JournalEntry]) -> Ledger {
        let mut ledger = Ledger::default();
        events.iter().for_each(|event| ledger.add(event));
        ledger
    }

    fn only(ledger: &Ledger) -> &Expected {
        ledger.records.values().next().unwrap()
    }

    #[rstest]
    #[case::sound(&[(Sent, 1), (Acknowledged, 1)], Some(1), &[])]
    #[case::lost(&[(Sent, 1), (Acknowledged, 1)], None, &[Violation::Lost])]
    #[case::changed(&[(Sent, 1), (Acknowledged, 1)], Some(2), &[Violation::Changed])]
    #[case::the_last_change(&[(Acknowledged, 1), (ChangeSent, 0), (ChangeAcknowledged, 2)], Some(2), &[])]
    #[case::the_change_is_gone(&[(Acknowledged, 1), (ChangeSent, 0), (ChangeAcknowledged, 2)], Some(1), &[Violation::Stale])]
    #[case::a_change_without_an_answer_may_be_there(&[(Acknowledged, 1), (ChangeSent, 0)], Some(2), &[])]
    #[case::or_not(&[(Acknowledged, 1), (ChangeSent, 0)], Some(1), &[])]
    #[case::but_the_record_must(&[(Acknowledged, 1), (ChangeSent, 0)], None, &[Violation::Lost])]
    #[case::a_refused_change_must_not(&[(Acknowledged, 1), (ChangeSent, 0), (ChangeRefused, 0)], Some(2), &[Violation::Changed])]
    fn an_acknowledged_record_is_there_as_it_was_acknowledged_last(
        #[case] events: &[(JournalEvent, u64)],
        #[case] shown: Option<u64>,
        #[case] expected: &[Violation],
    ) {
        let events: Vec<_> = events.iter().map(|(event, content)| entry(*event, *content, None)).collect();
        let shown = shown.map(|content| found("a", Some("7"), content, None));
        assert_eq!(only(&ledger(&events)).judge(shown.as_ref()), expected);
    }

    #[rstest]
    #[case::as_it_was(&["saved"], "saved", true, &[])]
    #[case::forward(&["saved"], "booked", true, &[])]
    #[case::back(&["booked"], "saved", false, &[Violation::Reverted])]
    #[case::cancelled_is_later_than_booked(&["booked"], "cancelled", true, &[])]
    #[case::back_after_a_read(&["saved", "booked"], "saved", false, &[Violation::Reverted])]
    #[case::back_and_forth_while_it_ran(&["booked", "saved"], "booked", true, &[Violation::Reverted])]
    #[case::no_confirmation(&["saved"], "booked", false, &[Violation::Unconfirmed])]
    fn a_booking_never_goes_back_and_is_booked_only_with_a_confirmation(
        #[case] seen: &[&str],
        #[case] shown: &str,
        #[case] has_confirmation: bool,
        #[case] expected: &[Violation],
    ) {
        let events = seen
            .iter()
            .enumerate()
            .map(|(number, status)| entry(if number == 0 { Acknowledged } else { Seen }, 1, Some(status)));
        let mut shown = found("a", Some("7"), 1, Some(shown));
        shown.confirmation = shown.confirmation.filter(|_| has_confirmation);
        assert_eq!(only(&ledger(&events.collect::<Vec<_>>())).judge(Some(&shown)), expected);
    }

    #[test]
    fn another_confirmation_is_another_booking() {
        let ledger = ledger(&[entry(Acknowledged, 1, Some("booked"))]);
        let mut shown = found("a", Some("7"), 1, Some("booked"));
        shown.confirmation = Some("OTHER".into());
        assert_eq!(only(&ledger).judge(Some(&shown)), [Violation::Reverted]);
    }

    #[rstest]
    #[case::once(&[Sent, Acknowledged], &["a"], None, 0)]
    #[case::twice(&[Sent, Acknowledged], &["a", "b"], Some(Violation::Duplicated), 0)]
    #[case::shown_on_two_pages(&[Sent, Acknowledged], &["a", "a"], None, 0)]
    #[case::without_an_answer_it_may_be_there(&[Sent], &["a"], None, 1)]
    #[case::or_not(&[Sent], &[], None, 0)]
    #[case::but_not_twice(&[Sent], &["a", "b"], Some(Violation::Duplicated), 1)]
    #[case::refused_means_not_there(&[Sent, Refused], &["a"], Some(Violation::Invented), 0)]
    #[case::nobody_sent_it(&[], &["a"], Some(Violation::Invented), 0)]
    fn a_list_shows_each_write_at_most_once_and_nothing_else(
        #[case] events: &[JournalEvent],
        #[case] ids: &[&str],
        #[case] expected: Option<Violation>,
        #[case] expected_landed: u64,
    ) {
        let events: Vec<_> = events.iter().map(|event| entry(*event, 1, None)).collect();
        let shown: Vec<_> = ids.iter().map(|id| found(id, Some("7"), 1, None)).collect();
        let (violations, landed) = ledger(&events).judge_list(3, RecordKind::Booking, "", &shown);
        assert_eq!(violations.first().map(|found| found.violation), expected);
        assert_eq!((violations.len() <= 1, landed), (true, expected_landed));
    }

    #[test]
    fn a_trip_that_others_share_is_not_invented_and_one_without_a_name_is() {
        let ledger = Ledger { shared: BTreeSet::from(["theirs".to_owned()]), ..Ledger::default() };
        let judged =
            |id: &str, reference| ledger.judge_list(0, RecordKind::Trip, "", &[found(id, reference, 1, None)]).0.len();
        assert_eq!((judged("theirs", Some("9")), judged("nobodys", Some("9")), judged("nobodys", None)), (0, 1, 1));
    }
}
