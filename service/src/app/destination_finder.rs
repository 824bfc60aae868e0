//! Finds destinations: the places are needed, their weather, sights and time are extras that an answer can do without.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::OptionFuture, stream};
use tokio::{join, time::Instant};

use super::{
    cache::{Cache, Found, Life},
    part::Part,
    weather_finder::{self, WeatherFinder},
};
use crate::{
    dependency::{Account, Failure},
    domain::{
        destination::{Destination, DestinationDetails, DestinationSearch},
        meta::{Degradation, Meta},
        place::{LocalTime, Place},
    },
    mcp::{
        Caller,
        google_maps::{PlaceKind, PlaceWish, Places},
        time::Clocks,
    },
    metrics::Metrics,
};

/// Its name in `meta` and in metrics.
pub(crate) const PROVIDER: &str = "google_maps";
/// Sights as a part of an answer.
const SIGHTS: Part =
    Part { provider: PROVIDER, stale: Degradation::AttractionsStale, missing: Degradation::AttractionsMissing };
/// The local time as a part of an answer. It is never stale.
const LOCAL_TIME: Part =
    Part { provider: "time", stale: Degradation::LocalTimeMissing, missing: Degradation::LocalTimeMissing };
/// Longest wait for what an answer can do without.
const EXTRAS_TIME: Duration = Duration::from_millis(1500);
/// Destinations of one answer that are worked on at once.
const AT_ONCE: usize = 8;
const ATTRACTIONS: u32 = 5;
const FORECAST_DAYS: u32 = 5;

/// The search for destinations, shared by its endpoints and the chat's tool.
pub(crate) struct DestinationFinder {
    providers: Providers,
    searches: Cache<PlaceWish, Vec<Place>>,
    places: Cache<String, Option<Place>>,
}

/// Whom it asks.
pub(crate) struct Providers {
    pub(crate) places: Option<Arc<dyn Places>>,
    pub(crate) clocks: Option<Arc<dyn Clocks>>,
    pub(crate) weather: Arc<WeatherFinder>,
}

impl DestinationFinder {
    pub(crate) fn new(providers: Providers, life: Life, metrics: &Metrics) -> Self {
        Self {
            providers,
            searches: Cache::new("destinations", life, metrics),
            places: Cache::new("places", life, metrics).keeping_only(Option::is_some),
        }
    }

    /// Answers a search in its normal form by the caller's deadline, with the weather on the account that it has there.
    ///
    /// # Errors
    /// The places cannot be had, and nothing is remembered.
    pub(crate) async fn find(
        &self,
        search: &DestinationSearch,
        caller: &Caller,
        for_weather: &Account,
    ) -> Result<(Vec<Destination>, Meta), Failure> {
        let wish = PlaceWish { query: search.query.clone(), kind: Some(PlaceKind::Locality), limit: search.limit };
        let found = self.search(&wish, caller).await?;
        let mut meta = Meta::default();
        found.describe_as(PROVIDER, Degradation::DestinationsStale, &mut meta);
        let caller = for_extras(caller);
        let at_weather = Caller { deadline: caller.deadline, account: for_weather.clone() };
        let furnish = |place: &Place| self.furnish(place.clone(), search, caller.clone(), at_weather.clone());
        // In order, so that the best match stays the first.
        let furnished: Vec<_> = stream::iter(found.value.iter().map(furnish)).buffered(AT_ONCE).collect().await;
        let destinations = furnished.into_iter().map(|(destination, part)| {
            meta.absorb(part);
            destination
        });
        Ok((destinations.collect(), meta))
    }

