//! Live counters of links and toxics, so that "the fault bit" can be shown and not assumed.
use reports::units;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::wire::ToxicEffects;

/// What a toxic has done on all its connections.
#[derive(Debug, Default)]
pub(crate) struct ToxicCounters {
    connections: AtomicU64,
    chunks: AtomicU64,
    bytes: AtomicU64,
    dropped_bytes: AtomicU64,
    delayed_ns: AtomicU64,
}

impl ToxicCounters {
    pub(crate) fn count_connection(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_late(&self, bytes: usize, by: Duration) {
        self.chunks.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.delayed_ns.fetch_add(units::nanos(by), Relaxed);
    }

    pub(crate) fn count_changed(&self, bytes: usize) {
        self.count_late(bytes, Duration::ZERO);
    }

    pub(crate) fn count_dropped(&self, bytes: usize) {
        self.chunks.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.dropped_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn effects(&self, name: &str, kind: &str, removed: bool) -> ToxicEffects {
        ToxicEffects {
            name: name.to_owned(),
            kind: kind.to_owned(),
            removed,
            connections: self.connections.load(Relaxed),
            chunks: self.chunks.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            dropped_bytes: self.dropped_bytes.load(Relaxed),
            delayed_us: self.delayed_ns.load(Relaxed) / 1_000,
        }
    }

    pub(crate) fn reset(&self) {
        for counter in [&self.connections, &self.chunks, &self.bytes, &self.dropped_bytes, &self.delayed_ns] {
            counter.store(0, Relaxed);
        }
    }
}

/// The toxics that have done something to one connection: one that acts on both of its directions is counted once.
#[derive(Debug, Default)]
pub(crate) struct Hits(Mutex<Vec<u64>>);

impl Hits {
    /// Whether the toxic with this id has done nothing to the connection before.
    pub(crate) fn is_first(&self, toxic: u64) -> bool {
        let mut hit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = !hit.contains(&toxic);
        if is_first {
            hit.push(toxic);
        }
        is_first
    }
}

/// What a link has done, apart from its toxics.
#[derive(Debug, Default)]
pub(crate) struct ProxyCounters {
    pub(crate) connections: AtomicU64,
    pub(crate) upstream_failed: AtomicU64,
    pub(crate) cut: AtomicU64,
}

impl ProxyCounters {
    pub(crate) fn reset(&self) {
        for counter in [&self.connections, &self.upstream_failed, &self.cut] {
            counter.store(0, Relaxed);
        }
    }
}
