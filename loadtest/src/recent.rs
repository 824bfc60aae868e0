//! Response times of the last seconds, for the progress figures.
use crate::progress::Progress;
use hdrhistogram::Histogram;
use reports::record::{Sample, histogram};
use std::{sync::atomic::Ordering, time::Duration};

/// Seconds over which the progress figures look back.
const LOOK_BACK_S: usize = 5;

/// One second.
#[derive(Clone)]
struct Second {
    good: Histogram<u64>,
    /// Requests that got no good answer: infinitely slow, as in a gate.
    failed: u64,
}

impl Second {
    fn new() -> Self {
        Self { good: histogram(), failed: 0 }
    }

    fn reset(&mut self) {
        self.good.reset();
        self.failed = 0;
    }

    /// The nearest-rank quantile: 0 when there was nothing, [`u64::MAX`] when it lies among those that failed.
    fn quantile_ns(&self, quantile: f64) -> u64 {
        let total = self.good.len() + self.failed;
        let rank = ((quantile * total as f64).ceil() as u64).clamp(1, total.max(1));
        match rank {
            _ if total == 0 => 0,
            rank if rank > self.good.len() => u64::MAX,
            rank => self.good.value_at_quantile(rank as f64 / self.good.len() as f64),
        }
    }
}

/// Response times of the last seconds, for the progress figures only.
pub(crate) struct Recent {
    seconds: [Second; LOOK_BACK_S],
    current: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self { seconds: std::array::from_fn(|_| Second::new()), current: 0 }
    }
}

impl Recent {
    pub(crate) fn observe(&mut self, sample: &Sample) {
        let position = usize::try_from(self.current).unwrap_or(0) % LOOK_BACK_S;
        let second = &mut self.seconds[position];
        if sample.outcome.is_good() {
            second.good.saturating_record(sample.done_ns.saturating_sub(sample.due_ns).max(1));
        } else if sample.outcome.is_error() {
            second.failed += 1;
        }
    }

    /// Publishes once a second.
    pub(crate) fn publish(&mut self, elapsed: Duration, progress: &Progress) {
        let now = elapsed.as_secs();
        if now == self.current {
            return;
        }
        let mut all = Second::new();
        for second in &self.seconds {
            all.good.add(&second.good).expect("all histograms have the same bounds");
            all.failed += second.failed;
        }
        progress.p50_ns.store(all.quantile_ns(0.5), Ordering::Relaxed);
        progress.p99_ns.store(all.quantile_ns(0.99), Ordering::Relaxed);
        for gone in (self.current + 1..=now).take(LOOK_BACK_S) {
            self.seconds[usize::try_from(gone).unwrap_or(0) % LOOK_BACK_S].reset();
        }
        self.current = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::{Connecting, Outcome};

    fn figures(full: u64, refused: u64) -> (u64, u64) {
        let (mut recent, progress) = (Recent::default(), Progress::default());
        let sample = |outcome, took_ns| Sample {
            step_index: 0,
            outcome,
            is_arrival: true,
            due_ns: 0,
            released_ns: 0,
            sent_ns: 0,
            first_byte_ns: None,
            done_ns: took_ns,
            stream: None,
            connecting: Connecting::default(),
        };
        (0..full).for_each(|_| recent.observe(&sample(Outcome::Full, 8_000_000)));
        (0..refused).for_each(|_| recent.observe(&sample(Outcome::Transport, 40_000)));
        recent.observe(&sample(Outcome::Limited, 1));
        recent.publish(Duration::from_secs(1), &progress);
        let figures = progress.figures();
        (figures.p50_ns / 1_000_000, figures.p99_ns)
    }

    #[test]
    fn a_request_that_failed_is_infinitely_slow_however_soon_it_failed() {
        assert_eq!(figures(0, 0), (0, 0));
        assert_eq!(figures(0, 10), (u64::MAX / 1_000_000, u64::MAX), "a total outage");
        assert_eq!(figures(95, 5), (8, u64::MAX));
        let (p50, p99) = figures(100, 1);
        assert!(p50 == 8 && p99 < 9_000_000, "{p50} ms, {p99} ns");
    }
}
