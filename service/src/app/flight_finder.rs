//! Finds flights: remembered ones, live ones, or stale ones with the word "degraded" on them. Never invented ones.

use std::sync::Arc;

use futures_util::FutureExt as _;
use uuid::Uuid;

use super::{
    cache::{Cache, Found, Life},
    prepared::Prepared,
};
use crate::{
    dependency::Failure,
    domain::{
        flight::{FlightSearch, FlightsFound, rank},
        meta::{Degradation, Meta},
    },
    mcp::{Caller, flights::Flights},
    metrics::Metrics,
};

/// Its name in `meta` and in metrics.
pub(crate) const PROVIDER: &str = "flights";

/// The flight search, shared by the search endpoint and the chat's tool.
pub(crate) struct FlightFinder {
    provider: Option<Arc<dyn Flights>>,
    cache: Cache<FlightSearch, Prepared<FlightsFound>>,
}

impl FlightFinder {
    pub(crate) fn new(provider: Option<Arc<dyn Flights>>, life: Life, metrics: Arc<Metrics>) -> Self {
        Self { provider, cache: Cache::new(PROVIDER, life, metrics) }
    }

    /// Answers a search in its normal form by the caller's deadline.
    ///
    /// # Errors
    /// The provider failed and nothing is remembered.
    pub(crate) async fn find(
        &self,
        search: &FlightSearch,
        caller: &Caller,
    ) -> Result<Found<Prepared<FlightsFound>>, Failure> {
        let provider = self.provider.as_ref().ok_or(Failure::Absent)?;
        self.cache
            .get(search, caller.deadline, || {
                let (provider, search, caller) = (Arc::clone(provider), search.clone(), caller.clone());
                async move {
                    let offers = provider.search(&search, &caller).await?;
                    Ok(Prepared::new(rank(&search, Uuid::new_v4(), PROVIDER, offers)))
                }
                .boxed()
            })
            .await
    }
}

impl Found<Prepared<FlightsFound>> {
    /// Says in `meta` where the flights are from.
    pub(crate) fn describe(&self, meta: &mut Meta) {
        self.describe_as(PROVIDER, Degradation::FlightsStale, meta);
    }
}
