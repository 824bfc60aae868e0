//! How good an answer is: live or remembered, whole or with parts missing. Degradation is always said.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// The `meta` object of an answer.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Meta {
    /// Whether anything is worse than asked for.
    pub(crate) degraded: bool,
    /// Why; empty when not degraded.
    pub(crate) degraded_reasons: Vec<Degradation>,
    /// Where the data is from, for answers that carry provider data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
    /// Age of remembered data, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_age_s: Option<u64>,
    /// Providers asked for this answer.
    pub(crate) providers_queried: Vec<&'static str>,
    /// Providers that failed, and how: names of [`crate::dependency::Failure`].
    pub(crate) provider_errors: BTreeMap<&'static str, &'static str>,
}

/// Where provider data is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Asked for now.
    Live,
    /// Remembered and still fresh.
    Cache,
    /// Remembered, past its time, used because the provider failed.
    Stale,
}

/// A way in which an answer is worse than asked for. Also a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Degradation {
    /// Flights are from a stale cache entry.
    FlightsStale,
    /// There are no flights, because their provider failed.
    FlightsMissing,
    /// Stays are from a stale cache entry.
    StaysStale,
    /// Some stays could not be had.
    StaysPartial,
    /// There are no stays, because their provider failed.
    StaysMissing,
    /// Whether the stay is free could not be had.
    AvailabilityMissing,
    /// Destinations are from a stale cache entry.
    DestinationsStale,
    /// There are no destinations, because their provider failed.
    DestinationsMissing,
    /// Attractions are from a stale cache entry.
    AttractionsStale,
    /// Attractions could not be had.
    AttractionsMissing,
    /// The weather is from a stale cache entry.
    WeatherStale,
    /// The weather could not be had.
    WeatherMissing,
    /// The local time could not be had.
    LocalTimeMissing,
    /// What is remembered of the user is from a stale cache entry.
    MemoryStale,
    /// What is remembered of the user could not be had.
    MemoryMissing,
    /// A tool of the chat failed.
    ToolFailed,
    /// The answer could not be added to the chat's history.
    HistoryNotSaved,
    /// The provider has not confirmed what was asked for.
    BookingUnconfirmed,
    /// Who travels cannot be read: the master key that it is sealed under is not there.
    PassengersMissing,
}

impl Degradation {
    /// Its name in metrics, the same as in JSON.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::FlightsStale => "flights_stale",
            Self::FlightsMissing => "flights_missing",
            Self::StaysStale => "stays_stale",
            Self::StaysPartial => "stays_partial",
            Self::StaysMissing => "stays_missing",
            Self::AvailabilityMissing => "availability_missing",
            Self::DestinationsStale => "destinations_stale",
            Self::DestinationsMissing => "destinations_missing",
            Self::AttractionsStale => "attractions_stale",
            Self::AttractionsMissing => "attractions_missing",
            Self::WeatherStale => "weather_stale",
            Self::WeatherMissing => "weather_missing",
            Self::LocalTimeMissing => "local_time_missing",
            Self::MemoryStale => "memory_stale",
            Self::MemoryMissing => "memory_missing",
            Self::ToolFailed => "tool_failed",
            Self::HistoryNotSaved => "history_not_saved",
            Self::BookingUnconfirmed => "booking_unconfirmed",
            Self::PassengersMissing => "passengers_missing",
        }
    }
}

impl Meta {
    /// Notes a degradation, once.
    pub(crate) fn degrade(&mut self, reason: Degradation) {
        self.degraded = true;
        if !self.degraded_reasons.contains(&reason) {
            self.degraded_reasons.push(reason);
        }
    }

    /// Notes that a provider was asked, once.
    pub(crate) fn queried(&mut self, provider: &'static str) {
        if !self.providers_queried.contains(&provider) {
            self.providers_queried.push(provider);
        }
    }

    /// Notes that a provider was asked for a part of the answer and failed.
    pub(crate) fn missing(&mut self, provider: &'static str, failure: &'static str, reason: Degradation) {
        self.queried(provider);
        self.provider_errors.insert(provider, failure);
        self.degrade(reason);
    }

    /// Takes over an equal part, with where it is from: stale if any part is, from the cache only if all are.
    pub(crate) fn merge(&mut self, part: Self) {
        self.cache_age_s = self.cache_age_s.max(part.cache_age_s);
        self.source = match (self.source, part.source) {
            (Some(Source::Stale), _) | (_, Some(Source::Stale)) => Some(Source::Stale),
            (Some(Source::Live), _) | (_, Some(Source::Live)) => Some(Source::Live),
            (ours, theirs) => ours.or(theirs),
        };
        self.absorb(part);
    }

    /// Takes over what one part of an answer says about itself.
    pub(crate) fn absorb(&mut self, part: Self) {
        part.degraded_reasons.into_iter().for_each(|reason| self.degrade(reason));
        part.providers_queried.into_iter().for_each(|provider| self.queried(provider));
        self.provider_errors.extend(part.provider_errors);
    }
}
