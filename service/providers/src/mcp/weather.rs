//! The weather server: today's weather and a forecast, for any city.

use std::sync::Arc;

use axum::Router;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    climate::{self, Sky},
    endpoint,
};
use crate::{pace::Pace, provider::Context, source::Source};

const DAYS_MAX: u32 = 16;
const CITY_BYTES_MAX: usize = 100;

pub(crate) fn router(context: &Context) -> Router {
    endpoint::mount(context, Weather::new(context.seed, Arc::clone(&context.pace)))
}

/// Answers depend on the seed, the arguments and today's date in UTC.
struct Weather {
    tools: ToolRouter<Self>,
    source: Source,
    pace: Arc<Pace>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetCurrentWeather {
    city: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CurrentWeather {
    city: String,
    temperature_celsius: f64,
    humidity_percent: u32,
    wind_metres_per_second: f64,
    description: Sky,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetForecast {
    city: String,
    /// From today, 1 to 16.
    #[schemars(range(min = 1, max = 16))]
    days: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Forecast {
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

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("a city must have 1 to {CITY_BYTES_MAX} bytes, not {bytes}")]
    City { bytes: usize },
    #[error("a forecast is for 1 to {DAYS_MAX} days, not {0}")]
    Days(u32),
}

#[tool_router]
impl Weather {
    fn new(seed: u64, pace: Arc<Pace>) -> Self {
        Self { tools: Self::tool_router(), source: Source::new(seed, "weather"), pace }
    }

    #[tool(description = "The weather in a city now.")]
    async fn get_current_weather(
        &self,
        Parameters(arguments): Parameters<GetCurrentWeather>,
    ) -> Result<Json<CurrentWeather>, String> {
        self.pace.wait().await;
        self.current(&arguments.city, today()).map(Json).map_err(|refusal| refusal.to_string())
    }

    #[tool(description = "The weather in a city for the next days.")]
    async fn get_forecast(&self, Parameters(arguments): Parameters<GetForecast>) -> Result<Json<Forecast>, String> {
        self.pace.wait().await;
        self.forecast(&arguments, today()).map(Json).map_err(|refusal| refusal.to_string())
    }
}

impl Weather {
    fn current(&self, city: &str, today: Date) -> Result<CurrentWeather, Refusal> {
        let city = checked(city)?;
        let day = climate::day(&self.source, city, today);
        Ok(CurrentWeather {
            city: city.to_owned(),
            temperature_celsius: day.temperature_celsius,
            humidity_percent: day.humidity_percent,
            wind_metres_per_second: day.wind_metres_per_second,
            description: day.sky(),
        })
    }

    fn forecast(&self, arguments: &GetForecast, today: Date) -> Result<Forecast, Refusal> {
        let city = checked(&arguments.city)?;
        if !(1..=DAYS_MAX).contains(&arguments.days) {
            return Err(Refusal::Days(arguments.days));
        }
        let dates = today.series(1.day()).take(arguments.days as usize);
        let daily = dates.map(|date| self.forecast_day(city, date)).collect();
        Ok(Forecast { city: city.to_owned(), daily })
    }

    fn forecast_day(&self, city: &str, date: Date) -> ForecastDay {
        let day = climate::day(&self.source, city, date);
        ForecastDay {
            date,
            minimum_celsius: day.minimum_celsius,
            maximum_celsius: day.maximum_celsius,
            precipitation_mm: day.precipitation_mm,
        }
    }
}

fn checked(city: &str) -> Result<&str, Refusal> {
    let city = city.trim();
    if (1..=CITY_BYTES_MAX).contains(&city.len()) {
        return Ok(city);
    }
    Err(Refusal::City { bytes: city.len() })
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

#[tool_handler(router = self.tools, name = "weather")]
impl ServerHandler for Weather {}
