//! Knows the weather of cities: remembered, live, or stale.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::{
    cache::{Cache, Found, Life},
    part::Part,
};
use crate::{
    dependency::Failure,
    domain::{
        meta::Degradation,
        weather::{CurrentWeather, ForecastDay},
    },
    mcp::{Caller, weather::Weather},
    metrics::Metrics,
};

/// Its name in `meta` and in metrics.
pub(crate) const PROVIDER: &str = "weather";
/// The weather as a part of an answer.
pub(crate) const PART: Part =
    Part { provider: PROVIDER, stale: Degradation::WeatherStale, missing: Degradation::WeatherMissing };

/// The weather, shared by all who ask for it.
pub(crate) struct WeatherFinder {
    provider: Option<Arc<dyn Weather>>,
    current: Cache<String, CurrentWeather>,
    forecasts: Cache<(String, u32), Vec<ForecastDay>>,
}

impl WeatherFinder {
    pub(crate) fn new(provider: Option<Arc<dyn Weather>>, life: Life, metrics: &Metrics) -> Self {
        Self {
            provider,
            current: Cache::new("weather", life, metrics),
            forecasts: Cache::new("forecasts", life, metrics),
        }
    }

    /// The weather of a city, now.
    ///
    /// # Errors
    /// The provider failed and nothing is remembered.
    pub(crate) async fn current(&self, city: &str, caller: &Caller) -> Result<Found<CurrentWeather>, Failure> {
        let provider = self.provider.as_ref().ok_or(Failure::Absent)?;
        self.current
            .get(city.to_lowercase(), caller, || {
                let (provider, city, caller) = (Arc::clone(provider), city.to_owned(), caller.clone());
                async move { provider.current(&city, &caller).await }.boxed()
            })
            .await
    }

    /// The weather of a city on so many days, from today.
    ///
    /// # Errors
    /// The provider failed and nothing is remembered.
    pub(crate) async fn forecast(
        &self,
        city: &str,
        days: u32,
        caller: &Caller,
    ) -> Result<Found<Vec<ForecastDay>>, Failure> {
        let provider = self.provider.as_ref().ok_or(Failure::Absent)?;
        self.forecasts
            .get((city.to_lowercase(), days), caller, || {
                let (provider, city, caller) = (Arc::clone(provider), city.to_owned(), caller.clone());
                async move { provider.forecast(&city, days, &caller).await }.boxed()
            })
            .await
    }
}
