//! Answers of a provider, remembered: fresh for a while, then only a stand-in for a provider that fails.
//!
//! Only good answers are kept. However many ask for the same key at once, the provider is asked once.

use std::{hash::Hash, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::{Instant, timeout_at};

use crate::{
    dependency::{Caller, Failure, Payer, SingleFlight},
    domain::meta::{Degradation, Meta, Source},
    metrics::{Look, Looks, Metrics},
};

/// Entries kept, least used first out: about 15 MB of offers.
const ENTRIES_MAX: u64 = 2_000;

/// A cache in front of one tool.
pub(crate) struct Cache<K, V> {
    ttl: Duration,
    stale_for: Duration,
    /// By who pays, too: what one account was answered is not for another.
    entries: moka::future::Cache<(Payer, K), Entry<V>>,
    fetches: SingleFlight<(Payer, K), Entry<V>>,
    is_worth_keeping: fn(&V) -> bool,
    looks: Looks,
}

/// How long entries last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// How long they answer on their own.
    pub(crate) ttl: Duration,
    /// How long after that they may stand in.
    pub(crate) stale_for: Duration,
}

/// An answer, and where it is from.
#[derive(Debug)]
pub(crate) struct Found<V> {
    pub(crate) value: Arc<V>,
    pub(crate) source: Source,
    pub(crate) age: Duration,
    /// Why it is stale.
    pub(crate) failure: Option<Failure>,
}

struct Entry<V> {
    value: Arc<V>,
    stored: Instant,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), stored: self.stored }
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new(name: &'static str, life: Life, metrics: &Metrics) -> Self {
        let Life { ttl, stale_for } = life;
        let entries = moka::future::Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(ttl + stale_for).build();
        Self {
            ttl,
            stale_for,
            entries,
            fetches: SingleFlight::new(),
            is_worth_keeping: |_| true,
            looks: metrics.looks(name),
        }
    }

    /// Gives the other answers too, but only to those who wait for them.
    pub(crate) fn keeping_only(self, is_worth_keeping: fn(&V) -> bool) -> Self {
        Self { is_worth_keeping, ..self }
    }

    /// The fresh entry of `key` for the caller's account; else what `fetch` gives by the caller's deadline; else the stale
    /// entry.
    ///
    /// # Errors
    /// The failure of `fetch`, when there is no stale entry either.
    pub(crate) async fn get(
        &self,
        key: K,
        caller: &Caller,
        fetch: impl Fn() -> BoxFuture<'static, Result<V, Failure>>,
    ) -> Result<Found<V>, Failure> {
        let key = &(caller.account.payer(), key);
        let known = self.entries.get(key).await;
        if let Some(entry) = known.as_ref().filter(|entry| entry.stored.elapsed() < self.ttl) {
            self.looks.count(Look::Hit);
            return Ok(entry.found(Source::Cache, None));
        }
        let failure = match self.fetch(key, caller.deadline, fetch).await {
            Ok(entry) => {
                self.looks.count(Look::Miss);
                return Ok(entry.found(Source::Live, None));
            }
            Err(failure) => failure,
        };
        if failure.is_about_the_users_key() {
            self.looks.count(Look::Miss);
            return Err(failure);
        }
        // Another caller may have stored one meanwhile.
        let known = self.entries.get(key).await.or(known);
        match known.filter(|entry| entry.stored.elapsed() < self.ttl + self.stale_for) {
            Some(entry) => {
                self.looks.count(Look::Stale);
                Ok(entry.found(Source::Stale, Some(failure)))
            }
            None => {
                self.looks.count(Look::Miss);
                Err(failure)
            }
        }
    }

    async fn fetch(
        &self,
        key: &(Payer, K),
        deadline: Instant,
        fetch: impl Fn() -> BoxFuture<'static, Result<V, Failure>>,
    ) -> Result<Entry<V>, Failure> {
        let mut is_own = false;
        let outcome = self.join(key, deadline, &fetch, &mut is_own).await;
        if is_own || !matches!(outcome, Err(Failure::TimedOut)) || Instant::now() >= deadline {
            return outcome;
        }
        // It ran out of the time of whoever began it, who had less than there is here.
        self.join(key, deadline, &fetch, &mut is_own).await
    }

    /// Joins the fetch in progress, or begins one that `is_own`.
    async fn join(
        &self,
        key: &(Payer, K),
        deadline: Instant,
        fetch: &impl Fn() -> BoxFuture<'static, Result<V, Failure>>,
        is_own: &mut bool,
    ) -> Result<Entry<V>, Failure> {
        let entries = self.entries.clone();
        let stored_key = key.clone();
        let is_worth_keeping = self.is_worth_keeping;
        let storing = || {
            *is_own = true;
            let fetch = fetch();
            async move {
                let entry = Entry { value: Arc::new(fetch.await?), stored: Instant::now() };
                if is_worth_keeping(&entry.value) {
                    entries.insert(stored_key, entry.clone()).await;
                }
                Ok(entry)
            }
            .boxed()
        };
        timeout_at(deadline, self.fetches.run(key, storing)).await.unwrap_or(Err(Failure::TimedOut))
    }
}

impl<V> Entry<V> {
    fn found(&self, source: Source, failure: Option<Failure>) -> Found<V> {
        let age = if source == Source::Live { Duration::ZERO } else { self.stored.elapsed() };
        Found { value: Arc::clone(&self.value), source, age, failure }
    }
}

