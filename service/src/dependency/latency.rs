//! How long an instance takes lately.

use std::time::Duration;

use tokio::time::Instant;

/// Weight of a new value beside what was known just before.
const WEIGHT: f64 = 0.3;
/// What was known fades within this time, in seconds.
const MEMORY_S: f64 = 10.0;

/// An exponentially weighted mean that fades: old news weighs less than new.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latency {
    mean_s: f64,
    at: Instant,
}

impl Latency {
    pub(super) fn first(took: Duration, at: Instant) -> Self {
        Self { mean_s: took.as_secs_f64(), at }
    }

    /// With one more value.
    pub(super) fn then(self, took: Duration, at: Instant) -> Self {
        let old_weight = (1.0 - WEIGHT) * self.freshness(at);
        Self { mean_s: old_weight * self.mean_s + (1.0 - old_weight) * took.as_secs_f64(), at }
    }

    /// As it was last, in seconds.
    pub(super) fn mean_s(self) -> f64 {
        self.mean_s
    }

    /// The less, the longer ago it was learnt, in seconds: what was slow is tried again some time.
    pub(super) fn faded_s(self, now: Instant) -> f64 {
        self.mean_s * self.freshness(now)
    }

    fn freshness(self, now: Instant) -> f64 {
        (-now.saturating_duration_since(self.at).as_secs_f64() / MEMORY_S).exp()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    // 0.7 × 100 ms + 0.3 × 200 ms.
    #[case(0, 200, 130.0)]
    // Half of what was known is gone after 6.93 s: 0.35 × 100 ms + 0.65 × 200 ms.
    #[case(6_931, 200, 165.0)]
    #[case(600_000, 200, 200.0)]
    fn new_values_weigh_the_more_the_older_the_last(#[case] after_ms: u64, #[case] took_ms: u64, #[case] mean_ms: f64) {
        let start = Instant::now();
        let known = Latency::first(Duration::from_millis(100), start);
        let mean = known.then(Duration::from_millis(took_ms), start + Duration::from_millis(after_ms));
        assert!((mean.mean_s() * 1000.0 - mean_ms).abs() < 0.01, "{mean:?}");
    }

    #[test]
    fn what_is_known_fades() {
        let start = Instant::now();
        let known = Latency::first(Duration::from_secs(1), start);
        assert_eq!(known.faded_s(start), 1.0);
        // e⁻³.
        assert!((known.faded_s(start + Duration::from_secs(30)) - 0.049_787).abs() < 1e-6);
        assert_eq!(known.mean_s(), 1.0);
    }
}
