//! Response times of the last seconds, for the progress figures.
use crate::progress::Progress;
use reports::record::{Sample, histogram};
use std::{sync::atomic::Ordering, time::Duration};

/// Seconds over which the progress figures look back.
const LOOK_BACK_S: usize = 5;

/// Response times of the last seconds, for the progress figures only.
pub(crate) struct Recent {
    seconds: [hdrhistogram::Histogram<u64>; LOOK_BACK_S],
    current: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self { seconds: std::array::from_fn(|_| histogram()), current: 0 }
    }
}

impl Recent {
    pub(crate) fn observe(&mut self, sample: &Sample) {
        let position = usize::try_from(self.current).unwrap_or(0) % LOOK_BACK_S;
        self.seconds[position].saturating_record(sample.done_ns.saturating_sub(sample.due_ns).max(1));
    }

    /// Publishes once a second.
    pub(crate) fn publish(&mut self, elapsed: Duration, progress: &Progress) {
        let now = elapsed.as_secs();
        if now == self.current {
            return;
        }
        let mut all = histogram();
        for second in &self.seconds {
            all.add(second).expect("all histograms have the same bounds");
        }
        progress.p50_ns.store(all.value_at_quantile(0.5), Ordering::Relaxed);
        progress.p99_ns.store(all.value_at_quantile(0.99), Ordering::Relaxed);
        for gone in (self.current + 1..=now).take(LOOK_BACK_S) {
            self.seconds[usize::try_from(gone).unwrap_or(0) % LOOK_BACK_S].reset();
        }
        self.current = now;
    }
}
