//! The counters of one cache.

use prometheus_client::metrics::counter::Counter;

/// What a look into a cache found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// A fresh entry.
    Hit,
    /// Nothing of use.
    Miss,
    /// An old entry, that stood in.
    Stale,
    /// It cannot be known what is right.
    Unknown,
}

/// Counts the looks into one cache, without looking the counters up.
pub(crate) struct Looks {
    hits: Counter,
    misses: Counter,
    stale: Counter,
    unknown: Counter,
}

impl Looks {
    /// With the counter of each outcome.
    pub(super) fn new(counter: impl Fn(&'static str) -> Counter) -> Self {
        Self { hits: counter("hit"), misses: counter("miss"), stale: counter("stale"), unknown: counter("unknown") }
    }

    /// Counts one.
    pub(crate) fn count(&self, look: Look) {
        let counter = match look {
            Look::Hit => &self.hits,
            Look::Miss => &self.misses,
            Look::Stale => &self.stale,
            Look::Unknown => &self.unknown,
        };
        counter.inc();
    }
}
