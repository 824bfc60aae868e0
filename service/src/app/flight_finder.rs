//! Finds flights: remembered ones, live ones, or stale ones with the word "degraded" on them. Never invented ones.

use std::sync::Arc;

use futures_util::FutureExt as _;
use uuid::Uuid;

use super::cache::{Cache, Found, Life};
use crate::{
    dependency::{Failure, Payer},
    domain::{
        flight::{FlightSearch, FlightsFound, rank},
        meta::{Degradation, Meta, Source},
    },
    mcp::{Caller, flights::Flights},
    metrics::Metrics,
};

/// Its name in `meta` and in metrics.
pub(crate) const PROVIDER: &str = "flights";

/// The flight search, shared by the search endpoint and the chat's tool.
pub(crate) struct FlightFinder {
    provider: Option<Arc<dyn Flights>>,
    /// By who pays, too: what one account was offered is not for another.
    cache: Cache<(Payer, FlightSearch), FlightsFound>,
}

impl FlightFinder {
    pub(crate) fn new(provider: Option<Arc<dyn Flights>>, life: Life, metrics: Arc<Metrics>) -> Self {
        Self { provider, cache: Cache::new(PROVIDER, life, metrics) }
    }

    /// Answers a search in its normal form by the caller's deadline.
    ///
    /// # Errors
    /// The provider failed and nothing is remembered.
    pub(crate) async fn find(&self, search: &FlightSearch, caller: &Caller) -> Result<Found<FlightsFound>, Failure> {
        let provider = self.provider.as_ref().ok_or(Failure::Absent)?;
        let key = (caller.account.payer(), search.clone());
        self.cache
            .get(&key, caller.deadline, || {
                let (provider, search, caller) = (Arc::clone(provider), search.clone(), caller.clone());
                async move {
                    let offers = provider.search(&search, &caller).await?;
                    Ok(rank(&search, Uuid::new_v4(), PROVIDER, offers))
                }
                .boxed()
            })
            .await
    }
}

impl Found<FlightsFound> {
    /// Says in `meta` where the flights are from.
    pub(crate) fn describe(&self, meta: &mut Meta) {
        meta.source = Some(self.source);
        if self.source != Source::Live {
            meta.cache_age_s = Some(self.age.as_secs());
        }
        if self.source != Source::Cache {
            meta.queried(PROVIDER);
        }
        if let Some(failure) = &self.failure {
            meta.provider_errors.insert(PROVIDER, failure.label());
            meta.degrade(Degradation::FlightsStale);
        }
    }
}
