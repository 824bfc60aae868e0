//! A run that is still being recorded: what is known of each second so far, for whoever watches it.
//!
//! ```text
//! Recorder ─▶ closed(second)      once, when no answer of it can come in any more
//!          ─▶ look(round)         once a second: the totals, and the seconds that are still open
//! ```
use super::{
    Counts, Measure, Outcome, SECOND_NS, SecondCounts,
    recorder::{Key, Sparse},
};
use std::collections::BTreeMap;

/// Sees a run while it is recorded. It is called by the thread that records, so it must not wait for anything.
pub trait Watcher: Send {
    /// A second has got its last sample. Called once for each second that has any, in order.
    fn closed(&mut self, second: &LiveSecond<'_>);

    /// How the run stands; called once a second, and once at its end.
    fn look(&mut self, round: &Round<'_>);
}

/// Where a distribution belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Second of the run in which its samples were due, from 0.
    pub second: u64,
    /// Position of the phase in the run's list.
    pub phase_index: usize,
    /// Position of the step in the run's list.
    pub step_index: usize,
    /// Class of its samples.
    pub outcome: Outcome,
    /// What it holds.
    pub measure: Measure,
}

/// One second of the run: the samples that were due in it, as far as they are in.
#[derive(Debug, Clone, Copy)]
pub struct LiveSecond<'a> {
    pub(super) second: u64,
    pub(super) keys: &'a BTreeMap<Key, Sparse>,
}

impl<'a> LiveSecond<'a> {
    /// Which second, from 0.
    #[must_use]
    pub fn second(&self) -> u64 {
        self.second
    }

    /// Its distributions. Values are in nanoseconds, each the lowest of its histogram bucket, with how often it was seen.
    pub fn cells(&self) -> impl Iterator<Item = (Place, &'a BTreeMap<u64, u64>)> + use<'a> {
        let second = self.second;
        self.keys.iter().map(move |((phase_index, step_index, outcome, measure), values)| {
            let place = Place {
                second,
                phase_index: *phase_index,
                step_index: *step_index,
                outcome: *outcome,
                measure: *measure,
            };
            (place, values)
        })
    }
}

/// How a run stands at one moment.
#[derive(Debug)]
pub struct Round<'a> {
    /// Now, in nanoseconds since clock zero.
    pub now_ns: u64,
    /// Whether every answer is in that ever will be.
    pub is_over: bool,
    /// What became of the requests so far; `planned` is not known here.
    pub counts: Counts,
    /// Requests that are out now.
    pub in_flight: u64,
    /// Counts per second. What was due counts from when its answer is in.
    pub seconds: &'a [SecondCounts],
    /// Seconds of which answers may still come in, in order.
    pub open: Vec<LiveSecond<'a>>,
    /// Everything due before this second is either recorded or among `outstanding`; of later ones, some may not have been sent.
    pub known_before: u64,
    /// Requests that are out, by the second in which they were due.
    pub outstanding: BTreeMap<u64, u64>,
}

impl Round<'_> {
    /// Whole seconds that have passed.
    #[must_use]
    pub fn second(&self) -> u64 {
        self.now_ns / SECOND_NS
    }
}
