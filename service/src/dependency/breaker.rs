//! The circuit breaker of one dependency.
//!
//! ```text
//!            N consecutive failures            open time over
//!   Closed ────────────────────────▶ Open ────────────────────▶ HalfOpen
//!      ▲                               ▲        one failure         │
//!      │                               └────────────────────────────┤
//!      └────────────────────────────────────────────────────────────┘
//!                        successes_to_close successes
//! ```
//!
//! Attempts are counted, not calls. Half-open lets through only as many probes at once as are still needed to close.
//! An attempt that ends after the state has changed is ignored; one that is dropped gives its place back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{info, warn};

use super::Failure;

/// Successful probes that close a half-open breaker.
const SUCCESSES_TO_CLOSE: u32 = 3;
/// What a caller is told to wait while all probes are out.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// The breaker; shared by all calls to one dependency.
#[derive(Debug)]
pub(crate) struct Breaker {
    name: &'static str,
    failures_to_open: u32,
    open_for: Duration,
    inner: Mutex<Inner>,
}

/// What the breaker does with the next attempt. The number is the value of its gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Attempts pass.
    Closed = 0,
    /// Few attempts pass, as probes.
    HalfOpen = 1,
    /// No attempt passes.
    Open = 2,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    /// Counts changes of phase, so that late outcomes are known as such.
    epoch: u64,
}

#[derive(Debug)]
enum Phase {
    Closed { failures: u32 },
    HalfOpen { successes: u32, probes: u32 },
    Open { until: Instant },
}

/// Leave to make one attempt; say how it went, or drop it to say nothing.
#[derive(Debug)]
pub(crate) struct Attempt {
    breaker: Arc<Breaker>,
    epoch: u64,
    is_settled: bool,
}

impl Breaker {
    /// A closed breaker that opens after `failures_to_open` consecutive failures, for `open_for`.
    pub(crate) fn new(name: &'static str, failures_to_open: u32, open_for: Duration) -> Arc<Self> {
        let inner = Inner { phase: Phase::Closed { failures: 0 }, epoch: 0 };
        Arc::new(Self { name, failures_to_open, open_for, inner: Mutex::new(inner) })
    }

