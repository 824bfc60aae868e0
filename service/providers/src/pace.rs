//! The pace of one provider: takes the next service time from its distribution and lets it pass.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{service_time::ServiceTime, source::Source};

/// Makes each call of one provider take its service time.
///
/// Sleeps end on whole milliseconds (tokio's timer), rounded up.
#[derive(Debug)]
pub(crate) struct Pace {
    service_time: ServiceTime,
    source: Source,
    call_count: AtomicU64,
    hurry: CancellationToken,
}

impl Pace {
    /// Call number `k` takes a time that is a pure function of (`seed`, `name`, `k`); `hurry` ends all waiting.
    pub(crate) fn new(service_time: ServiceTime, seed: u64, name: &str, hurry: CancellationToken) -> Self {
        Self {
            service_time,
            source: Source::new(seed, &format!("service time of {name}")),
            call_count: AtomicU64::new(0),
            hurry,
        }
    }

    /// The number of this call, from 0.
    pub(crate) fn next_call(&self) -> u64 {
        self.call_count.fetch_add(1, Ordering::Relaxed)
    }

    /// The service time of call number `k`.
    pub(crate) fn draw(&self, k: u64) -> Duration {
        self.service_time.draw(&mut self.source.nth(k))
    }

    /// Does `work` halfway through the service time of the next call.
    ///
    /// Not at its end, nor at its start: a client that gives up cannot know whether it was done.
    pub(crate) async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let service_time = self.draw(self.next_call());
        self.wait_until(started + service_time / 2).await;
        let done = work.await;
        self.wait_until(started + service_time).await;
        done
    }

    /// Waits until `due`; returns at once, without the timer, when that is now or past.
    pub(crate) async fn wait_until(&self, due: Instant) {
        if due <= Instant::now() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = self.hurry.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(text: &str, hurry: CancellationToken) -> Pace {
        Pace::new(text.parse().unwrap(), 7, "flights", hurry)
    }

    #[tokio::test(start_paused = true)]
    async fn calls_take_the_drawn_times_in_order() {
        let pace = pace("lognormal:120ms:0.3", CancellationToken::new());
        for k in 0..20 {
            let started = Instant::now();
            pace.around(async {}).await;
            let late = started.elapsed() - pace.draw(k);
            assert!(late <= Duration::from_millis(1), "call {k} was {late:?} late");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_constant_zero_adds_nothing() {
        let pace = pace("constant:0ms", CancellationToken::new());
        let started = Instant::now();
        for _ in 0..1000 {
            pace.around(async {}).await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn hurry_ends_the_waiting() {
        let hurry = CancellationToken::new();
        hurry.cancel();
        let started = Instant::now();
        pace("constant:1h", hurry).around(async {}).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_done_halfway() {
        let pace = pace("constant:100ms", CancellationToken::new());
        let started = Instant::now();
        let done = pace.around(async { started.elapsed() }).await;
        assert_eq!((done.as_millis(), started.elapsed().as_millis()), (50, 100));
    }
}
