//! The path of a call to one dependency.
//!
//! ```text
//!   enter bulkhead ─▶ breaker ─▶ instance ─▶ attempt within its timeout ─▶ outcome counted
//!                        ▲                                                    │ transient, a read, budget and time left
//!                        ├─── another instance is usable: at once ◀───────────┤ (once)
//!                        └─── else: wait 100-400 ms ◀─────────────────────────┘
//! ```
//!
//! The breaker is that of the dependency as a whole: a failed attempt counts only when no other instance is usable.

use std::{future::Future, sync::Arc, time::Duration};

use reqwest::Client;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout, timeout_at},
};
use tower::retry::budget::{Budget as _, TpsBudget};

use super::{Attempt, Balancer, Breaker, Connections, Failure, Meaning, State, Turn};

/// Longest wait for a place in the bulkhead: longer queues only move the failure to the deadline.
const BULKHEAD_WAIT: Duration = Duration::from_millis(100);
/// Bounds of the jittered wait before the second attempt, in milliseconds.
const BACKOFF_MS: std::ops::RangeInclusive<u64> = 100..=400;
/// Retries may add a fifth to the calls of the last 10 s, and always 2 per second.
const RETRY_WINDOW: Duration = Duration::from_secs(10);
const RETRY_RATIO: f32 = 0.2;
const RETRIES_PER_SECOND_MIN: u32 = 2;

/// What a dependency is allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Calls in progress at once.
    pub(crate) concurrent: usize,
    /// Longest wait for one attempt.
    pub(crate) attempt_timeout: Duration,
    /// Consecutive failed attempts that open the breaker.
    pub(crate) failures_to_open: u32,
    /// How long it stays open.
    pub(crate) open_for: Duration,
}

/// Whether a call may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A read: one retry.
    Once,
    /// A write: never blindly again.
    Never,
}

/// The way to one instance of a dependency.
pub(crate) struct Via {
    /// Its number, from 0.
    pub(crate) instance: usize,
    pub(crate) http: Client,
}

/// One other system, as seen from here.
pub(crate) struct Dependency {
    attempt_timeout: Duration,
    breaker: Arc<Breaker>,
    bulkhead: Arc<Semaphore>,
    retry_budget: TpsBudget,
    balancer: Arc<Balancer>,
    first: Connections,
    others: Vec<Connections>,
}

impl Dependency {
    /// A dependency of one instance.
    pub(crate) fn new(name: &'static str, limits: Limits, connections: Connections) -> Self {
        Self::with_instances(name, limits, connections, Vec::new())
    }

    /// A dependency of several instances that are all the same.
    pub(crate) fn with_instances(
        name: &'static str,
        limits: Limits,
        first: Connections,
        others: Vec<Connections>,
    ) -> Self {
        Self {
            attempt_timeout: limits.attempt_timeout,
            breaker: Breaker::new(name, limits.failures_to_open, limits.open_for),
            bulkhead: Arc::new(Semaphore::new(limits.concurrent)),
            retry_budget: TpsBudget::new(RETRY_WINDOW, RETRIES_PER_SECOND_MIN, RETRY_RATIO),
            balancer: Balancer::new(name, 1 + others.len(), limits),
            first,
            others,
        }
    }