    /// Asks to make an attempt.
    ///
    /// # Errors
    /// [`Failure::BreakerOpen`] while open, and while half-open with all probes out.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Attempt, Failure> {
        let mut inner = self.lock();
        self.half_open_when_due(&mut inner);
        match &mut inner.phase {
            Phase::Closed { .. } => {}
            Phase::HalfOpen { successes, probes } if *probes < SUCCESSES_TO_CLOSE - *successes => *probes += 1,
            Phase::HalfOpen { .. } => return Err(Failure::BreakerOpen { retry_after: PROBE_WAIT }),
            Phase::Open { until } => {
                let retry_after = until.saturating_duration_since(Instant::now());
                return Err(Failure::BreakerOpen { retry_after });
            }
        }
        Ok(Attempt { breaker: Arc::clone(self), epoch: inner.epoch, is_settled: false })
    }

    /// What would refuse the next attempt, without making one.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let mut inner = self.lock();
        self.half_open_when_due(&mut inner);
        match inner.phase {
            Phase::Open { until } => {
                Some(Failure::BreakerOpen { retry_after: until.saturating_duration_since(Instant::now()) })
            }
            Phase::Closed { .. } | Phase::HalfOpen { .. } => None,
        }
    }

    /// What the next attempt would meet.
    pub(crate) fn state(&self) -> State {
        let mut inner = self.lock();
        self.half_open_when_due(&mut inner);
        match inner.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        }
    }

    fn half_open_when_due(&self, inner: &mut Inner) {
        if matches!(inner.phase, Phase::Open { until } if until <= Instant::now()) {
            info!(dependency = self.name, "breaker of `{}` lets probes through", self.name);
            inner.change(Phase::HalfOpen { successes: 0, probes: 0 });
        }
    }

    fn open(&self, inner: &mut Inner) {
        warn!(dependency = self.name, open_for = ?self.open_for, "breaker of `{}` opened for {:?}", self.name, self.open_for);
        inner.change(Phase::Open { until: Instant::now() + self.open_for });
    }

    fn succeeded(&self, epoch: u64) {
        let mut inner = self.lock();
        if inner.epoch != epoch {
            return;
        }
        match &mut inner.phase {
            Phase::Closed { failures } => *failures = 0,
            Phase::HalfOpen { successes, probes } => {
                *successes += 1;
                *probes -= 1;
                if *successes == SUCCESSES_TO_CLOSE {
                    info!(dependency = self.name, "breaker of `{}` closed", self.name);
                    inner.change(Phase::Closed { failures: 0 });
                }
            }
            Phase::Open { .. } => {}
        }
    }

    fn failed(&self, epoch: u64) {
        let mut inner = self.lock();
        if inner.epoch != epoch {
            return;
        }
        match &mut inner.phase {
            Phase::Closed { failures } => {
                *failures += 1;
                if *failures >= self.failures_to_open {
                    self.open(&mut inner);
                }
            }
            Phase::HalfOpen { .. } => self.open(&mut inner),
            Phase::Open { .. } => {}
        }
    }

    fn abandoned(&self, epoch: u64) {
        let mut inner = self.lock();
        if inner.epoch != epoch {
            return;
        }
        if let Phase::HalfOpen { probes, .. } = &mut inner.phase {
            *probes -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn change(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

impl Attempt {
    /// Settles the attempt by its outcome: failures that do not count against the dependency are successes to it.
    pub(crate) fn settle<T>(mut self, outcome: &Result<T, Failure>) {
        self.is_settled = true;
        match outcome {
            Err(failure) if failure.counts_against_dependency() => self.breaker.failed(self.epoch),
            _ => self.breaker.succeeded(self.epoch),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_settled {
            self.breaker.abandoned(self.epoch);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// `s` an attempt succeeds, `f` one fails, `e` one ends in a tool error, `-` one is refused, `w` 60 s pass.
    async fn play(script: &str) -> State {
        let breaker = Breaker::new("flights", 5, Duration::from_secs(60));
        for step in script.chars() {
            let attempt = match step {
                'w' => {
                    tokio::time::advance(Duration::from_secs(60)).await;
                    continue;
                }
                _ => breaker.admit(),
            };
            match (step, attempt) {
                ('s', Ok(attempt)) => attempt.settle(&Ok(())),
                ('f', Ok(attempt)) => attempt.settle::<()>(&Err(Failure::TimedOut)),
                ('e', Ok(attempt)) => attempt.settle::<()>(&Err(Failure::refused("no"))),
                ('-', Err(Failure::BreakerOpen { .. })) => {}
                (step, attempt) => panic!("`{step}` in `{script}` met {attempt:?}"),
            }
        }
        breaker.state()
    }

    #[rstest]
    #[case("", State::Closed)]
    #[case("ffff", State::Closed)]
    #[case("fffff", State::Open)]
    #[case("fffff---", State::Open)]
    #[case("ffffsffff", State::Closed)]
    #[case("eeeeeeeeee", State::Closed)]
    #[case("ffffefff", State::Closed)]
    #[case("fffffw", State::HalfOpen)]
    #[case("fffffwss", State::HalfOpen)]
    #[case("fffffwsss", State::Closed)]
    #[case("fffffwssf-", State::Open)]
    #[case("fffffwf-wsss", State::Closed)]
    #[case("fffffwsssffff", State::Closed)]
    #[tokio::test(start_paused = true)]
    async fn it_follows_its_drawing(#[case] script: &str, #[case] end: State) {
        assert_eq!(play(script).await, end, "{script}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_tells_how_long_it_stays_open() {
        let breaker = Breaker::new("flights", 1, Duration::from_secs(60));
        breaker.admit().unwrap().settle::<()>(&Err(Failure::TimedOut));
        tokio::time::advance(Duration::from_secs(20)).await;
        let Err(Failure::BreakerOpen { retry_after }) = breaker.admit() else { panic!("still open") };
        assert_eq!(retry_after, Duration::from_secs(40));
    }

    #[tokio::test(start_paused = true)]
    async fn only_three_probes_are_out_at_once_and_a_dropped_one_frees_its_place() {
        let breaker = Breaker::new("flights", 1, Duration::from_secs(1));
        breaker.admit().unwrap().settle::<()>(&Err(Failure::TimedOut));
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut probes: Vec<_> = (0..3).map(|_| breaker.admit().unwrap()).collect();
        assert!(breaker.admit().is_err());
        drop(probes.pop());
        probes.push(breaker.admit().unwrap());
        assert!(breaker.admit().is_err());
        for probe in probes {
            probe.settle(&Ok(()));
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_from_before_the_change_is_ignored() {
        let breaker = Breaker::new("flights", 1, Duration::from_secs(1));
        let (early, late) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        early.settle::<()>(&Err(Failure::TimedOut));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(breaker.state(), State::HalfOpen);
        late.settle::<()>(&Err(Failure::TimedOut));
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}
