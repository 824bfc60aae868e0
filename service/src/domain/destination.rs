//! Destinations: a place, with what a traveller wants to know about it.

use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    place::{LocalTime, Place},
    weather::{CurrentWeather, ForecastDay},
};

/// A search for destinations.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationSearch {
    /// A city, a country, or words about them.
    #[garde(custom(is_not_blank), length(bytes, max = 100))]
    pub(crate) query: String,
    #[serde(default = "ten")]
    #[garde(range(min = 1, max = 50))]
    pub(crate) limit: u32,
    #[serde(default)]
    #[garde(skip)]
    pub(crate) include_weather: bool,
    #[serde(default)]
    #[garde(skip)]
    pub(crate) include_attractions: bool,
}

/// A place to go to. What was not asked for, or could not be had, is null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Destination {
    #[serde(flatten)]
    pub(crate) place: Place,
    /// Now.
    pub(crate) weather: Option<CurrentWeather>,
    pub(crate) attractions: Option<Vec<Place>>,
}

/// Everything about one place to go to. What could not be had is null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DestinationDetails {
    #[serde(flatten)]
    pub(crate) destination: Destination,
    /// The next days, today included.
    pub(crate) forecast: Option<Vec<ForecastDay>>,
    pub(crate) local_time: Option<LocalTime>,
}

impl DestinationSearch {
    /// The same search in its one normal form.
    pub(crate) fn normalized(mut self) -> Self {
        self.query = self.query.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        self
    }
}

fn ten() -> u32 {
    10
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn is_not_blank(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() { Err(garde::Error::new("is empty")) } else { Ok(()) }
}