    /// Everything about one place, with the weather on the account that the caller has there; none when there is no
    /// such place.
    ///
    /// # Errors
    /// The place cannot be had, and is not remembered.
    pub(crate) async fn details(
        &self,
        id: &str,
        caller: &Caller,
        for_weather: &Account,
    ) -> Result<Option<(DestinationDetails, Meta)>, Failure> {
        let found = self.place(id, caller).await?;
        let Some(place) = found.value.as_ref().clone() else { return Ok(None) };
        let mut meta = Meta::default();
        found.describe_as(PROVIDER, Degradation::DestinationsStale, &mut meta);
        let caller = for_extras(caller);
        let at_weather = Caller { deadline: caller.deadline, account: for_weather.clone() };
        // Users have no keys of their own for the time.
        let at_clock = Caller::platform(caller.deadline);
        let (weather, forecast, attractions, local_time) = join!(
            self.providers.weather.current(&place.name, &at_weather),
            self.providers.weather.forecast(&place.name, FORECAST_DAYS, &at_weather),
            self.attractions(&place, &caller),
            self.local_time(&place, &at_clock),
        );
        let destination = Destination {
            weather: weather_finder::PART.copy(weather, &mut meta),
            attractions: SIGHTS.copy(attractions, &mut meta),
            place,
        };
        let forecast = weather_finder::PART.copy(forecast, &mut meta);
        if local_time.is_some() {
            meta.queried(LOCAL_TIME.provider);
        }
        let local_time =
            local_time.and_then(|told| told.inspect_err(|failure| LOCAL_TIME.lacks(failure, &mut meta)).ok());
        Ok(Some((DestinationDetails { destination, forecast, local_time }, meta)))
    }

    async fn furnish(
        &self,
        place: Place,
        search: &DestinationSearch,
        caller: Caller,
        at_weather: Caller,
    ) -> (Destination, Meta) {
        let weather = search.include_weather.then(|| self.providers.weather.current(&place.name, &at_weather));
        let attractions = search.include_attractions.then(|| self.attractions(&place, &caller));
        let (weather, attractions) = join!(OptionFuture::from(weather), OptionFuture::from(attractions));
        let mut meta = Meta::default();
        let weather = weather.and_then(|weather| weather_finder::PART.copy(weather, &mut meta));
        let attractions = attractions.and_then(|found| SIGHTS.copy(found, &mut meta));
        (Destination { place, weather, attractions }, meta)
    }

    async fn attractions(&self, place: &Place, caller: &Caller) -> Result<Found<Vec<Place>>, Failure> {
        let query = place.name.to_lowercase();
        let wish = PlaceWish { query, kind: Some(PlaceKind::TouristAttraction), limit: ATTRACTIONS };
        self.search(&wish, caller).await
    }

    async fn search(&self, wish: &PlaceWish, caller: &Caller) -> Result<Found<Vec<Place>>, Failure> {
        let provider = self.providers.places.as_ref().ok_or(Failure::Absent)?;
        self.searches
            .get(wish.clone(), caller, || {
                let (provider, wish, caller) = (Arc::clone(provider), wish.clone(), caller.clone());
                async move { provider.search(&wish, &caller).await }.boxed()
            })
            .await
    }

    async fn place(&self, id: &str, caller: &Caller) -> Result<Found<Option<Place>>, Failure> {
        let provider = self.providers.places.as_ref().ok_or(Failure::Absent)?;
        self.places
            .get(id.to_owned(), caller, || {
                let (provider, id, caller) = (Arc::clone(provider), id.to_owned(), caller.clone());
                async move { provider.place(&id, &caller).await }.boxed()
            })
            .await
    }

    /// None when the map does not know the time zone. Never remembered: it is about now.
    async fn local_time(&self, place: &Place, caller: &Caller) -> Option<Result<LocalTime, Failure>> {
        let timezone = place.timezone.as_ref()?;
        let Some(clocks) = &self.providers.clocks else { return Some(Err(Failure::Absent)) };
        Some(clocks.now_in(timezone, caller).await)
    }
}

fn for_extras(caller: &Caller) -> Caller {
    Caller { deadline: caller.deadline.min(Instant::now() + EXTRAS_TIME), ..caller.clone() }
}
