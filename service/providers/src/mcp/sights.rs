//! What there is to see in a city: made up, and the same for everyone who asks.

use rand::{RngExt, seq::IndexedRandom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    city::{City, Point},
    source::Source,
};

/// The farthest a sight is from the centre, in kilometres to the north or east.
const WALK_KM: f64 = 4.0;

/// What kind of place it is, in the words of Google's place types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Locality,
    TouristAttraction,
    Museum,
    Park,
    Restaurant,
}

/// Names with a gap for the city.
#[rustfmt::skip]
const SIGHTS: [(&str, Kind); 20] = [
    ("{} Cathedral", Kind::TouristAttraction), ("Old Town of {}", Kind::TouristAttraction),
    ("{} City Museum", Kind::Museum), ("{} Botanical Garden", Kind::Park),
    ("National Gallery of {}", Kind::Museum), ("{} Market Hall", Kind::TouristAttraction),
    ("{} Observation Tower", Kind::TouristAttraction), ("{} Opera House", Kind::TouristAttraction),
    ("{} Central Park", Kind::Park), ("{} Museum of Modern Art", Kind::Museum),
    ("{} Zoo", Kind::TouristAttraction), ("{} Riverside Walk", Kind::Park),
    ("{} Science Museum", Kind::Museum), ("{} Town Hall", Kind::TouristAttraction),
    ("Taverna {}", Kind::Restaurant), ("Bistro {}", Kind::Restaurant),
    ("The {} Kitchen", Kind::Restaurant), ("{} Tea House", Kind::Restaurant),
    ("{} Harbour Grill", Kind::Restaurant), ("{} Garden Restaurant", Kind::Restaurant),
];
const STREETS: [&str; 6] = ["Cathedral Square", "Museum Street", "Park Avenue", "Market Place", "King's Road", "Quay"];

/// A place worth going to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    /// Such as `plc_LIS_03`.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) address: String,
    pub(super) point: Point,
    /// 1 to 5.
    pub(super) rating: f64,
    pub(super) rating_count: u32,
    pub(super) city: &'static City,
}

/// Every sight of `city`, the best first.
pub(super) fn sights(source: &Source, city: &'static City) -> Vec<Sight> {
    let mut sights: Vec<_> = (0..SIGHTS.len()).map(|index| sight(source, city, index)).collect();
    sights.sort_by(|a, b| b.rating.total_cmp(&a.rating));
    sights
}

fn sight(source: &Source, city: &'static City, index: usize) -> Sight {
    let (name, kind) = SIGHTS[index];
    let id = format!("plc_{}_{index:02}", city.airport);
    let mut rng = source.of(&["sight", &id]);
    let street = STREETS.choose(&mut rng).expect("there are streets");
    let number = rng.random_range(1..=99);
    let (north, east) = (rng.random_range(-WALK_KM..WALK_KM), rng.random_range(-WALK_KM..WALK_KM));
    Sight {
        id,
        name: name.replace("{}", city.name),
        kind,
        address: format!("{street} {number}, {}, {}", city.name, city.country),
        point: city.point.moved_km(north, east),
        rating: f64::from(rng.random_range(32..=49_u32)) / 10.0,
        rating_count: rng.random_range(40..=45_000),
        city,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sights_are_a_pure_function_of_seed_and_city() {
        let of = |seed, name| sights(&Source::new(seed, "places"), City::named(name).unwrap());
        assert_eq!(of(1, "Lisbon"), of(1, "Lisbon"));
        assert_ne!(of(1, "Lisbon"), of(2, "Lisbon"));
    }

    #[test]
    fn every_sight_is_in_its_city_and_has_an_id_of_its_own() {
        let source = Source::new(1, "places");
        let all: Vec<_> = City::all().flat_map(|city| sights(&source, city)).collect();
        let ids: BTreeSet<_> = all.iter().map(|sight| sight.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        for sight in &all {
            assert!(sight.city.point.distance_km(sight.point) < 6.0, "{sight:?}");
            assert!((1.0..=5.0).contains(&sight.rating) && sight.name.contains(sight.city.name));
        }
    }
}
