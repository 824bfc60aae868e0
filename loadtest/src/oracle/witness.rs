//! Reads every acknowledged write back, within bounds, and says what was found.
//!
//! ```text
//! journal ─▶ tally (counts per owner) ─▶ batches of owners ─▶ ledgers ─▶ each owner: lists, then records ─▶ Oracle
//! ```
use super::{
    journal::Journaled,
    ledger::{Expected, Ledger, Name, is_unconfirmed},
    lookup::{Lookup, Unreadable},
    record::{Found, is_listed, record_path},
    settings::Bounds,
};
use crate::visit::User;
use futures_util::{StreamExt as _, stream};
use reports::record::{JournalEntry, JournalEvent, Oracle, RecordKind, Violation, ViolationExample};
use reports::units;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the target may take to answer again after the load.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// Events whose records are in memory at once; more only when a single owner has more.
const EVENTS_AT_ONCE: u64 = 100_000;

/// The users of a load that is over, with its journal: they know what must be there.
pub struct Witness {
    journaled: Journaled,
    users: BTreeMap<u32, User>,
    bounds: Bounds,
    timeout: Duration,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({} users, {})", self.users.len(), self.journaled.path.display())
    }
}

impl Witness {
    pub(crate) fn new(journaled: Journaled, users: Vec<User>, bounds: Bounds, timeout: Duration) -> Self {
        let users = users.into_iter().map(|user| (user.index, user)).collect();
        Self { journaled, users, bounds, timeout }
    }

    /// Reads everything back. To be called when all faults are lifted; `stop` ends it at once.
    ///
    /// What cannot be read back within the bounds is not verified, and the result says why.
    pub async fn verify(self, stop: &CancellationToken) -> Oracle {
        let begun = Instant::now();
        let found = Mutex::new(Oracle { journal_lost: self.journaled.lost, ..Oracle::default() });
        let incomplete = tokio::select! {
            biased;
            () = stop.cancelled() => Some("stopped before all of it was read back".to_owned()),
            done = self.read_back(&found) => done.err(),
        };
        let mut oracle = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        oracle.incomplete = incomplete;
        oracle.took_ns = units::nanos(begun.elapsed());
        oracle.examples.sort_by_key(|example| (example.violation, example.owner));
        oracle
    }

    /// # Errors
    /// Why not everything could be read back, for people.
    async fn read_back(self, found: &Mutex<Oracle>) -> Result<(), String> {
        if let Err(error) = &self.journaled.written {
            return Err(format!("the journal could not be written: {error}"));
        }
        if self.journaled.lost > 0 {
            // What is not in the journal would be taken for invented.
            return Err("events are missing in the journal".to_owned());
        }
        let path = self.journaled.path.clone();
        let counts = off_thread(&path, tally).await.map(|(counts, seen)| {
            let mut found = lock(found);
            *found = Oracle { journal_lost: found.journal_lost, ..seen };
            counts
        });
        let counts = counts.map_err(unreadable)?;
        if counts.is_empty() {
            return Ok(());
        }
        // The last write has until then to show. Reading has its whole time after that.
        tokio::time::sleep(self.bounds.own_writes).await;
        let within = self.bounds.within;
        let late = format!("not all of it could be read back within {}", units::format_duration(within));
        tokio::time::timeout(within, self.compare_all(&counts, found)).await.map_err(|_| late)?
    }

    /// Compares what every owner is shown with what it wrote, some of them at a time.
    async fn compare_all(mut self, counts: &BTreeMap<u32, u64>, found: &Mutex<Oracle>) -> Result<(), String> {
        let Some(first) = counts.keys().next() else { return Ok(()) };
        self.target_answers(*first).await?;
        let path = self.journaled.path.clone();
        for owners in batches(counts) {
            let ledgers = off_thread(&path, move |path| ledgers(path, &owners)).await.map_err(unreadable)?;
            let pairs: Vec<_> =
                ledgers.into_iter().map(|(owner, ledger)| (owner, self.users.remove(&owner), ledger)).collect();
            let timeout = self.timeout;
            let missing = Mutex::new(None);
            let work = async |(owner, user, ledger): (u32, Option<User>, Ledger)| match user {
                Some(user) => compare(owner, &mut Lookup::new(user, timeout), &ledger, found).await,
                None => *missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(owner),
            };
            stream::iter(pairs).for_each_concurrent(self.bounds.at_once as usize, work).await;
            if let Some(owner) = missing.into_inner().unwrap_or_else(PoisonError::into_inner) {
                return Err(format!("user {owner} did not come back from the load"));
            }
        }
        Ok(())
    }

    /// Waits until the target answers a user again.
    async fn target_answers(&mut self, first: u32) -> Result<(), String> {
        let Some(user) = self.users.remove(&first) else { return Err(format!("user {first} did not come back")) };
        let mut lookup = Lookup::new(user, self.timeout);
        let answered = tokio::time::timeout(ANSWERS_WITHIN, lookup.list_head()).await;
        self.users.insert(first, lookup.into_user());
        answered
            .map_err(|_| format!("the target did not answer again within {}", units::format_duration(ANSWERS_WITHIN)))
    }
}

