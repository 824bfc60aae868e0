//! Finds what is remembered of a user: each search is remembered for a while, for its user alone.

use std::sync::Arc;

use futures_util::FutureExt as _;
use uuid::Uuid;

use super::{
    cache::{Cache, Found, Life},
    part::Part,
};
use crate::{
    dependency::Failure,
    domain::{memory, meta::Degradation},
    mcp::{Caller, memory::Memory},
    metrics::Metrics,
};

/// Its name in `meta` and in metrics.
const PROVIDER: &str = "memory";
/// The memory as a part of an answer.
pub(crate) const PART: Part =
    Part { provider: PROVIDER, stale: Degradation::MemoryStale, missing: Degradation::MemoryMissing };

/// The search for memories. Nobody finds those of another user: whose they are is part of every key.
pub(crate) struct MemoryFinder {
    provider: Option<Arc<dyn Memory>>,
    searches: Cache<Search, Vec<memory::Memory>>,
}

/// A search in the memories of a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Search {
    pub(crate) user_id: Uuid,
    /// Empty for everything.
    pub(crate) query: String,
    pub(crate) limit: u32,
}

impl MemoryFinder {
    pub(crate) fn new(provider: Option<Arc<dyn Memory>>, life: Life, metrics: &Metrics) -> Self {
        Self { provider, searches: Cache::new(PROVIDER, life, metrics) }
    }

    /// Answers a search by the caller's deadline.
    ///
    /// # Errors
    /// The memory failed and nothing is remembered here.
    pub(crate) async fn find(&self, search: &Search, caller: &Caller) -> Result<Found<Vec<memory::Memory>>, Failure> {
        let provider = self.provider.as_ref().ok_or(Failure::Absent)?;
        self.searches
            .get(search.clone(), caller, || {
                let (provider, search, caller) = (Arc::clone(provider), search.clone(), caller.clone());
                async move { provider.recall(search.user_id, &search.query, search.limit, &caller).await }.boxed()
            })
            .await
    }
}
