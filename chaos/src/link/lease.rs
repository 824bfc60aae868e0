//! Leases: a fault exists only as long as somebody renews it.
use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::registry::Registry;

/// How long the keeper sleeps when nothing is leased; it is woken when that changes.
const IDLE: Duration = Duration::from_secs(3600);

/// The right to keep a fault on; it runs out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) ttl_ms: u64,
    pub(crate) until: Instant,
}

impl Lease {
    /// A lease from now on; 0 ms is none.
    pub(crate) fn from_now(ttl_ms: u64) -> Option<Self> {
        let ttl = Duration::from_millis(ttl_ms).min(IDLE * 24 * 365);
        (ttl_ms > 0).then(|| Self { ttl_ms, until: Instant::now() + ttl })
    }

    /// The lease after a renewal that may name a new length.
    pub(crate) fn renewed(lease: Option<Self>, ttl_ms: Option<u64>) -> Option<Self> {
        ttl_ms.or(lease.map(|lease| lease.ttl_ms)).and_then(Self::from_now)
    }
}

/// Lifts every fault whose lease has run out, until it is dropped.
pub(crate) async fn keep(registry: Arc<Registry>) {
    loop {
        let changed = registry.leases_changed();
        let next = registry.lift_expired().await;
        tokio::select! {
            () = sleep_until(next.unwrap_or_else(|| Instant::now() + IDLE)) => {}
            () = changed => {}
        }
    }
}
