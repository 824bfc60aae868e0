//! Where users put what they saw, and where they say what they are at: the users' end of the recording.
//!
//! Handing something in never waits for the recorder; a full box counts what it cannot take as lost.
use crate::{
    presence::Presence,
    progress::{Progress, add},
};
use reports::record::{SECOND_NS, Sample};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Mailboxes, so that users on different threads rarely meet.
pub(crate) const BOXES: usize = 16;
/// Events that wait in all mailboxes together, at most.
pub(crate) const WAITING_MAX: usize = 1 << 18;

/// What is handed in.
#[derive(Debug)]
pub(crate) enum Event {
    Sample(Sample),
    /// A request that was due, or out, when its user was stopped.
    Unfinished {
        due_ns: u64,
        sent_ns: Option<u64>,
        is_arrival: bool,
    },
}

/// Arrivals that nobody took, counted by the second in which they were due: there may be very many of them at once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// Given up because the queue was full.
    pub(crate) dropped: u64,
    /// Left over when the run was ended.
    pub(crate) left: u64,
}

/// The users' end of the recording.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    boxes: Vec<Mutex<Vec<Event>>>,
    not_taken: Mutex<BTreeMap<u64, NotTaken>>,
    capacity: usize,
    pub(crate) progress: Arc<Progress>,
    pub(crate) outstanding: Outstanding,
    /// How many requests are there, counted apart from the samples.
    pub(crate) presence: Presence,
    is_closed: AtomicBool,
}

/// The earliest due instants that can still come in, so that a second is written once, when it is complete, however long its last
/// answer took.
#[derive(Debug)]
pub(crate) struct Outstanding {
    /// Due instant of the arrival that each user is at, or waits for; `u64::MAX` when it waits for the queue.
    users: Vec<AtomicU64>,
    /// Due instant of the request that each user is at, or waits for; `u64::MAX` when there is none.
    requests: Vec<AtomicU64>,
    /// Nothing that is still in the queue was due before this.
    queue: AtomicU64,
}

impl Outstanding {
    pub(crate) fn earliest_ns(&self) -> u64 {
        // The queue first: a user enters its own mark before it moves the queue's.
        let queue = self.queue.load(Ordering::SeqCst);
        self.users.iter().map(|user| user.load(Ordering::SeqCst)).fold(queue, u64::min)
    }

    /// What is out, by the second in which it was due, and the first second that may still have more in the queue.
    pub(crate) fn by_second(&self, now_s: u64) -> (u64, BTreeMap<u64, u64>) {
        // One second is left open, because a user enters its mark a moment after it took an arrival from the queue, or had an answer.
        let known_before = (self.queue.load(Ordering::SeqCst) / SECOND_NS).saturating_sub(1).min(now_s);
        let mut out = BTreeMap::new();
        for request in &self.requests {
            let second = request.load(Ordering::SeqCst) / SECOND_NS;
            if second < known_before {
                *out.entry(second).or_default() += 1;
            }
        }
        (known_before, out)
    }
}

