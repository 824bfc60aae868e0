//! What a running load looks like from outside: counters that anybody may read at any time, without slowing it down.
use reports::record::{Counts, Outcome};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Live counters of one load.
#[derive(Debug, Default)]
pub struct Progress {
    pub(crate) arrived: AtomicU64,
    pub(crate) offered: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) unfinished: AtomicU64,
    pub(crate) unsent: AtomicU64,
    pub(crate) lost: AtomicU64,
    /// Connections that this machine could not open.
    pub(crate) unopened: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    pub(crate) p50_ns: AtomicU64,
    pub(crate) p99_ns: AtomicU64,
    pub(crate) outcomes: [AtomicU64; Outcome::ALL.len()],
}

/// The counters at one moment. They are read one after the other, so a moving load may be one request apart between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Arrivals that have become due.
    pub arrived: u64,
    /// Requests that have become due.
    pub offered: u64,
    /// Requests whose outcome is known.
    pub completed: u64,
    /// Arrivals given up because the queue was full.
    pub dropped: u64,
    /// Requests without an outcome when the run was ended.
    pub unfinished: u64,
    /// Of those, arrivals that were never sent.
    pub unsent: u64,
    /// Samples that did not reach the recorder.
    pub lost: u64,
    /// Requests that are out now.
    pub in_flight: u64,
    /// Median response time of the last five seconds, in nanoseconds since due; 0 when there was none, [`u64::MAX`] when it is infinite,
    /// because so many requests got no good answer.
    pub p50_ns: u64,
    /// 99th percentile of the same.
    pub p99_ns: u64,
    /// Completed requests by class, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
}

impl Progress {
    /// Reads the counters.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Figures {
            arrived: read(&self.arrived),
            offered: read(&self.offered),
            completed: read(&self.completed),
            dropped: read(&self.dropped),
            unfinished: read(&self.unfinished),
            unsent: read(&self.unsent),
            lost: read(&self.lost),
            in_flight: read(&self.in_flight),
            p50_ns: read(&self.p50_ns),
            p99_ns: read(&self.p99_ns),
            outcomes: self.outcomes.each_ref().map(read),
        }
    }
}

impl Figures {
    /// What became of the requests so far; nothing is known here of the plan.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            planned: 0,
            arrived: self.arrived,
            offered: self.offered,
            completed: self.completed,
            dropped: self.dropped,
            unfinished: self.unfinished,
            unsent: self.unsent,
            lost: self.lost,
        }
    }

    /// How many requests ended in a class.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        let position = Outcome::ALL.iter().position(|known| *known == outcome);
        position.map_or(0, |position| self.outcomes[position])
    }
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
