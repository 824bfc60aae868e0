//! One search over everything: every part at once, each by the finder of its own endpoint; one that fails costs only itself.
//!
//! The whole is never remembered, only the parts are: an outage of one provider must not outlive it.

use std::sync::Arc;

use futures_util::future::OptionFuture;
use tokio::{join, time::Instant};
use uuid::Uuid;

use super::{App, part::Part, stay_finder, weather_finder};
use crate::domain::{
    api_key::Service,
    destination::Destination,
    flight::FlightsFound,
    meta::{Degradation, Meta, Source},
    stay::StaysFound,
    unified::Plan,
    weather::CurrentWeather,
};

const FLIGHTS: Part = Part {
    provider: super::flight_finder::PROVIDER,
    stale: Degradation::FlightsStale,
    missing: Degradation::FlightsMissing,
};
const STAYS: Part =
    Part { provider: stay_finder::PROVIDER, stale: Degradation::StaysStale, missing: Degradation::StaysMissing };
const DESTINATIONS: Part = Part {
    provider: super::destination_finder::PROVIDER,
    stale: Degradation::DestinationsStale,
    missing: Degradation::DestinationsMissing,
};

/// What was found of each part; none where it was not asked or failed.
#[derive(Default)]
pub(crate) struct Everything {
    pub(crate) flights: Option<FlightsFound>,
    pub(crate) stays: Option<Arc<StaysFound>>,
    pub(crate) destinations: Option<Vec<Destination>>,
    pub(crate) weather: Option<Arc<CurrentWeather>>,
    pub(crate) meta: Meta,
    /// Parts that did not need their provider, or could not have it.
    pub(crate) cached_parts: u32,
}

impl App {
    /// Asks every part of a plan by the deadline, each on the account that the user has there.
    ///
    /// # Errors
    /// Every part failed; the meta says how.
    pub(crate) async fn find_everything(
        &self,
        user_id: Uuid,
        plan: &Plan,
        deadline: Instant,
    ) -> Result<Everything, Meta> {
        let (for_flights, for_stays, for_maps, for_weather) = join!(
            self.caller(user_id, Service::Flights, deadline),
            self.caller(user_id, Service::Accommodation, deadline),
            self.caller(user_id, Service::Googlemaps, deadline),
            self.caller(user_id, Service::Weather, deadline),
        );
        let (flights, stays, destinations, weather) = join!(
            OptionFuture::from(plan.flights.as_ref().map(|search| self.flights.find(search, &for_flights))),
            OptionFuture::from(plan.stays.as_ref().map(|search| self.stays.find(search, &for_stays))),
            OptionFuture::from(plan.destinations.as_ref().map(|search| self.destinations.find(
                search,
                &for_maps,
                &for_weather.account
            ))),
            OptionFuture::from(plan.weather.as_ref().map(|city| self.weather.current(city, &for_weather))),
        );
        let mut everything = Everything::default();
        if let Some(found) = flights {
            everything.flights = everything.add(FLIGHTS.take(found)).map(|flights| flights.read());
        }
        if let Some(found) = stays {
            everything.stays = everything.add(STAYS.take(found));
            if everything.stays.as_ref().is_some_and(|stays| !stays.is_complete) {
                everything.meta.degrade(Degradation::StaysPartial);
            }
        }
        if let Some(found) = destinations {
            everything.destinations = everything.add(match found {
                Ok((destinations, meta)) => (Some(destinations), meta),
                Err(failure) => {
                    let mut meta = Meta::default();
                    DESTINATIONS.lacks(&failure, &mut meta);
                    (None, meta)
                }
            });
        }
        if let Some(found) = weather {
            everything.weather = everything.add(weather_finder::PART.take(found));
        }
        if everything.is_empty() { Err(everything.meta) } else { Ok(everything) }
    }
}

impl Everything {
    fn add<T>(&mut self, (value, meta): (Option<T>, Meta)) -> Option<T> {
        self.cached_parts += u32::from(matches!(meta.source, Some(Source::Cache | Source::Stale)));
        self.meta.merge(meta);
        value
    }

    fn is_empty(&self) -> bool {
        self.flights.is_none() && self.stays.is_none() && self.destinations.is_none() && self.weather.is_none()
    }
}