impl Mailboxes {
    pub(crate) fn new(users: u32, waiting_max: usize, progress: Arc<Progress>) -> Self {
        let marks = |instant_ns: u64| (0..users).map(|_| AtomicU64::new(instant_ns)).collect();
        let outstanding = Outstanding { users: marks(0), requests: marks(u64::MAX), queue: AtomicU64::new(0) };
        let boxes = (0..BOXES).map(|_| Mutex::default()).collect();
        Self {
            boxes,
            not_taken: Mutex::default(),
            capacity: waiting_max.div_ceil(BOXES),
            progress,
            outstanding,
            presence: Presence::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Says that a user now is at, or waits for, an arrival that is due then. Everything still in the queue is due later.
    pub(crate) fn user_is_at(&self, user: u32, due_ns: u64) {
        self.request_is_at(user, due_ns);
        self.outstanding.users[user as usize].store(due_ns, Ordering::SeqCst);
        self.outstanding.queue.fetch_max(due_ns, Ordering::SeqCst);
    }

    /// Says that a user now is at, or waits for, a request that is due then.
    pub(crate) fn request_is_at(&self, user: u32, due_ns: u64) {
        self.outstanding.requests[user as usize].store(due_ns, Ordering::SeqCst);
    }

    /// Says that a user waits for no answer, and does not know yet when its next request is due.
    pub(crate) fn request_is_over(&self, user: u32) {
        self.outstanding.requests[user as usize].store(u64::MAX, Ordering::SeqCst);
    }

    /// Says that a user waits for the queue.
    pub(crate) fn user_is_free(&self, user: u32) {
        self.request_is_over(user);
        self.outstanding.users[user as usize].store(u64::MAX, Ordering::SeqCst);
    }

    pub(crate) fn sample(&self, user: u32, sample: Sample) {
        add(&self.progress.completed);
        self.put(user as usize, Event::Sample(sample));
    }

    pub(crate) fn dropped(&self, due_ns: u64) {
        add(&self.progress.dropped);
        self.not_taken().entry(due_ns / SECOND_NS).or_default().dropped += 1;
    }

    /// Hands in an arrival that was left over when the run was ended.
    pub(crate) fn left(&self, due_ns: u64) {
        add(&self.progress.unfinished);
        add(&self.progress.unsent);
        self.not_taken().entry(due_ns / SECOND_NS).or_default().left += 1;
    }

    pub(crate) fn unfinished(&self, user: u32, due_ns: u64, sent_ns: Option<u64>, is_arrival: bool) {
        add(&self.progress.unfinished);
        if sent_ns.is_none() && is_arrival {
            add(&self.progress.unsent);
        }
        self.put(user as usize, Event::Unfinished { due_ns, sent_ns, is_arrival });
    }

    /// Takes the arrivals that nobody took.
    pub(crate) fn take_not_taken(&self) -> BTreeMap<u64, NotTaken> {
        std::mem::take(&mut *self.not_taken())
    }

    fn not_taken(&self) -> MutexGuard<'_, BTreeMap<u64, NotTaken>> {
        self.not_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that nothing more is handed in.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Takes what one box holds, in exchange for what is given, which must be empty.
    pub(crate) fn swap(&self, number: usize, taken: &mut Vec<Event>) {
        std::mem::swap(&mut *self.boxes[number].lock().unwrap_or_else(PoisonError::into_inner), taken);
    }

    fn put(&self, number: usize, event: Event) {
        let mut waiting = self.boxes[number % BOXES].lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < self.capacity {
            waiting.push(event);
        } else {
            add(&self.progress.lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_stays_open_while_an_answer_of_it_is_outstanding() {
        let mailboxes = Arc::new(Mailboxes::new(2, WAITING_MAX, Arc::default()));
        assert_eq!(mailboxes.outstanding.earliest_ns(), 0, "nobody has started");
        mailboxes.user_is_free(0);
        mailboxes.user_is_free(1);
        mailboxes.user_is_at(0, 5);
        mailboxes.user_is_at(1, 70);
        assert_eq!(mailboxes.outstanding.earliest_ns(), 5);
        mailboxes.user_is_free(0);
        assert_eq!(mailboxes.outstanding.earliest_ns(), 70);
        mailboxes.user_is_free(1);
        assert_eq!(mailboxes.outstanding.earliest_ns(), 70, "what is in the queue was due after what was taken");
    }

    #[test]
    fn what_is_out_is_told_by_the_second_in_which_it_was_due() {
        let mailboxes = Mailboxes::new(4, WAITING_MAX, Arc::default());
        mailboxes.user_is_free(3);
        for (user, due_ms) in [(0, 500), (1, 2_100), (2, 7_300)] {
            mailboxes.user_is_at(user, due_ms * 1_000_000);
        }
        let expected = BTreeMap::from([(0, 1), (2, 1)]);
        assert_eq!(mailboxes.outstanding.by_second(60), (6, expected), "of later ones, some may still be in the queue");
        assert_eq!(mailboxes.outstanding.by_second(2).0, 2, "the future is not known");
    }

    #[test]
    fn a_later_step_is_out_in_its_own_second_and_a_user_who_thinks_has_nothing_out() {
        let mailboxes = Mailboxes::new(2, WAITING_MAX, Arc::default());
        mailboxes.user_is_at(0, SECOND_NS);
        mailboxes.user_is_at(1, 20 * SECOND_NS);
        mailboxes.request_is_over(0);
        assert_eq!(mailboxes.outstanding.by_second(60).1, BTreeMap::new(), "it thinks");
        mailboxes.request_is_at(0, 9 * SECOND_NS);
        assert_eq!(mailboxes.outstanding.by_second(60), (19, BTreeMap::from([(9, 1)])));
        assert_eq!(
            mailboxes.outstanding.earliest_ns(),
            SECOND_NS,
            "seconds close by the arrival, whose steps may come soon"
        );
    }

    #[test]
    fn arrivals_that_nobody_took_are_counted_however_many_they_are() {
        let mailboxes = Mailboxes::new(1, 16, Arc::default());
        (0..1_000).for_each(|k| mailboxes.dropped(k * SECOND_NS / 500));
        (0..100).for_each(|_| mailboxes.left(SECOND_NS));
        let expected = [(0, NotTaken { dropped: 500, left: 0 }), (1, NotTaken { dropped: 500, left: 100 })];
        assert_eq!(mailboxes.take_not_taken(), BTreeMap::from(expected));
        let figures = mailboxes.progress.figures();
        assert_eq!((figures.dropped, figures.unfinished, figures.unsent, figures.lost), (1_000, 100, 100, 0));
        assert_eq!(mailboxes.take_not_taken(), BTreeMap::new(), "they are handed over once");
    }
}
