//! Weather: `get_current_weather`, `get_forecast`.

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::weather::{CurrentWeather, ForecastDay},
};

/// Knows the weather.
pub(crate) trait Weather: Send + Sync {
    /// The weather of a city, now.
    fn current<'a>(&'a self, city: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<CurrentWeather, Failure>>;

    /// The weather of a city on the next days, today included.
    fn forecast<'a>(
        &'a self,
        city: &'a str,
        days: u32,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<ForecastDay>, Failure>>;
}

#[derive(Serialize)]
struct Arguments<'a> {
    city: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u32>,
}

#[derive(Deserialize)]
struct Forecast {
    daily: Vec<ForecastDay>,
}

impl Weather for Client {
    fn current<'a>(&'a self, city: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<CurrentWeather, Failure>> {
        async move { self.call("get_current_weather", &Arguments { city, days: None }, Repeat::Once, caller).await }
            .boxed()
    }

    fn forecast<'a>(
        &'a self,
        city: &'a str,
        days: u32,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<ForecastDay>, Failure>> {
        async move {
            let arguments = Arguments { city, days: Some(days) };
            let forecast: Forecast = self.call("get_forecast", &arguments, Repeat::Once, caller).await?;
            Ok(forecast.daily)
        }
        .boxed()
    }
}