fn unreadable(error: io::Error) -> String {
    format!("the journal cannot be read: {error}")
}

/// Compares what an owner is shown with what it wrote.
async fn compare(owner: u32, lookup: &mut Lookup, ledger: &Ledger, found: &Mutex<Oracle>) {
    for (kind, parent) in ledger.lists() {
        let not_shown = |Unreadable { status }, reference: &str, id: Option<&String>| ViolationExample {
            violation: Violation::Unreadable,
            kind,
            owner,
            reference: reference.to_owned(),
            ids: id.into_iter().cloned().collect(),
            status: status.map(|status| status.as_u16()),
        };
        let list = lookup.list(kind, &parent).await;
        match &list {
            Ok(None) => {}
            Ok(Some(list)) => {
                let (violations, landed) = ledger.judge_list(owner, kind, &parent, list);
                let mut found = lock(found);
                found.landed += landed;
                violations.into_iter().for_each(|violation| found.add(violation));
            }
            Err(error) => lock(found).add(not_shown(*error, "list", Some(&parent).filter(|trip| !trip.is_empty()))),
        }
        let of_list = |name: &&Name| name.0 == kind && name.1 == parent;
        for name in ledger.records.keys().filter(of_list) {
            let expected = &ledger.records[name];
            if !expected.is_acknowledged() {
                continue;
            }
            let shown = match look_up(lookup, name, expected, &list).await {
                Ok(shown) => shown,
                Err(error) => {
                    lock(found).add(not_shown(error, &name.2, expected.id.as_ref()));
                    continue;
                }
            };
            let mut found = lock(found);
            found.verified += expected.acknowledged();
            let id = expected.id.clone().or_else(|| shown.as_ref().map(|shown| shown.id.clone()));
            for violation in expected.judge(shown.as_ref()) {
                let ids = id.iter().cloned().collect();
                found.add(ViolationExample { violation, kind, owner, reference: name.2.clone(), ids, status: None });
            }
        }
    }
}

/// A record where it says that it is; else in the list.
async fn look_up(
    lookup: &mut Lookup,
    name: &Name,
    expected: &Expected,
    list: &Result<Option<Vec<Found>>, Unreadable>,
) -> Result<Option<Found>, Unreadable> {
    let (kind, _, reference) = name;
    let path = expected.id.as_ref().and_then(|id| record_path(*kind, id));
    match path {
        Some(path) => lookup.record(*kind, &path).await,
        None => {
            let is_it = |found: &&Found| match &expected.id {
                Some(id) => found.id == *id,
                None => found.reference.as_ref() == Some(reference),
            };
            Ok(list.as_ref().map_err(|error| *error)?.iter().flatten().find(is_it).cloned())
        }
    }
}

/// Counts what is in the journal, and its events per owner. What was broken while the load ran is in it already.
fn tally(path: &Path) -> io::Result<(BTreeMap<u32, u64>, Oracle)> {
    let (mut counts, mut oracle) = (BTreeMap::new(), Oracle::default());
    // Of kinds with a list, and of those without.
    let (mut open, mut open_unlisted, mut unlisted) = (0_i64, 0_i64, 0_i64);
    each_entry(path, |entry| {
        *counts.entry(entry.owner).or_default() += 1;
        let is_listed = is_listed(entry.kind);
        let open = if is_listed { &mut open } else { &mut open_unlisted };
        match entry.event {
            JournalEvent::Sent | JournalEvent::ChangeSent => *open += 1,
            JournalEvent::Refused | JournalEvent::ChangeRefused => *open -= 1,
            JournalEvent::Acknowledged | JournalEvent::ChangeAcknowledged => {
                *open -= 1;
                oracle.acknowledged += 1;
            }
            JournalEvent::Seen | JournalEvent::Stale => {}
        }
        unlisted += match entry.event {
            JournalEvent::Sent if !is_listed => 1,
            JournalEvent::Refused if !is_listed => -1,
            _ => 0,
        };
        let is_stale = entry.event == JournalEvent::Stale;
        let is_unconfirmed = is_unconfirmed(entry.status.as_deref(), entry.confirmation.as_deref());
        for (violation, holds) in [(Violation::Stale, is_stale), (Violation::Unconfirmed, is_unconfirmed)] {
            if holds {
                let (kind, owner, reference) = (entry.kind, entry.owner, entry.reference.clone());
                let ids = entry.id.iter().cloned().collect();
                oracle.add(ViolationExample { violation, kind, owner, reference, ids, status: None });
            }
        }
    })?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    oracle.unknown = count(open + open_unlisted);
    (oracle.unlisted, oracle.unlisted_unknown) = (count(unlisted), count(open_unlisted));
    Ok((counts, oracle))
}

/// Owners, so many at once that their ledgers fit into memory.
fn batches(counts: &BTreeMap<u32, u64>) -> Vec<BTreeSet<u32>> {
    let (mut batches, mut open, mut events) = (Vec::new(), BTreeSet::new(), 0);
    for (owner, count) in counts {
        if !open.is_empty() && events + count > EVENTS_AT_ONCE {
            batches.push(std::mem::take(&mut open));
            events = 0;
        }
        open.insert(*owner);
        events += count;
    }
    batches.extend((!open.is_empty()).then_some(open));
    batches
}

