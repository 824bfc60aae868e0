//! Finds stays: remembered ones, live ones, or stale ones that say so. An answer with parts missing is never remembered.

use std::sync::Arc;

use futures_util::FutureExt as _;
use uuid::Uuid;

use super::cache::{Cache, Found, Life};
use crate::{
    dependency::Failure,
    domain::{
        meta::{Degradation, Meta},
        stay::{Availability, Listing, StaySearch, StaysFound, select},
    },
    mcp::{
        Caller,
        airbnb::{Stays, Wish},
    },
    metrics::Metrics,
};

/// Its name in `meta` and in metrics.
pub(crate) const PROVIDER: &str = "airbnb";

/// The search for stays, shared by its endpoints and the chat's tool.
pub(crate) struct StayFinder {
    provider: Option<Arc<dyn Stays>>,
    searches: Cache<String, StaysFound>,
    listings: Cache<String, Option<Listing>>,
}

impl StayFinder {
    pub(crate) fn new(provider: Option<Arc<dyn Stays>>, life: Life, metrics: &Metrics) -> Self {
        Self {
            provider,
            searches: Cache::new("stays", life, metrics).keeping_only(|found| found.is_complete),
            listings: Cache::new("listings", life, metrics).keeping_only(Option::is_some),
        }
    }

    /// Answers a search in its normal form by the caller's deadline.
    ///
    /// # Errors
    /// The provider failed and nothing is remembered.
    pub(crate) async fn find(&self, search: &StaySearch, caller: &Caller) -> Result<Found<StaysFound>, Failure> {
        let provider = self.provider()?;
        self.searches
            .get(search.key(), caller, || {
                let (provider, search, caller) = (Arc::clone(provider), search.clone(), caller.clone());
                async move {
                    let given = provider.search(&search, &caller).await?;
                    Ok(select(&search, Uuid::new_v4(), given))
                }
                .boxed()
            })
            .await
    }

    /// One listing, without dates; none when there is no such listing.
    ///
    /// # Errors
    /// The provider failed and nothing is remembered.
    pub(crate) async fn listing(&self, id: &str, caller: &Caller) -> Result<Found<Option<Listing>>, Failure> {
        let provider = self.provider()?;
        self.listings
            .get(id.to_owned(), caller, || {
                let (provider, id, caller) = (Arc::clone(provider), id.to_owned(), caller.clone());
                async move { provider.listing(&id, &caller).await }.boxed()
            })
            .await
    }

    /// Whether a listing is free; never remembered, since others book too. None when there is no such listing.
    ///
    /// # Errors
    /// The provider failed.
    pub(crate) async fn availability(&self, wish: &Wish, caller: &Caller) -> Result<Option<Availability>, Failure> {
        self.provider()?.availability(wish, caller).await
    }

    fn provider(&self) -> Result<&Arc<dyn Stays>, Failure> {
        self.provider.as_ref().ok_or(Failure::Absent)
    }
}

impl Found<StaysFound> {
    /// Says in `meta` where the stays are from, and whether some are missing.
    pub(crate) fn describe(&self, meta: &mut Meta) {
        self.describe_as(PROVIDER, Degradation::StaysStale, meta);
        if !self.value.is_complete {
            meta.degrade(Degradation::StaysPartial);
        }
    }
}
