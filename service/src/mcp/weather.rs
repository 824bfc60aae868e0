//! Weather: `get_current_weather`.

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::Serialize;

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::weather::CurrentWeather,
};

/// Knows the weather.
pub(crate) trait Weather: Send + Sync {
    /// The weather of a city, now.
    fn current<'a>(&'a self, city: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<CurrentWeather, Failure>>;
}

#[derive(Serialize)]
struct Arguments<'a> {
    city: &'a str,
}

impl Weather for Client {
    fn current<'a>(&'a self, city: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<CurrentWeather, Failure>> {
        async move { self.call("get_current_weather", &Arguments { city }, Repeat::Once, caller).await }.boxed()
    }
}
