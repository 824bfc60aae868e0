//! The weather of a city, now and on the next days.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Current weather, in metric units.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct CurrentWeather {
    pub(crate) city: String,
    pub(crate) temperature_celsius: f64,
    pub(crate) humidity_percent: f64,
    pub(crate) wind_metres_per_second: f64,
    pub(crate) description: String,
}

/// The weather of one day, in metric units.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct ForecastDay {
    pub(crate) date: Date,
    pub(crate) minimum_celsius: f64,
    pub(crate) maximum_celsius: f64,
    pub(crate) precipitation_mm: f64,
}
