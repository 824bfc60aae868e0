//! Flights: `search_flights`, `get_offer_details`.

use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::{
        amount::Amount,
        flight::{CabinClass, FlightSearch, ProviderOffer, Segment},
    },
};

/// Finds flights.
pub(crate) trait Flights: Send + Sync {
    /// The offers for a search, as the provider gives them.
    fn search<'a>(
        &'a self,
        search: &'a FlightSearch,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<ProviderOffer>, Failure>>;

    /// An offer that the provider has made before.
    fn offer<'a>(&'a self, offer_id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<ProviderOffer, Failure>>;
}

/// Why a provider will not sell an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferRefusal {
    Unknown,
    Expired,
}

impl OfferRefusal {
    /// What a failure says about the offer, when it does.
    pub(crate) fn of(failure: &Failure) -> Option<Self> {
        match failure.refusal_code()? {
            "offer_not_found" | "unknown_offer" => Some(Self::Unknown),
            "offer_expired" | "expired_offer" => Some(Self::Expired),
            _ => None,
        }
    }
}

#[derive(Serialize)]
struct Arguments<'a> {
    origin: &'a str,
    destination: &'a str,
    departure_date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_date: Option<Date>,
    adults: u8,
    children: u8,
    infants: u8,
    cabin_class: CabinClass,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_stops: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_airlines: Option<&'a [String]>,
    currency: &'a str,
}

#[derive(Serialize)]
struct OfferArguments<'a> {
    offer_id: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    offers: Vec<WireOffer>,
}

#[derive(Deserialize)]
struct WireOffer {
    id: String,
    total_amount: Amount,
    base_amount: Option<Amount>,
    tax_amount: Option<Amount>,
    total_currency: String,
    cabin_class: CabinClass,
    airlines: Vec<String>,
    expires_at: Option<Timestamp>,
    #[serde(default)]
    bookable: bool,
    slices: Vec<Slice>,
}

#[derive(Deserialize)]
struct Slice {
    segments: Vec<Segment>,
}

impl Flights for Client {
    fn search<'a>(
        &'a self,
        search: &'a FlightSearch,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<ProviderOffer>, Failure>> {
        let arguments = Arguments {
            origin: &search.origin,
            destination: &search.destination,
            departure_date: search.departure_date,
            return_date: search.return_date,
            adults: search.adults,
            children: search.children,
            infants: search.infants,
            cabin_class: search.cabin_class,
            max_stops: search.max_stops,
            preferred_airlines: search.preferred_airlines.as_deref(),
            currency: &search.currency,
        };
        async move {
            let answer: Answer = self.call("search_flights", &arguments, Repeat::Once, caller).await?;
            Ok(answer.offers.into_iter().map(ProviderOffer::from).collect())
        }
        .boxed()
    }

    fn offer<'a>(&'a self, offer_id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<ProviderOffer, Failure>> {
        async move {
            let arguments = OfferArguments { offer_id };
            let offer: WireOffer = self.call("get_offer_details", &arguments, Repeat::Once, caller).await?;
            Ok(offer.into())
        }
        .boxed()
    }
}

impl From<WireOffer> for ProviderOffer {
    fn from(offer: WireOffer) -> Self {
        let mut slices = offer.slices.into_iter().map(|slice| slice.segments);
        Self {
            id: offer.id,
            outbound_segments: slices.next().unwrap_or_default(),
            return_segments: slices.next(),
            total_price: offer.total_amount,
            base_price: offer.base_amount,
            taxes: offer.tax_amount,
            currency: offer.total_currency,
            cabin_class: offer.cabin_class,
            airlines: offer.airlines,
            expires_at: offer.expires_at,
            bookable: offer.bookable,
        }
    }
}