impl<V> Found<V> {
    /// Says in `meta` where it is from, and when it is stale why, and that this is `stale`.
    pub(crate) fn describe_as(&self, provider: &'static str, stale: Degradation, meta: &mut Meta) {
        meta.source = Some(self.source);
        if self.source != Source::Live {
            meta.cache_age_s = Some(self.age.as_secs());
        }
        if self.source != Source::Cache {
            meta.queried(provider);
        }
        if let Some(failure) = &self.failure {
            meta.provider_errors.insert(provider, failure.label());
            meta.degrade(stale);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rstest::rstest;

    use super::*;

    const LIFE: Life = Life { ttl: Duration::from_secs(300), stale_for: Duration::from_secs(3600) };

    fn good(fetches: &Arc<AtomicU32>) -> BoxFuture<'static, Result<u32, Failure>> {
        let fetches = Arc::clone(fetches);
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(fetches.fetch_add(1, Ordering::Relaxed) + 1)
        }
        .boxed()
    }

    fn bad() -> BoxFuture<'static, Result<u32, Failure>> {
        async { Err(Failure::Status { status: 503 }) }.boxed()
    }

    fn soon() -> Caller {
        Caller::platform(Instant::now() + Duration::from_secs(5))
    }

    #[rstest]
    #[case("fresh", 299, Some((Source::Cache, 299)))]
    #[case("past its time, the provider fails", 300, Some((Source::Stale, 300)))]
    #[case("the last stale second", 3_899, Some((Source::Stale, 3_899)))]
    #[case("too old", 3_900, None)]
    #[tokio::test(start_paused = true)]
    async fn age_decides(#[case] why: &str, #[case] age_s: u64, #[case] expected: Option<(Source, u64)>) {
        let cache = Cache::new("flights", LIFE, &Metrics::new());
        let fetches = Arc::new(AtomicU32::new(0));
        assert_eq!(cache.get(1, &soon(), || good(&fetches)).await.unwrap().source, Source::Live);
        tokio::time::advance(Duration::from_secs(age_s)).await;
        let found = cache.get(1, &soon(), bad).await.ok();
        assert_eq!(found.map(|found| (found.source, found.age.as_secs())), expected, "{why}");
    }

    #[rstest]
    #[case("whoever began had less time", 1_000, 5_000, Ok(2), 2)]
    #[case("nobody has the time", 1_000, 1_500, Err(()), 2)]
    #[case("all had the same time", 1_000, 1_000, Err(()), 1)]
    #[tokio::test(start_paused = true)]
    async fn who_joins_does_not_fail_for_the_deadline_of_who_began(
        #[case] why: &str,
        #[case] first_ms: u64,
        #[case] second_ms: u64,
        #[case] expected: Result<u32, ()>,
        #[case] expected_fetches: u32,
    ) {
        let cache = Cache::new("flights", LIFE, &Metrics::new());
        let fetches = Arc::new(AtomicU32::new(0));
        let within = |ms| Caller::platform(Instant::now() + Duration::from_millis(ms));
        let (first, second) = (within(first_ms), within(second_ms));
        // A provider that needs 2 s, and is given the time of the caller.
        let asking = |caller: &Caller| {
            let (fetches, deadline) = (Arc::clone(&fetches), caller.deadline);
            move || {
                let number = fetches.fetch_add(1, Ordering::Relaxed) + 1;
                let answer = async move {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    Ok(number)
                };
                async move { timeout_at(deadline, answer).await.unwrap_or(Err(Failure::TimedOut)) }.boxed()
            }
        };
        let (began, joined) =
            tokio::join!(cache.get(1, &first, asking(&first)), cache.get(1, &second, asking(&second)));
        assert!(matches!(began, Err(Failure::TimedOut)), "{why}");
        assert_eq!(joined.map(|found| *found.value).map_err(|_| ()), expected, "{why}");
        assert_eq!(fetches.load(Ordering::Relaxed), expected_fetches, "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stampede_asks_the_provider_once() {
        let cache = Cache::new("flights", LIFE, &Metrics::new());
        let fetches = Arc::new(AtomicU32::new(0));
        let caller = soon();
        let looks = (0..200).map(|_| cache.get(1, &caller, || good(&fetches)));
        let found = futures_util::future::join_all(looks).await;
        assert!(found.into_iter().all(|found| found.unwrap().source == Source::Live));
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_kept() {
        let cache = Cache::new("flights", LIFE, &Metrics::new());
        let fetches = Arc::new(AtomicU32::new(0));
        assert!(cache.get(1, &soon(), bad).await.is_err());
        assert_eq!(*cache.get(1, &soon(), || good(&fetches)).await.unwrap().value, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_worth_keeping_is_given_but_not_kept() {
        let cache = Cache::new("stays", LIFE, &Metrics::new()).keeping_only(|number| number % 2 == 0);
        let fetches = Arc::new(AtomicU32::new(0));
        for (value, source) in [(1, Source::Live), (2, Source::Live), (2, Source::Cache)] {
            let found = cache.get(1, &soon(), || good(&fetches)).await.unwrap();
            assert_eq!((*found.value, found.source), (value, source));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_past_the_deadline_is_a_timeout_or_a_stale_answer() {
        let cache = Cache::new("flights", LIFE, &Metrics::new());
        let hang = || std::future::pending().boxed();
        assert!(matches!(cache.get(1, &soon(), hang).await, Err(Failure::TimedOut)));
        let fetches = Arc::new(AtomicU32::new(0));
        cache.get(1, &soon(), || good(&fetches)).await.unwrap();
        tokio::time::advance(Duration::from_secs(301)).await;
        let found = cache.get(1, &soon(), hang).await.unwrap();
        assert_eq!(found.source, Source::Stale);
        assert!(matches!(found.failure, Some(Failure::TimedOut)));
    }
}
