//! The way of a write from the user who sent it to `journal.ndjson`, as recording.rs does it for samples: handing an event in never waits
//! and wakes nobody, and one that finds no room is counted.
use reports::record::JournalEntry;
use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Events that wait for the thread, at most.
const WAITING_MAX: usize = 1 << 17;
/// How often the thread comes by.
const ROUND: Duration = Duration::from_millis(10);

/// The users' end of the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    waiting: Mutex<Vec<JournalEntry>>,
    capacity: usize,
    lost: AtomicU64,
    is_closed: AtomicBool,
}

/// The journal that is being written. Dropped without [`Journaling::finish`], its thread ends by itself.
pub(crate) struct Journaling {
    journal: Arc<Journal>,
    path: PathBuf,
    thread: JoinHandle<io::Result<()>>,
}

/// A journal that is complete.
#[derive(Debug)]
pub(crate) struct Journaled {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Events that are not in it.
    pub(crate) lost: u64,
    /// Whether it is on disk; why not.
    pub(crate) written: io::Result<()>,
}

impl Journal {
    /// Hands an event in.
    pub(crate) fn note(&self, entry: JournalEntry) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < self.capacity {
            waiting.push(entry);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Journaling {
    /// Starts the journal in a new file.
    ///
    /// # Errors
    /// When the file cannot be made, or no thread can be started.
    pub(crate) fn start(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        let journal = Arc::new(Journal {
            waiting: Mutex::default(),
            capacity: WAITING_MAX,
            lost: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        });
        let shared = journal.clone();
        let thread =
            thread::Builder::new().name("journal".into()).spawn(move || work(&shared, BufWriter::new(file)))?;
        Ok(Self { journal, path: path.to_owned(), thread })
    }

    /// The users' end.
    pub(crate) fn journal(&self) -> Arc<Journal> {
        self.journal.clone()
    }

    /// Writes what is left, and ends the thread.
    pub(crate) fn finish(self) -> Journaled {
        self.journal.is_closed.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
        let written = self.thread.join().expect("the journal's thread does not panic");
        Journaled { path: self.path, lost: self.journal.lost.load(Ordering::Relaxed), written }
    }
}

/// Writes until the journal is closed, or the load was given up. After a failed write, events are only counted as lost.
fn work(journal: &Arc<Journal>, mut file: BufWriter<impl io::Write>) -> io::Result<()> {
    let (mut taken, mut written) = (Vec::new(), Ok(()));
    loop {
        // Read before the mailbox is emptied: what was handed in before the end is in it.
        let is_over = journal.is_closed.load(Ordering::SeqCst) || Arc::strong_count(journal) == 1;
        std::mem::swap(&mut *journal.waiting.lock().unwrap_or_else(PoisonError::into_inner), &mut taken);
        let count = taken.len() as u64;
        if written.is_ok() {
            written = write(&mut file, &taken);
            if let Err(error) = &written {
                tracing::error!("cannot write the journal, what follows is lost: {error}");
            }
        }
        if written.is_err() {
            journal.lost.fetch_add(count, Ordering::Relaxed);
        }
        taken.clear();
        if is_over {
            return written;
        }
        thread::park_timeout(ROUND);
    }
}

fn write(file: &mut BufWriter<impl io::Write>, entries: &[JournalEntry]) -> io::Result<()> {
    for entry in entries {
        serde_json::to_writer(&mut *file, entry)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Write;
    use reports::record::RecordKind;

    fn sent(number: u64) -> JournalEntry {
        let write = Write {
            kind: RecordKind::Trip,
            reference: number.to_string(),
            owner: 0,
            parent: None,
            guest: None,
            key: String::new(),
            is_change: false,
        };
        write.sent(number)
    }

    #[test]
    fn every_event_is_a_line_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.ndjson");
        let journaling = Journaling::start(&path).unwrap();
        let journal = journaling.journal();
        (0..1_000).for_each(|number| journal.note(sent(number)));
        let done = journaling.finish();
        assert!(done.written.is_ok() && done.lost == 0);
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<JournalEntry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, (0..1_000).map(sent).collect::<Vec<_>>());
    }

    #[test]
    fn events_beyond_the_mailbox_and_after_a_full_disk_are_counted_and_nobody_waits() {
        let journal = Arc::new(Journal {
            waiting: Mutex::default(),
            capacity: 3,
            lost: AtomicU64::new(0),
            is_closed: AtomicBool::new(true),
        });
        (0..5).for_each(|number| journal.note(sent(number)));
        assert_eq!(journal.lost.load(Ordering::Relaxed), 2);
        let mut room = [0_u8; 10];
        let full = BufWriter::new(&mut room[..]);
        assert!(work(&journal, full).is_err());
        assert_eq!(journal.lost.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn the_thread_ends_when_the_load_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let Journaling { journal, thread, .. } = Journaling::start(&folder.path().join("journal.ndjson")).unwrap();
        drop(journal);
        thread.join().unwrap().unwrap();
    }
}
