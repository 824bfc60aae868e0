//! The way of a sample from the user who saw it to the run's folder.
//!
//! ```text
//! users ─▶ mailboxes (bounded; full: counted as lost) ─▶ recorder thread ─▶ Recorder ─▶ measures.hlog
//!                                                                       ├─▶ Progress
//!                                                                       └─▶ Watcher, once a second
//! ```
//! Handing in a sample never waits and wakes nobody: the thread comes by every few milliseconds.
use crate::{
    health::ClockWatch,
    mailboxes::{BOXES, Event, Mailboxes, NotTaken},
    presence::{Integrals, Presence},
    progress::{Progress, add},
    recent::Recent,
};
use reports::{
    record::{CutOff, Outcome, Phase, Recorder, Round, SECOND_NS, Sample, SecondCounts, StepInfo, Watcher},
    units,
};
use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Where and how a run is recorded.
pub struct Recording {
    /// Receives the measures: the run folder's `measures.hlog`.
    pub measures: Box<dyn Write + Send>,
    /// The phases that samples are put into.
    pub phases: Vec<Phase>,
    /// Wall-clock time of clock zero.
    pub clock_zero: SystemTime,
}

/// What the recorder has at the end.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// What happened in each second.
    pub(crate) seconds: Vec<SecondCounts>,
    /// Samples that came after their second was written.
    pub(crate) late_count: u64,
    /// Whether the measures are on disk; why not.
    pub(crate) written: io::Result<()>,
    /// The largest jump of a clock.
    pub(crate) clock_jump: Duration,
    /// Time of the requests that have no sample.
    pub(crate) cut_off: CutOff,
}

/// How often the recorder thread comes by.
const ROUND: Duration = Duration::from_millis(10);
/// Seconds of measures that are kept in memory when they cannot be written; beyond them, samples are lost.
const UNWRITTEN_MAX_S: u64 = 600;

/// The recorder thread. Dropped without [`Running::finish`], it ends by itself.
pub(crate) struct Running {
    mailboxes: Arc<Mailboxes>,
    thread: JoinHandle<Recorded>,
}

impl Running {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the head of the log cannot be written, or no thread can be started.
    pub(crate) fn start(
        recording: Recording,
        steps: &[StepInfo],
        mailboxes: Arc<Mailboxes>,
        clock_zero: Instant,
        watcher: Option<Box<dyn Watcher>>,
    ) -> io::Result<Self> {
        let log = BufWriter::new(recording.measures);
        let recorder = Recorder::start(log, recording.clock_zero, recording.phases, steps.to_vec())?;
        let shared = mailboxes.clone();
        let desk = Desk::new(recorder, clock_zero, watcher);
        let thread = thread::Builder::new().name("recorder".into()).spawn(move || desk.work(&shared))?;
        Ok(Self { mailboxes, thread })
    }

    /// Folds what is left, writes it, and ends the thread.
    pub(crate) fn finish(self) -> Recorded {
        self.mailboxes.close();
        self.thread.thread().unpark();
        self.thread.join().expect("the recorder thread does not panic")
    }
}

/// The recorder thread's state.
struct Desk {
    recorder: Recorder<BufWriter<Box<dyn Write + Send>>>,
    clock_zero: Instant,
    clocks: ClockWatch,
    recent: Recent,
    /// Up to when presence is noted, and its integrals then.
    noted: (u64, Integrals),
    last_error: Option<io::Error>,
    closed_before: u64,
    watcher: Option<Box<dyn Watcher>>,
    /// The second in which the watcher looked last.
    looked_s: u64,
}

impl Desk {
    fn new(
        recorder: Recorder<BufWriter<Box<dyn Write + Send>>>,
        clock_zero: Instant,
        watcher: Option<Box<dyn Watcher>>,
    ) -> Self {
        Self {
            recorder,
            clock_zero,
            clocks: ClockWatch::start(),
            recent: Recent::default(),
            noted: (0, Integrals::default()),
            last_error: None,
            closed_before: 0,
            watcher,
            looked_s: 0,
        }
    }

