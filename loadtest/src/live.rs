//! A load that is going on: what its users share.
use crate::{
    directory::Directory,
    mailboxes::Mailboxes,
    oracle::Journal,
    plan::LoadPlan,
    progress::{Progress, add},
    stop::Stop,
    visit::{Open, User},
};
use reports::{record::Sample, units};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Where users go when they are done.
#[derive(Default)]
pub(crate) struct Home(pub(crate) Mutex<Vec<User>>);

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Home")
    }
}

/// Shared by the pacer and all users, from clock zero to the end.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) plan: Arc<LoadPlan>,
    pub(crate) clock_zero: Instant,
    pub(crate) stop: Stop,
    pub(crate) run: String,
    pub(crate) progress: Arc<Progress>,
    pub(crate) mailboxes: Arc<Mailboxes>,
    /// How often each journey of the mix arrived.
    pub(crate) journey_counts: Vec<AtomicU64>,
    /// Who else is there.
    pub(crate) directory: Arc<Directory>,
    /// Where writes are journaled, if they are.
    pub(crate) journal: Option<Arc<Journal>>,
    /// Users who are done, while their writes are still to be read back.
    pub(crate) home: Home,
    /// When the last user ended so far, in nanoseconds since clock zero.
    pub(crate) ended_ns: AtomicU64,
}

impl Live {
    /// An instant, in nanoseconds since clock zero; 0 for one before it.
    pub(crate) fn ns(&self, instant: Instant) -> u64 {
        units::nanos(instant.saturating_duration_since(self.clock_zero))
    }

    /// The instant that lies so many nanoseconds after clock zero.
    pub(crate) fn instant(&self, ns: u64) -> Instant {
        self.clock_zero + Duration::from_nanos(ns)
    }

    /// After this, users take no more waiting arrivals.
    pub(crate) fn last_start(&self) -> Instant {
        self.instant(self.plan.end_ns()) + self.plan.grace()
    }

    /// Counts an arrival that has become due; `user` is the one that it is due for, or any.
    pub(crate) fn arrived(&self, user: u32, journey_index: usize, due_ns: u64) {
        add(&self.progress.arrived);
        self.offered(user, due_ns);
        add(&self.journey_counts[journey_index]);
    }

    /// Takes a user in whose writes are to be read back.
    pub(crate) fn come_home(&self, user: User) {
        if self.journal.is_some() {
            self.home.0.lock().unwrap_or_else(PoisonError::into_inner).push(user);
        }
    }

    /// Counts a later step of a journey that has become due.
    pub(crate) fn offered(&self, user: u32, due_ns: u64) {
        add(&self.progress.offered);
        self.mailboxes.presence.is_due(user, due_ns);
    }

    /// Counts a request that goes out.
    pub(crate) fn sending(&self, user: u32) {
        add(&self.progress.in_flight);
        self.mailboxes.presence.is_sent(user, self.ns(Instant::now()));
    }

    /// Counts a request whose answer is complete, or given up.
    pub(crate) fn answered(&self, user: u32) {
        self.progress.in_flight.fetch_sub(1, Relaxed);
        self.mailboxes.presence.is_done(user, self.ns(Instant::now()));
    }

    /// Hands in what became of a request.
    pub(crate) fn completed(&self, user: u32, sample: Sample) {
        self.mailboxes.sample(user, sample);
    }

    /// Hands in an arrival that was given up because the queue was full.
    pub(crate) fn dropped(&self, due_ns: u64) {
        self.mailboxes.presence.is_cut_off(0, self.ns(Instant::now()), due_ns, None);
        self.mailboxes.dropped(due_ns);
    }

    /// Hands in an arrival that nobody took before the run was ended.
    pub(crate) fn left(&self, due_ns: u64) {
        self.mailboxes.presence.is_cut_off(0, self.ns(Instant::now()), due_ns, None);
        self.mailboxes.left(due_ns);
    }

    /// Hands in a request that was given up.
    pub(crate) fn unfinished(&self, user: u32, Open { due_ns, sent_ns, is_arrival }: Open) {
        if sent_ns.is_some() {
            self.progress.in_flight.fetch_sub(1, Relaxed);
        }
        self.mailboxes.presence.is_cut_off(user, self.ns(Instant::now()), due_ns, sent_ns);
        self.mailboxes.unfinished(user, due_ns, sent_ns, is_arrival);
    }

    /// Says that a user has ended.
    pub(crate) fn ended(&self) {
        self.ended_ns.fetch_max(self.ns(Instant::now()), Relaxed);
    }
}
