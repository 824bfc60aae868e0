//! Made-up weather: every place has a climate, every day of it its weather, both pure functions of a source.
//!
//! The climate of a known place follows its latitude: colder and more changeable away from the equator, and the other way
//! round in the south.

use jiff::civil::Date;
use rand::RngExt;
use rand_distr::Exp1;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    city::{City, Point},
    source::Source,
};

/// What is known about the climate of a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Climate {
    /// Places with the same name have the same weather.
    name: String,
    /// Degrees north of the equator, if known.
    latitude: Option<f64>,
}

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

impl Climate {
    /// The climate of a city, whatever the case of its letters.
    pub(crate) fn of_name(name: &str) -> Self {
        match City::named(name) {
            Some(city) => Self::of_city(city),
            None => Self { name: name.to_lowercase(), latitude: None },
        }
    }

    /// The climate of the city that this place belongs to, or of the square degree around it.
    pub(crate) fn of_point(point: Point) -> Self {
        match City::around(point) {
            Some(city) => Self::of_city(city),
            None => Self {
                name: format!("{} {}", point.latitude.round(), point.longitude.round()),
                latitude: Some(point.latitude),
            },
        }
    }

    fn of_city(city: &City) -> Self {
        Self { name: city.name.to_lowercase(), latitude: Some(city.point.latitude) }
    }
}

/// The weather of one day.
pub(crate) fn day(source: &Source, place: &Climate, date: Date) -> Day {
    let city = &place.name;
    let mut climate = source.of(&["climate", city]);
    // Where nothing is known, any latitude where people live is as likely; three of ten such places are in the south.
    let anywhere = climate.random_range(0.0..60.0) * if climate.random_bool(0.3) { -1.0 } else { 1.0 };
    let latitude: f64 = place.latitude.unwrap_or(anywhere);
    let poleward = latitude.abs() / 90.0;
    let mean = 27.0 - 45.0 * poleward.powf(1.5) + climate.random_range(-2.0..2.0);
    let swing = 1.0 + 18.0 * poleward + climate.random_range(-1.0..1.0);
    let humidity = climate.random_range(40..80);
    // The warmest day is in late July, or half a year apart in the south.
    let warmest = if latitude < 0.0 { 22.0 } else { 204.0 };
    let season = ((f64::from(date.day_of_year()) - warmest) / 365.25 * std::f64::consts::TAU).cos();

    let mut weather = source.of(&["day", city, &date.to_string()]);
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
        day(&Source::new(seed, "weather"), &Climate::of_name(city), date.parse().unwrap())
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
        let pole = Climate::of_point(Point { latitude: -90.0, longitude: 0.0 });
        for seed in 0..1000 {
            let day = match seed % 3 {
                0 => on(seed, "Paris", "2027-03-01"),
                1 => on(seed, "Nowhere", "2027-07-24"),
                _ => day(&Source::new(seed, "weather"), &pole, "2027-07-24".parse().unwrap()),
            };
            assert!(day.minimum_celsius < day.temperature_celsius && day.temperature_celsius < day.maximum_celsius);
            assert!((-60.0..50.0).contains(&day.temperature_celsius), "{day:?}");
            assert!(day.humidity_percent <= 100 && day.precipitation_mm >= 0.0 && day.wind_metres_per_second > 0.0);
            assert_eq!(matches!(day.sky(), Sky::Clear | Sky::Clouds), day.precipitation_mm == 0.0);
        }
    }

    #[test]
    fn winter_is_cold_and_half_a_year_apart_in_the_south() {
        let mean = |city, month: &str| {
            let days = (1..=28).map(|day| on(1, city, &format!("2027-{month}-{day:02}")).temperature_celsius);
            days.sum::<f64>() / 28.0
        };
        assert!(mean("Helsinki", "07") > mean("Helsinki", "01") + 10.0);
        assert!(mean("Sydney", "01") > mean("Sydney", "07") + 5.0);
        assert!(mean("Singapore", "01") > mean("Oslo", "01") + 15.0);
    }

    #[test]
    fn a_place_in_a_city_has_the_weather_of_the_city() {
        let near = Point { latitude: 48.9, longitude: 2.3 };
        assert_eq!(Climate::of_point(near), Climate::of_name("PARIS"));
        assert_ne!(Climate::of_point(Point { latitude: 0.0, longitude: -30.0 }), Climate::of_name("Paris"));
    }
}