    fn work(mut self, mailboxes: &Arc<Mailboxes>) -> Recorded {
        let mut taken = Vec::new();
        // The users' end is gone without a word when the load was given up.
        while !mailboxes.is_closed() && Arc::strong_count(mailboxes) > 1 {
            thread::park_timeout(ROUND);
            // Read before the mailboxes are emptied: what is not outstanding now is in them. One second is left open, because a user
            // enters its mark a moment after it took an arrival from the queue.
            let complete_s = (mailboxes.outstanding.earliest_ns() / SECOND_NS).saturating_sub(1);
            let now = self.clock_zero.elapsed();
            let is_time_to_look = self.watcher.is_some() && now.as_secs() > self.looked_s;
            let known = is_time_to_look.then(|| mailboxes.outstanding.by_second(now.as_secs()));
            self.empty(mailboxes, &mut taken);
            self.clocks.look();
            self.note_presence(&mailboxes.presence);
            if complete_s > self.closed_before {
                self.close_before(complete_s);
            }
            self.recent.publish(now, &mailboxes.progress);
            if let Some((known_before, outstanding)) = known {
                self.look(now, known_before, outstanding, &mailboxes.progress);
            }
        }
        self.empty(mailboxes, &mut taken);
        self.note_presence(&mailboxes.presence);
        self.close_before(u64::MAX);
        self.look(self.clock_zero.elapsed(), u64::MAX, BTreeMap::new(), &mailboxes.progress);
        self.finish(mailboxes.presence.cut_off())
    }

    /// Notes how many requests were there since the last look, over the time that really passed, however long that was.
    fn note_presence(&mut self, presence: &Presence) {
        let now_ns = units::nanos(self.clock_zero.elapsed());
        let (from_ns, before) = self.noted;
        if now_ns == from_ns {
            return;
        }
        let now = presence.until(now_ns);
        // A request that comes or goes while it looks counts a little early or late; what that takes away is made good at the next look.
        let grown = |now: u64, before: u64| u64::try_from(now.wrapping_sub(before).cast_signed()).unwrap_or(0);
        let (due_ns, sent_ns) = (grown(now.due_ns, before.due_ns), grown(now.sent_ns, before.sent_ns));
        self.recorder.present(from_ns, now_ns, due_ns, sent_ns);
        self.noted = (
            now_ns,
            Integrals { due_ns: before.due_ns.wrapping_add(due_ns), sent_ns: before.sent_ns.wrapping_add(sent_ns) },
        );
    }

    fn look(&mut self, now: Duration, known_before: u64, outstanding: BTreeMap<u64, u64>, progress: &Progress) {
        let Some(watcher) = &mut self.watcher else { return };
        let figures = progress.figures();
        self.looked_s = now.as_secs();
        watcher.look(&Round {
            now_ns: units::nanos(now),
            is_over: known_before == u64::MAX,
            counts: figures.counts(),
            in_flight: figures.in_flight,
            seconds: self.recorder.seconds(),
            open: self.recorder.open().collect(),
            known_before,
            outstanding,
        });
    }

    fn empty(&mut self, mailboxes: &Mailboxes, taken: &mut Vec<Event>) {
        for number in 0..BOXES {
            mailboxes.swap(number, taken);
            for event in taken.drain(..) {
                match event {
                    Event::Sample(sample) => self.observe(&sample, &mailboxes.progress),
                    Event::Unfinished { due_ns, sent_ns, is_arrival } => {
                        self.recorder.unfinished(due_ns, sent_ns, is_arrival);
                    }
                }
            }
        }
        for (second, NotTaken { dropped, left }) in mailboxes.take_not_taken() {
            self.recorder.dropped(second, dropped);
            self.recorder.left(second, left);
        }
    }

    fn observe(&mut self, sample: &Sample, progress: &Progress) {
        if self.last_error.is_some() && sample.due_ns / SECOND_NS > self.closed_before + UNWRITTEN_MAX_S {
            add(&progress.lost);
            return;
        }
        self.recorder.observe(sample);
        self.recent.observe(sample);
        if let Some(position) = Outcome::ALL.iter().position(|known| *known == sample.outcome) {
            add(&progress.outcomes[position]);
        }
    }

    fn close_before(&mut self, second: u64) {
        let watcher = &mut self.watcher;
        let closed = self.recorder.close_watched_before(second, |closed| {
            if let Some(watcher) = watcher {
                watcher.closed(closed);
            }
        });
        match closed {
            Ok(()) => {
                self.closed_before = second;
                self.last_error = None;
            }
            Err(error) => {
                if self.last_error.is_none() {
                    tracing::error!("cannot write the measures, keeping them in memory: {error}");
                }
                self.last_error = Some(error);
            }
        }
    }

