//! Places: `place_search`, `place_details`.

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::place::{Place, Point},
};

/// What the provider calls an id that names nothing.
const NOT_FOUND: &str = "place_not_found";

/// Knows the map.
pub(crate) trait Places: Send + Sync {
    /// At most `limit` places that fit some words; all of one kind when one is named.
    fn search<'a>(&'a self, wish: &'a PlaceWish, caller: &'a Caller) -> BoxFuture<'a, Result<Vec<Place>, Failure>>;

    /// One place; none when the provider does not know it.
    fn place<'a>(&'a self, id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Option<Place>, Failure>>;
}

/// Places that someone wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct PlaceWish {
    pub(crate) query: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<PlaceKind>,
    pub(crate) limit: u32,
}

/// A kind of place, by the map's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlaceKind {
    /// A city.
    Locality,
    /// A sight.
    TouristAttraction,
}

#[derive(Serialize)]
struct DetailsArguments<'a> {
    place_id: &'a str,
}

#[derive(Deserialize)]
struct Found {
    results: Vec<WirePlace>,
}

#[derive(Deserialize)]
struct Details {
    result: WirePlace,
    description: Option<String>,
}

#[derive(Deserialize)]
struct WirePlace {
    place_id: String,
    /// Addresses have none.
    name: Option<String>,
    formatted_address: Option<String>,
    country: Option<String>,
    geometry: Option<Geometry>,
    #[serde(default)]
    types: Vec<String>,
    rating: Option<f64>,
    timezone: Option<String>,
}

#[derive(Deserialize)]
struct Geometry {
    location: Location,
}

#[derive(Deserialize)]
struct Location {
    lat: f64,
    lng: f64,
}

impl Places for Client {
    fn search<'a>(&'a self, wish: &'a PlaceWish, caller: &'a Caller) -> BoxFuture<'a, Result<Vec<Place>, Failure>> {
        async move {
            let found: Found = self.call("place_search", wish, Repeat::Once, caller).await?;
            // A server that knows no limit gives more.
            Ok(found.results.into_iter().take(wish.limit as usize).map(Place::from).collect())
        }
        .boxed()
    }

    fn place<'a>(&'a self, id: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Option<Place>, Failure>> {
        async move {
            let arguments = DetailsArguments { place_id: id };
            match self.call::<Details>("place_details", &arguments, Repeat::Once, caller).await {
                Err(failure) if failure.code() == Some(NOT_FOUND) => Ok(None),
                details => details
                    .map(|details| Some(Place { description: details.description, ..Place::from(details.result) })),
            }
        }
        .boxed()
    }
}

impl From<WirePlace> for Place {
    fn from(place: WirePlace) -> Self {
        let name = place.name.or_else(|| place.formatted_address.clone()).unwrap_or_else(|| place.place_id.clone());
        Self {
            id: place.place_id,
            name,
            address: place.formatted_address,
            country: place.country,
            point: place
                .geometry
                .map(|Geometry { location }| Point { latitude: location.lat, longitude: location.lng }),
            categories: place.types,
            rating: place.rating,
            description: None,
            timezone: place.timezone,
        }
    }
}
