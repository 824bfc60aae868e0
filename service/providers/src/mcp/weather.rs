//! The weather server: today's weather and a forecast, for any city or place on earth.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    climate::{self, Climate, Sky},
    endpoint,
    refusal::{Coded, INVALID_ARGUMENTS, Refused},
};
use crate::{
    Settings,
    city::{City, Point},
    provider::Mount,
    source::Source,
};

const DAYS_MAX: u32 = 16;
const CITY_BYTES_MAX: usize = 100;

pub(crate) fn open(settings: &Settings) -> Mount {
    endpoint::mount(Weather::new(settings.seed))
}

/// Answers depend on the seed, the arguments and today's date in UTC.
struct Weather {
    tools: ToolRouter<Self>,
    source: Source,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetCurrentWeather {
    /// Give this, or latitude and longitude.
    city: Option<String>,
    /// Where the city is; may be left out.
    country: Option<String>,
    /// -90 to 90.
    latitude: Option<f64>,
    /// -180 to 180.
    longitude: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CurrentWeather {
    /// As asked for; for coordinates the city there, or the coordinates.
    city: String,
    temperature_celsius: f64,
    humidity_percent: u32,
    wind_metres_per_second: f64,
    description: Sky,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetForecast {
    /// Give this, or latitude and longitude.
    city: Option<String>,
    /// Where the city is; may be left out.
    country: Option<String>,
    /// -90 to 90.
    latitude: Option<f64>,
    /// -180 to 180.
    longitude: Option<f64>,
    /// From today, 1 to 16.
    #[schemars(range(min = 1, max = 16))]
    days: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Forecast {
    /// As asked for; for coordinates the city there, or the coordinates.
    city: String,
    /// From today.
    daily: Vec<ForecastDay>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ForecastDay {
    /// YYYY-MM-DD, in UTC.
    #[schemars(with = "String")]
    date: Date,
    minimum_celsius: f64,
    maximum_celsius: f64,
    precipitation_mm: f64,
}

/// Where the weather is asked for.
struct Place {
    /// What the answer calls it.
    name: String,
    climate: Climate,
}

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("a place is given either by city or by latitude and longitude")]
    NoPlace,
    #[error("{field} must have 1 to {CITY_BYTES_MAX} bytes, not {bytes}")]
    Name { field: &'static str, bytes: usize },
    #[error("{latitude}, {longitude} is no place on earth")]
    Point { latitude: f64, longitude: f64 },
    #[error("a forecast is for 1 to {DAYS_MAX} days, not {0}")]
    Days(u32),
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NoPlace => INVALID_ARGUMENTS,
            Self::Name { .. } | Self::Point { .. } => "invalid_place",
            Self::Days(_) => "invalid_days",
        }
    }
}

#[tool_router]
impl Weather {
    fn new(seed: u64) -> Self {
        Self { tools: Self::tool_router(), source: Source::new(seed, "weather") }
    }

    #[tool(description = "The weather in a city, or at a place on earth, now.")]
    async fn get_current_weather(
        &self,
        Parameters(arguments): Parameters<GetCurrentWeather>,
    ) -> Result<Json<CurrentWeather>, Refused> {
        let GetCurrentWeather { city, country, latitude, longitude } = arguments;
        Ok(Json(self.current(place(city, country, latitude, longitude)?, today())))
    }

    #[tool(description = "The weather in a city, or at a place on earth, for the next days.")]
    async fn get_forecast(&self, Parameters(arguments): Parameters<GetForecast>) -> Result<Json<Forecast>, Refused> {
        let GetForecast { city, country, latitude, longitude, days } = arguments;
        Ok(Json(self.forecast(place(city, country, latitude, longitude)?, days, today())?))
    }
}

impl Weather {
    fn current(&self, place: Place, today: Date) -> CurrentWeather {
        let day = climate::day(&self.source, &place.climate, today);
        CurrentWeather {
            city: place.name,
            temperature_celsius: day.temperature_celsius,
            humidity_percent: day.humidity_percent,
            wind_metres_per_second: day.wind_metres_per_second,
            description: day.sky(),
        }
    }

    fn forecast(&self, place: Place, days: u32, today: Date) -> Result<Forecast, Refusal> {
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(Refusal::Days(days));
        }
        let dates = today.series(1.day()).take(days as usize);
        let daily = dates.map(|date| self.forecast_day(&place.climate, date)).collect();
        Ok(Forecast { city: place.name, daily })
    }

    fn forecast_day(&self, climate: &Climate, date: Date) -> ForecastDay {
        let day = climate::day(&self.source, climate, date);
        ForecastDay {
            date,
            minimum_celsius: day.minimum_celsius,
            maximum_celsius: day.maximum_celsius,
            precipitation_mm: day.precipitation_mm,
        }
    }
}

/// The place that the arguments name, in one of two ways.
fn place(
    city: Option<String>,
    country: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
) -> Result<Place, Refusal> {
    match (city, latitude, longitude) {
        (Some(city), None, None) => {
            let name = checked("a city", &city)?;
            country.map_or(Ok(()), |country| checked("a country", &country).map(|_| ()))?;
            Ok(Place { climate: Climate::of_name(name), name: name.to_owned() })
        }
        (None, Some(latitude), Some(longitude)) => {
            let point = Point::new(latitude, longitude).ok_or(Refusal::Point { latitude, longitude })?;
            let city = City::around(point).map(|city| city.name.to_owned());
            let name = city.unwrap_or_else(|| format!("{latitude:.2}, {longitude:.2}"));
            Ok(Place { climate: Climate::of_point(point), name })
        }
        _ => Err(Refusal::NoPlace),
    }
}

fn checked<'a>(field: &'static str, name: &'a str) -> Result<&'a str, Refusal> {
    let name = name.trim();
    if (1..=CITY_BYTES_MAX).contains(&name.len()) {
        return Ok(name);
    }
    Err(Refusal::Name { field, bytes: name.len() })
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

#[tool_handler(router = self.tools, name = "weather")]
impl ServerHandler for Weather {}
