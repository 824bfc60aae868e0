//! Finds flights: remembered ones, live ones, or stale ones with the word "degraded" on them. Never invented ones.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    cache::{Cache, Found, Life},
    prepared::Prepared,
};
use crate::{
    dependency::{Failure, Payer},
    domain::{
        flight::{FlightSearch, FlightsFound, Offer, rank, single},
        meta::{Degradation, Meta, Source},
    },
    mcp::{
        Caller,
        flights::{Flights, OfferRefusal},
    },
    metrics::{Look, Looks, Metrics},
};

/// Its name in `meta` and in metrics.
pub(crate) const PROVIDER: &str = "flights";

/// The cache of offers in metrics.
const OFFERS: &str = "flight_offers";
/// Offers that are known by their id, least used first out.
const OFFERS_MAX: u64 = 10_000;
/// How long they are: longer than offers live, so that one that has expired is known as such.
const OFFERS_KEPT: Duration = Duration::from_secs(3_600);

/// Where an offer is: among the flights of its search, and at which place.
type OfferPlace = (Arc<Prepared<FlightsFound>>, usize);

/// The flight search, shared by the search endpoint and the chat's tool, and the offers that it has found.
pub(crate) struct FlightFinder {
    provider: Option<Arc<dyn Flights>>,
    cache: Cache<FlightSearch, Prepared<FlightsFound>>,
    /// By who paid for it, too: what one account was offered is not for another.
    offers: moka::future::Cache<(Payer, String), OfferPlace>,
    offer_looks: Looks,
}

/// Why an offer cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfferError {
    #[error("offer is unknown")]
    Unknown,
    #[error("offer has expired")]
    Expired,
    #[error("offer cannot be looked up")]
    Provider(#[source] Failure),
}

impl FlightFinder {
    pub(crate) fn new(provider: Option<Arc<dyn Flights>>, life: Life, metrics: &Metrics) -> Self {
        let offers = moka::future::Cache::builder().max_capacity(OFFERS_MAX).time_to_live(OFFERS_KEPT).build();
        Self { provider, cache: Cache::new(PROVIDER, life, metrics), offers, offer_looks: metrics.looks(OFFERS) }
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
        let found = self
            .cache
            .get(search.clone(), caller, || {
                let (provider, search, caller) = (Arc::clone(provider), search.clone(), caller.clone());
                async move {
                    let offers = provider.search(&search, &caller).await?;
                    Ok(Prepared::new(&rank(&search, Uuid::new_v4(), PROVIDER, offers)))
                }
                .boxed()
            })
            .await?;
        if found.source == Source::Live {
            for (place, offer) in found.value.read().offers.into_iter().enumerate() {
                let key = (caller.account.payer(), offer.id);
                self.offers.insert(key, (Arc::clone(&found.value), place)).await;
            }
        }
        Ok(found)
    }

    /// The offer of that id: as it was found by a search on the same account, as long as it says that it is valid, else as the provider
    /// tells it.
    ///
    /// # Errors
    /// It is unknown, it has expired, or the provider failed.
    pub(crate) async fn offer(&self, id: &str, now: Timestamp, caller: &Caller) -> Result<Offer, OfferError> {
        let known = self.offers.get(&(caller.account.payer(), id.to_owned())).await;
        let known = known.and_then(|(found, place)| found.read().offers.into_iter().nth(place));
        let is_valid = |offer: &Offer| offer.expires_at.is_some_and(|expires_at| expires_at > now);
        if let Some(offer) = known.as_ref().filter(|offer| is_valid(offer)) {
            self.offer_looks.count(Look::Hit);
            return Ok(offer.clone());
        }
        self.offer_looks.count(Look::Miss);
        let told = self.ask(id, now, caller).await;
        // Another search may have renewed it; if nobody says so, it is what it said of itself.
        let has_expired = known.is_some_and(|offer| offer.expires_at.is_some());
        if told.is_err() && has_expired { Err(OfferError::Expired) } else { told }
    }

    async fn ask(&self, id: &str, now: Timestamp, caller: &Caller) -> Result<Offer, OfferError> {
        let provider = self.provider.as_ref().ok_or(OfferError::Provider(Failure::Absent))?;
        let offer = provider.offer(id, caller).await.map_err(OfferError::from)?;
        if offer.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(OfferError::Expired);
        }
        Ok(single(offer, PROVIDER))
    }
}

impl From<Failure> for OfferError {
    fn from(failure: Failure) -> Self {
        match OfferRefusal::of(&failure) {
            Some(OfferRefusal::Unknown) => Self::Unknown,
            Some(OfferRefusal::Expired) => Self::Expired,
            None => Self::Provider(failure),
        }
    }
}

impl Found<Prepared<FlightsFound>> {
    /// Says in `meta` where the flights are from.
    pub(crate) fn describe(&self, meta: &mut Meta) {
        self.describe_as(PROVIDER, Degradation::FlightsStale, meta);
    }
}