    fn finish(self, cut_off: CutOff) -> Recorded {
        let clock_jump = self.clocks.largest_jump();
        let (seconds, late_count) = (self.recorder.seconds().to_vec(), self.recorder.late_count());
        let written = self.recorder.finish().map(|_| ());
        Recorded { seconds, late_count, written, clock_jump, cut_off }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailboxes::WAITING_MAX;
    use reports::record::PhaseKind;

    fn sample(due_ns: u64) -> Sample {
        Sample {
            step_index: 0,
            outcome: Outcome::Full,
            is_arrival: true,
            due_ns,
            released_ns: due_ns,
            sent_ns: due_ns,
            first_byte_ns: None,
            done_ns: due_ns + 5_000_000,
            stream: None,
            connecting: reports::record::Connecting::default(),
        }
    }

    fn start(measures: Box<dyn Write + Send>, mailboxes: &Arc<Mailboxes>) -> Running {
        start_watched(measures, mailboxes, None)
    }

    fn start_watched(
        measures: Box<dyn Write + Send>,
        mailboxes: &Arc<Mailboxes>,
        watcher: Option<Box<dyn Watcher>>,
    ) -> Running {
        let phase =
            Phase { kind: PhaseKind::Steady, label: "steady".into(), from_ns: 0, to_ns: u64::MAX, faults: vec![] };
        let recording = Recording { measures, phases: vec![phase], clock_zero: SystemTime::UNIX_EPOCH };
        let steps = [StepInfo { name: "a.b".into(), journey: "a".into(), is_streamed: false }];
        Running::start(recording, &steps, mailboxes.clone(), Instant::now(), watcher).unwrap()
    }

    /// A disk with room for the head and no more.
    struct Full {
        room: usize,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() > self.room {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn samples_beyond_the_mailbox_are_lost_and_counted_and_nobody_waits() {
        let progress = Arc::<Progress>::default();
        let mailboxes = Arc::new(Mailboxes::new(1, 32, progress.clone()));
        (0..10).for_each(|second| mailboxes.sample(0, sample(second)));
        assert_eq!((progress.figures().completed, progress.figures().lost), (10, 8), "one of 16 boxes holds two of 32");
        let recorded = start(Box::new(io::sink()), &mailboxes).finish();
        assert_eq!(recorded.seconds[0].completed, 2);
    }

    #[tokio::test]
    async fn a_full_disk_is_reported_and_the_counts_survive() {
        let mailboxes = Arc::new(Mailboxes::new(1, WAITING_MAX, Arc::default()));
        let running = start(Box::new(Full { room: 400 }), &mailboxes);
        (0..5).for_each(|second| mailboxes.sample(0, sample(second * SECOND_NS)));
        mailboxes.dropped(SECOND_NS);
        mailboxes.left(2 * SECOND_NS);
        let recorded = running.finish();
        assert_eq!(recorded.written.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let offered: Vec<u64> = recorded.seconds.iter().map(|second| second.offered).collect();
        assert_eq!((offered, recorded.late_count), (vec![1, 2, 2, 1, 1], 0));
    }

    /// Hands over the seconds that were closed, and whether a look was the last.
    struct Seen(std::sync::mpsc::SyncSender<Result<u64, (bool, u64)>>);

    impl Watcher for Seen {
        fn closed(&mut self, second: &reports::record::LiveSecond<'_>) {
            self.0.send(Ok(second.second())).unwrap();
        }

        fn look(&mut self, round: &Round<'_>) {
            self.0.send(Err((round.is_over, round.counts.completed))).unwrap();
        }
    }

    #[tokio::test]
    async fn a_watcher_sees_each_second_close_once_and_the_end() {
        let mailboxes = Arc::new(Mailboxes::new(1, WAITING_MAX, Arc::default()));
        let (sender, receiver) = std::sync::mpsc::sync_channel(64);
        let running = start_watched(Box::new(io::sink()), &mailboxes, Some(Box::new(Seen(sender))));
        [0, 1, 1, 4].into_iter().for_each(|second| mailboxes.sample(0, sample(second * SECOND_NS)));
        running.finish();
        let seen: Vec<_> = receiver.into_iter().collect();
        let closed: Vec<u64> = seen.iter().filter_map(|seen| seen.ok()).collect();
        assert_eq!((closed, seen.last()), (vec![0, 1, 4], Some(&Err((true, 4)))));
    }

    #[tokio::test]
    async fn the_thread_ends_when_the_load_is_given_up() {
        let mailboxes = Arc::new(Mailboxes::new(1, WAITING_MAX, Arc::default()));
        let running = start(Box::new(io::sink()), &mailboxes);
        let Running { mailboxes: ours, thread } = running;
        drop((ours, mailboxes));
        thread.join().unwrap();
    }
}
