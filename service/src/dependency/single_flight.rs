//! One call for many askers: while a value is being fetched, everyone who asks for the same key waits for that fetch.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};

use super::Failure;

type Fetch<V> = BoxFuture<'static, Result<V, Failure>>;

/// Fetches in progress, by key. A fetch lives as long as someone waits for it: the last one to leave cancels it.
pub(crate) struct SingleFlight<K, V: Clone> {
    fetches: Arc<Mutex<HashMap<K, WeakShared<Fetch<V>>>>>,
}

impl<K, V> SingleFlight<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self { fetches: Arc::default() }
    }

    /// Joins the fetch of `key` in progress, or starts the one that `fetch` makes.
    pub(crate) async fn run(&self, key: &K, fetch: impl FnOnce() -> Fetch<V>) -> Result<V, Failure> {
        let shared = {
            let mut fetches = lock(&self.fetches);
            match fetches.get(key).and_then(WeakShared::upgrade) {
                Some(shared) => shared,
                None => {
                    let shared = fetch().shared();
                    if let Some(weak) = shared.downgrade() {
                        fetches.insert(key.clone(), weak);
                    }
                    shared
                }
            }
        };
        let leave = Leave { fetches: &self.fetches, key };
        let outcome = shared.await;
        drop(leave);
        outcome
    }
}

/// Removes the entry of a fetch that nobody waits for any more, also when the waiter is cancelled.
struct Leave<'a, K: Hash + Eq, V: Clone> {
    fetches: &'a Mutex<HashMap<K, WeakShared<Fetch<V>>>>,
    key: &'a K,
}

impl<K: Hash + Eq, V: Clone> Drop for Leave<'_, K, V> {
    fn drop(&mut self) {
        let mut fetches = lock(self.fetches);
        let is_over = fetches.get(self.key).is_some_and(|weak| weak.upgrade().is_none_or(|s| is_over(&s)));
        if is_over {
            fetches.remove(self.key);
        }
    }
}

fn is_over<V: Clone>(shared: &Shared<Fetch<V>>) -> bool {
    shared.peek().is_some()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use super::*;

    fn slow(fetches: &Arc<AtomicU32>) -> Fetch<u32> {
        let fetches = Arc::clone(fetches);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(fetches.fetch_add(1, Ordering::Relaxed) + 1)
        }
        .boxed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_askers_make_one_fetch_and_the_next_asks_anew() {
        let (flight, fetches) = (SingleFlight::<u8, u32>::new(), Arc::new(AtomicU32::new(0)));
        let answers = futures_util::future::join_all((0..100).map(|_| flight.run(&7, || slow(&fetches)))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == 1));
        assert_eq!(flight.run(&7, || slow(&fetches)).await.unwrap(), 2);
        assert!(lock(&flight.fetches).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_goes_on_when_the_first_asker_leaves() {
        let (flight, fetches) = (SingleFlight::<u8, u32>::new(), Arc::new(AtomicU32::new(0)));
        let leaves = tokio::time::timeout(Duration::from_millis(500), flight.run(&7, || slow(&fetches)));
        let (left, answer) = tokio::join!(leaves, flight.run(&7, || slow(&fetches)));
        assert!(left.is_err());
        assert_eq!(answer.unwrap(), 1);
        assert!(lock(&flight.fetches).is_empty());
    }
}
