//! The places of the world in the shape of Google's, found by id, by address or by words.

use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    city::{City, Point},
    mcp::sights::{Kind, Sight, sights},
    source::Source,
};

/// Words of a query that say what is wanted, not where or which.
#[rustfmt::skip]
const FILLERS: [&str; 20] = [
    "in", "at", "near", "around", "of", "the", "a", "and", "to", "for", "things", "do", "see", "visit", "best", "top",
    "good", "city", "destination", "destinations",
];

/// A city or a sight.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Place {
    pub(super) place_id: String,
    pub(super) name: String,
    pub(super) formatted_address: String,
    /// One or two of Google's place types.
    pub(super) types: Vec<Kind>,
    pub(super) geometry: Geometry,
    /// 1 to 5; cities have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rating: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_ratings_total: Option<u32>,
    pub(super) city: &'static str,
    pub(super) country: &'static str,
    /// ISO 3166-1 alpha-2.
    pub(super) country_code: &'static str,
    /// IATA code of the airport of the city.
    pub(super) airport: &'static str,
    /// IANA time zone.
    pub(super) timezone: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(super) struct Geometry {
    pub(super) location: Location,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(super) struct Location {
    lat: f64,
    lng: f64,
}

impl Place {
    fn of_city(city: &'static City) -> Self {
        Self {
            place_id: format!("plc_{}", city.airport),
            name: city.name.to_owned(),
            formatted_address: format!("{}, {}", city.name, city.country),
            types: vec![Kind::Locality],
            geometry: Geometry::of(city.point),
            rating: None,
            user_ratings_total: None,
            city: city.name,
            country: city.country,
            country_code: city.country_code,
            airport: city.airport,
            timezone: city.zone,
        }
    }

    fn of_sight(sight: Sight) -> Self {
        let types = match sight.kind {
            Kind::Museum | Kind::Park => vec![sight.kind, Kind::TouristAttraction],
            kind => vec![kind],
        };
        Self {
            place_id: sight.id,
            name: sight.name,
            formatted_address: sight.address,
            types,
            geometry: Geometry::of(sight.point),
            rating: Some(sight.rating),
            user_ratings_total: Some(sight.rating_count),
            ..Self::of_city(sight.city)
        }
    }

    pub(super) fn point(&self) -> Point {
        let Location { lat, lng } = self.geometry.location;
        Point { latitude: lat, longitude: lng }
    }

    fn is_like(&self, word: &str) -> bool {
        let names = [&self.name, &self.formatted_address, self.airport, self.country_code];
        names.iter().any(|name| words(name).any(|known| known.starts_with(word)))
    }
}

impl Geometry {
    fn of(point: Point) -> Self {
        Self { location: Location { lat: point.latitude, lng: point.longitude } }
    }
}

/// All places, made when the first is asked for: about half a megabyte.
pub(super) struct Atlas {
    source: Source,
    places: OnceLock<Vec<Place>>,
}

impl Atlas {
    pub(super) fn new(source: Source) -> Self {
        Self { source, places: OnceLock::new() }
    }

    /// All cities, then all sights.
    fn places(&self) -> &[Place] {
        self.places.get_or_init(|| {
            let sights = City::all().flat_map(|city| sights(&self.source, city)).map(Place::of_sight);
            City::all().map(Place::of_city).chain(sights).collect()
        })
    }

    /// Where an address is: that of a sight, or else the city it names.
    pub(super) fn addressed(&self, address: &str) -> Option<&Place> {
        let city = City::named(address)
            .or_else(|| City::of_airport(address.trim()))
            .or_else(|| City::all().find(|city| contains_words(address, city.name)))?;
        let mut there = self.places().iter().filter(|place| place.city == city.name);
        let the_city = there.next();
        let sight = there.find(|sight| {
            sight.formatted_address.eq_ignore_ascii_case(address.trim()) || contains_words(address, &sight.name)
        });
        sight.or(the_city)
    }

    /// The place called `id`.
    pub(super) fn with_id(&self, id: &str) -> Option<&Place> {
        self.places().iter().find(|place| place.place_id == id)
    }

    /// The places that have all words of `query`, those of `kind` or of what the query says; cities before sights.
    pub(super) fn matching(&self, query: &str, kind: Option<Kind>, near: Option<(Point, f64)>) -> Vec<&Place> {
        let kind = kind.or_else(|| kind_in(query));
        let is_wanted = |word: &String| !FILLERS.contains(&word.as_str()) && kind_of(word).is_none();
        let wanted: Vec<_> = words(query).filter(is_wanted).collect();
        if wanted.is_empty() && near.is_none() && kind.is_none() {
            return Vec::new();
        }
        self.places()
            .iter()
            .filter(|place| kind.is_none_or(|kind| place.types.contains(&kind)))
            .filter(|place| near.is_none_or(|(point, km)| place.point().distance_km(point) <= km))
            .filter(|place| wanted.iter().all(|word| place.is_like(word)))
            .collect()
    }
}

fn kind_in(query: &str) -> Option<Kind> {
    words(query).find_map(|word| kind_of(&word))
}

fn kind_of(word: &str) -> Option<Kind> {
    match word {
        "attraction" | "attractions" | "sight" | "sights" | "sightseeing" | "landmarks" => {
            Some(Kind::TouristAttraction)
        }
        "museum" | "museums" => Some(Kind::Museum),
        "park" | "parks" | "gardens" => Some(Kind::Park),
        "restaurant" | "restaurants" | "food" => Some(Kind::Restaurant),
        "cities" | "towns" => Some(Kind::Locality),
        _ => None,
    }
}

/// Whether the words of `phrase` stand in `text`, one after the other.
fn contains_words(text: &str, phrase: &str) -> bool {
    let (text, phrase): (Vec<_>, Vec<_>) = (words(text).collect(), words(phrase).collect());
    text.windows(phrase.len()).any(|window| window == phrase)
}

/// The words of a text in small letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn atlas() -> Atlas {
        Atlas::new(Source::new(1, "places"))
    }

    #[rstest]
    #[case("Lisbon", Some("Lisbon"))]
    #[case("lisbon, portugal", Some("Lisbon"))]
    #[case("KEF", Some("Reykjavik"))]
    #[case("somewhere in Rio de Janeiro please", Some("Rio de Janeiro"))]
    #[case("Lisbon Zoo", Some("Lisbon Zoo"))]
    #[case("Atlantis", None)]
    #[case("", None)]
    fn addresses_are_found(#[case] address: &str, #[case] name: Option<&str>) {
        assert_eq!(atlas().addressed(address).map(|place| place.name.as_str()), name);
    }

    #[rstest]
    #[case("Lisbon", None, 21)]
    #[case("museums in Lisbon", None, 4)]
    #[case("Lisbon", Some(Kind::Museum), 4)]
    #[case("attractions in Lisbon", None, 14)]
    #[case("things to do near Lisbon: food", None, 6)]
    #[case("Spain", Some(Kind::Locality), 2)]
    #[case("cities in Spain", None, 2)]
    #[case("spa", Some(Kind::Locality), 2)]
    #[case("Atlantis", None, 0)]
    #[case("the", None, 0)]
    #[case("", None, 0)]
    fn places_are_found_by_words(#[case] query: &str, #[case] kind: Option<Kind>, #[case] count: usize) {
        let atlas = atlas();
        let found = atlas.matching(query, kind, None);
        assert_eq!(found.len(), count, "{found:?}");
    }

    #[test]
    fn places_are_found_around_a_point() {
        let paris = City::named("Paris").unwrap().point;
        let atlas = atlas();
        let found = atlas.matching("", Some(Kind::Museum), Some((paris, 20.0)));
        assert!(found.len() == 4 && found.iter().all(|place| place.city == "Paris"), "{found:?}");
    }

    #[test]
    fn every_place_is_found_by_its_id() {
        let atlas = atlas();
        for place in atlas.matching("Lisbon", None, None) {
            assert_eq!(atlas.with_id(&place.place_id), Some(place));
        }
        for id in ["", "plc_", "plc_XXX", "plc_LIS_99", "plc_LIS_", "LIS"] {
            assert_eq!(atlas.with_id(id), None, "{id}");
        }
    }
}
