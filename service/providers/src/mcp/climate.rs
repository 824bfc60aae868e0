//! Made-up weather: every city has a climate, every day of it its weather, both pure functions of a source.

use jiff::civil::Date;
use rand::RngExt;
use rand_distr::Exp1;
use schemars::JsonSchema;
use serde::Serialize;

use crate::source::Source;

/// The weather of one city on one day.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Day {
    pub(crate) minimum_celsius: f64,
    pub(crate) maximum_celsius: f64,
    pub(crate) precipitation_mm: f64,
    /// The usual afternoon temperature.
    pub(crate) temperature_celsius: f64,
    pub(crate) humidity_percent: u32,
    pub(crate) wind_metres_per_second: f64,
}

/// What the sky looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) enum Sky {
    #[serde(rename = "clear sky")]
    Clear,
    #[serde(rename = "scattered clouds")]
    Clouds,
    #[serde(rename = "light rain")]
    LightRain,
    #[serde(rename = "heavy rain")]
    HeavyRain,
    #[serde(rename = "snow")]
    Snow,
}

/// The weather of `city`, whatever the case of its letters.
pub(crate) fn day(source: &Source, city: &str, date: Date) -> Day {
    let city = city.to_lowercase();
    let mut climate = source.of(&["climate", &city]);
    let mean = climate.random_range(0.0..27.0);
    let swing: f64 = climate.random_range(2.0..13.0);
    let humidity = climate.random_range(40..80);
    // The warmest day is in late July, or half a year apart in three of ten cities.
    let warmest = if climate.random_bool(0.3) { 22.0 } else { 204.0 };
    let season = ((f64::from(date.day_of_year()) - warmest) / 365.25 * std::f64::consts::TAU).cos();

    let mut weather = source.of(&["day", &city, &date.to_string()]);
    let middle = mean + swing * season + weather.random_range(-4.0..4.0);
    let half_range: f64 = weather.random_range(2.5..6.5);
    let is_wet = weather.random_bool(f64::from(humidity) / 160.0);
    let millimetres: f64 = weather.sample(Exp1);
    Day {
        minimum_celsius: tenths(middle - half_range),
        maximum_celsius: tenths(middle + half_range),
        precipitation_mm: if is_wet { tenths(0.1 + 4.0 * millimetres) } else { 0.0 },
        temperature_celsius: tenths(middle + 0.5 * half_range),
        humidity_percent: (humidity + if is_wet { 15 } else { 0 }).min(100),
        wind_metres_per_second: tenths(weather.random_range(0.5..12.0)),
    }
}

impl Day {
    pub(crate) fn sky(&self) -> Sky {
        match self.precipitation_mm {
            mm if mm > 0.0 && self.maximum_celsius < 1.0 => Sky::Snow,
            mm if mm > 6.0 => Sky::HeavyRain,
            mm if mm > 0.0 => Sky::LightRain,
            _ if self.humidity_percent > 60 => Sky::Clouds,
            _ => Sky::Clear,
        }
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(seed: u64, city: &str, date: &str) -> Day {
        day(&Source::new(seed, "weather"), city, date.parse().unwrap())
    }

    #[test]
    fn weather_is_a_pure_function_of_seed_city_and_date() {
        assert_eq!(on(1, "Paris", "2027-03-01"), on(1, "PARIS", "2027-03-01"));
        assert_ne!(on(1, "Paris", "2027-03-01"), on(2, "Paris", "2027-03-01"));
        assert_ne!(on(1, "Paris", "2027-03-01"), on(1, "Rome", "2027-03-01"));
        assert_ne!(on(1, "Paris", "2027-03-01"), on(1, "Paris", "2027-03-02"));
    }

    #[test]
    fn weather_is_possible() {
        for seed in 0..1000 {
            let day = on(seed, "Paris", "2027-03-01");
            assert!(day.minimum_celsius < day.temperature_celsius && day.temperature_celsius < day.maximum_celsius);
            assert!((-30.0..50.0).contains(&day.temperature_celsius), "{day:?}");
            assert!(day.humidity_percent <= 100 && day.precipitation_mm >= 0.0 && day.wind_metres_per_second > 0.0);
            assert_eq!(matches!(day.sky(), Sky::Clear | Sky::Clouds), day.precipitation_mm == 0.0);
        }
    }
}