/// The ledgers of some owners.
fn ledgers(path: &Path, owners: &BTreeSet<u32>) -> io::Result<BTreeMap<u32, Ledger>> {
    let mut ledgers: BTreeMap<u32, Ledger> = owners.iter().map(|owner| (*owner, Ledger::default())).collect();
    each_entry(path, |entry| {
        if let Some(ledger) = ledgers.get_mut(&entry.owner) {
            ledger.add(&entry);
        }
        let guest = entry.guest.filter(|_| entry.kind == RecordKind::Share && entry.event == JournalEvent::Sent);
        if let (Some(ledger), Some(trip)) = (guest.and_then(|guest| ledgers.get_mut(&guest)), entry.parent) {
            ledger.shared.insert(trip);
        }
    })?;
    Ok(ledgers)
}

/// Reads the journal where waiting for the disk holds nobody up.
async fn off_thread<T: Send + 'static>(
    path: &Path,
    read: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read(&path)).await?
}

fn each_entry(path: &Path, mut visit: impl FnMut(JournalEntry)) -> io::Result<()> {
    for line in BufReader::new(File::open(path)?).lines() {
        visit(serde_json::from_str(&line?)?);
    }
    Ok(())
}

fn lock(found: &Mutex<Oracle>) -> MutexGuard<'_, Oracle> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_journal_with_gaps_accuses_nobody() {
        let verify = async |lost, written| {
            let journaled = Journaled { path: "nowhere".into(), lost, written };
            let witness = Witness::new(journaled, Vec::new(), Bounds::default(), Duration::from_secs(1));
            let oracle = witness.verify(&CancellationToken::new()).await;
            assert!(!oracle.is_violated() && oracle.journal_lost == lost);
            oracle.incomplete.unwrap()
        };
        assert_eq!(verify(3, Ok(())).await, "events are missing in the journal");
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(verify(3, Err(full)).await.starts_with("the journal could not be written: "));
        assert!(verify(0, Ok(())).await.starts_with("the journal cannot be read: "));
    }

    fn journal(folder: &Path, writes: &[(RecordKind, &str, JournalEvent)]) -> Journaled {
        let path = folder.join("journal.ndjson");
        let line = |(kind, reference, event): &(RecordKind, &str, JournalEvent)| {
            let entry =
                serde_json::json!({ "at_ns": 0, "owner": 0, "kind": kind, "reference": reference, "event": event });
            format!("{entry}\n")
        };
        std::fs::write(&path, writes.iter().map(line).collect::<String>()).unwrap();
        Journaled { path, lost: 0, written: Ok(()) }
    }

    #[tokio::test(start_paused = true)]
    async fn reading_back_has_its_whole_time_after_the_time_that_writes_have_to_show() {
        let folder = tempfile::tempdir().unwrap();
        let journaled = journal(folder.path(), &[(RecordKind::Trip, "1", JournalEvent::Acknowledged)]);
        let bounds = Bounds { own_writes: Duration::from_secs(300), ..Bounds::default() };
        let oracle = Witness::new(journaled, Vec::new(), bounds, Duration::from_secs(1));
        let oracle = oracle.verify(&CancellationToken::new()).await;
        assert_eq!(oracle.incomplete.as_deref(), Some("user 0 did not come back"));
    }

    #[test]
    fn chats_are_counted_apart_because_no_list_shows_them() {
        use JournalEvent::{Acknowledged, ChangeAcknowledged, ChangeSent, Refused, Sent};
        let folder = tempfile::tempdir().unwrap();
        let of = |kind, reference, events: &[JournalEvent]| {
            events.iter().map(|event| (kind, reference, *event)).collect::<Vec<_>>()
        };
        let writes = [
            of(RecordKind::Chat, "1", &[Sent, Acknowledged, ChangeSent, ChangeAcknowledged, ChangeSent]),
            of(RecordKind::Chat, "2", &[Sent]),
            of(RecordKind::Chat, "3", &[Sent, Refused]),
            of(RecordKind::Trip, "4", &[Sent]),
        ];
        let journaled = journal(folder.path(), &writes.concat());
        let (_, oracle) = tally(&journaled.path).unwrap();
        assert_eq!((oracle.acknowledged, oracle.unknown), (2, 3));
        assert_eq!((oracle.unlisted, oracle.unlisted_unknown), (2, 2), "the third was refused");
    }

    #[test]
    fn owners_are_taken_in_batches_that_fit_and_each_once() {
        let counts = BTreeMap::from([(1, 60_000), (2, 40_000), (3, 1), (4, 500_000), (5, 1)]);
        let batches: Vec<Vec<u32>> = batches(&counts).into_iter().map(|batch| batch.into_iter().collect()).collect();
        assert_eq!(batches, [vec![1, 2], vec![3], vec![4], vec![5]]);
    }
}