    /// What would refuse a call now, without making one.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        self.breaker.refusal()
    }

    /// What its breaker would do with the next attempt.
    pub(crate) fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// Takes a place in the bulkhead, for a caller that settles its own attempts.
    ///
    /// # Errors
    /// [`Failure::Saturated`] when none gets free within 100 ms.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(place) = Arc::clone(&self.bulkhead).try_acquire_owned() {
            return Ok(place);
        }
        match timeout(BULKHEAD_WAIT, Arc::clone(&self.bulkhead).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Failure::Saturated),
        }
    }

    /// Leave for one attempt, for a caller that settles it.
    ///
    /// # Errors
    /// [`Failure::BreakerOpen`].
    pub(crate) fn admit(&self) -> Result<Attempt, Failure> {
        self.breaker.admit()
    }

    /// The connections to its first instance, for a caller that settles its own attempts.
    pub(crate) fn connections(&self) -> &Connections {
        &self.first
    }

    /// Whether each instance is ejected.
    pub(crate) fn ejected(&self) -> Vec<bool> {
        self.balancer.ejected()
    }

    /// Leave to probe an ejected instance whose time is up; give it to [`Self::probe`].
    pub(crate) fn due_probe(&self) -> Option<Turn> {
        self.balancer.due_probe()
    }

    /// Makes the attempt of a probe; a good one brings the instance back.
    pub(crate) async fn probe<T, F>(
        &self,
        turn: Turn,
        ended: impl Fn(Option<&Failure>, Duration),
        attempt: impl Fn(Via) -> F,
    ) where
        F: Future<Output = Result<T, Failure>>,
    {
        let started = Instant::now();
        let outcome = self.reach(turn.instance, started + self.attempt_timeout, &attempt).await;
        ended(outcome.as_ref().err(), started.elapsed());
        if turn.settle_probe(outcome.as_ref().err()) {
            self.breaker.probe_now();
        }
    }

    /// Makes a call: `attempt` once, or twice for a read with a transient failure, never past `deadline`.
    /// `ended` hears how each attempt ended and how long it took.
    ///
    /// # Errors
    /// The failure of the last attempt, or why none was made.
    pub(crate) async fn call<T, F>(
        &self,
        repeat: Repeat,
        deadline: Instant,
        ended: impl Fn(Option<&Failure>, Duration),
        attempt: impl Fn(Via) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let _place = self.enter().await?;
        self.retry_budget.deposit();
        let (failure, tried) = match self.attempt(None, deadline, &ended, &attempt).await {
            Err((failure, tried)) if repeat == Repeat::Once && failure.is_transient() => (failure, tried),
            outcome => return outcome.map_err(|(failure, _)| failure),
        };
        let is_elsewhere = tried.is_some_and(|tried| self.balancer.has_other(tried));
        let wait_ms = if is_elsewhere { 0 } else { rand::random_range(BACKOFF_MS) };
        let wait = Duration::from_millis(wait_ms);
        if Instant::now() + wait >= deadline || !self.retry_budget.withdraw() {
            return Err(failure);
        }
        sleep(wait).await;
        match self.attempt(tried, deadline, &ended, &attempt).await {
            // The first failure says more than "its breaker opened meanwhile".
            Err((Failure::BreakerOpen { .. }, _)) => Err(failure),
            outcome => outcome.map_err(|(failure, _)| failure),
        }
    }

    /// One attempt, not at the instance `avoided` if there is a choice. A failure comes with the instance that was tried.
    async fn attempt<T, F>(
        &self,
        avoided: Option<usize>,
        deadline: Instant,
        ended: &impl Fn(Option<&Failure>, Duration),
        call: &impl Fn(Via) -> F,
    ) -> Result<T, (Failure, Option<usize>)>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let attempt = self.admit().map_err(|failure| (failure, None))?;
        let turn = self.balancer.pick(avoided);
        let tried = turn.instance;
        let started = Instant::now();
        let reaching = self.reach(tried, started + self.attempt_timeout, call);
        let Ok(outcome) = timeout_at(deadline, reaching).await else {
            // The caller had less time than an attempt is given: that says nothing about the dependency.
            ended(Some(&Failure::TimedOut), started.elapsed());
            return Err((Failure::TimedOut, Some(tried)));
        };
        match turn.settle(outcome.as_ref().err()) {
            Meaning::Whole => attempt.settle(&outcome),
            Meaning::InstanceOnly => drop(attempt),
        }
        ended(outcome.as_ref().err(), started.elapsed());
        outcome.map_err(|failure| (failure, Some(tried)))
    }

    /// Calls one instance, and drops its connections when they turn out dead.
    async fn reach<T, F>(&self, instance: usize, until: Instant, call: &impl Fn(Via) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let connections = instance.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first);
        let (generation, http) = connections.client();
        let outcome = timeout_at(until, call(Via { instance, http })).await.unwrap_or(Err(Failure::TimedOut));
        if outcome.as_ref().is_err_and(Failure::taints_connections) {
            connections.retire(generation);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rstest::rstest;

    use super::*;

    const LIMITS: Limits = Limits {
        concurrent: 1,
        attempt_timeout: Duration::from_secs(2),
        failures_to_open: 5,
        open_for: Duration::from_secs(60),
    };

    fn dependency(limits: Limits) -> Dependency {
        Dependency::new("flights", limits, Connections::to(&"http://127.0.0.1:9".parse().unwrap()).unwrap())
    }

    fn ignore(_: Option<&Failure>, _: Duration) {}

    fn in_5_s() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    fn status(status: u16) -> Failure {
        Failure::Status { status }
    }

    #[rstest]
    #[case("a read is tried twice", Repeat::Once, status(503), 2)]
    #[case("a write is tried once", Repeat::Never, status(503), 1)]
    #[case("a tool error is final", Repeat::Once, Failure::refused("no"), 1)]
    #[case("a rate limit is final", Repeat::Once, Failure::RateLimited { retry_after: None }, 1)]
    #[case("a bad request is final", Repeat::Once, status(400), 1)]
    #[tokio::test(start_paused = true)]
    async fn attempts_are_counted(
        #[case] why: &str,
        #[case] repeat: Repeat,
        #[case] failure: Failure,
        #[case] expected: u32,
    ) {
        let attempts = AtomicU32::new(0);
        let dependency = dependency(LIMITS);
        let outcome: Result<(), _> = dependency
            .call(repeat, in_5_s(), ignore, |_| {
                attempts.fetch_add(1, Ordering::Relaxed);
                let failure = failure.clone();
                async move { Err(failure) }
            })
            .await;
        assert!(outcome.is_err());
        assert_eq!(attempts.into_inner(), expected, "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn two_hanging_attempts_end_within_the_deadline() {
        let started = Instant::now();
        let dependency = dependency(LIMITS);
        let outcome: Result<(), _> = dependency.call(Repeat::Once, in_5_s(), ignore, |_| std::future::pending()).await;
        assert!(matches!(outcome, Err(Failure::TimedOut)));
        // 2 s + 100..400 ms + 2 s.
        let took = started.elapsed();
        assert!((Duration::from_millis(4100)..=Duration::from_millis(4401)).contains(&took), "{took:?}");
    }

    #[rstest]
    #[case("the caller has less time than an attempt", 1_999, State::Closed, true)]
    #[case("the attempt had all its time", 2_000, State::Open, false)]
    #[tokio::test(start_paused = true)]
    async fn a_short_deadline_is_not_charged_to_the_dependency(
        #[case] why: &str,
        #[case] deadline_ms: u64,
        #[case] expected: State,
        #[case] keeps_connections: bool,
    ) {
        let dependency = dependency(Limits { failures_to_open: 1, ..LIMITS });
        let (generation, _) = dependency.connections().client();
        let timeouts = AtomicU32::new(0);
        let ended = |failure: Option<&Failure>, _| {
            assert!(matches!(failure, Some(Failure::TimedOut)));
            timeouts.fetch_add(1, Ordering::Relaxed);
        };
        let deadline = Instant::now() + Duration::from_millis(deadline_ms);
        let outcome: Result<(), _> = dependency.call(Repeat::Once, deadline, ended, |_| std::future::pending()).await;
        assert!(matches!(outcome, Err(Failure::TimedOut)), "{why}");
        assert_eq!(timeouts.into_inner(), 1, "{why}");
        assert_eq!(dependency.breaker_state(), expected, "{why}");
        assert_eq!(dependency.connections().client().0 == generation, keeps_connections, "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bulkhead_refuses_after_a_short_wait() {
        let dependency = dependency(LIMITS);
        let _held = dependency.enter().await.unwrap();
        let started = Instant::now();
        assert!(matches!(dependency.enter().await, Err(Failure::Saturated)));
        assert!(started.elapsed() <= BULKHEAD_WAIT + Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn retries_of_a_dead_dependency_stay_within_their_budget() {
        let limits = Limits { failures_to_open: u32::MAX, concurrent: 500, ..LIMITS };
        let (dependency, attempts) = (dependency(limits), AtomicU32::new(0));
        let calls = (0..500).map(|_| {
            dependency.call(Repeat::Once, in_5_s(), ignore, |_| {
                attempts.fetch_add(1, Ordering::Relaxed);
                async { Err::<(), _>(status(503)) }
            })
        });
        assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_err));
        // 500 calls at once, a fifth of them again, and the reserve of 2 per second over 10 s.
        let attempts = attempts.into_inner();
        assert!((550..=620).contains(&attempts), "{attempts} attempts for 500 calls");
    }
}
