//! Places to stay: each a pure function of a source and its id, such as `stay_LIS_07`.

use jiff::{ToSpan, civil::Date};
use rand::{RngExt, seq::IndexedRandom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{city::City, currency::Currency, source::Source};

/// How likely it is that somebody else has a night.
const TAKEN: f64 = 0.06;

/// The farthest a place is from the centre, in kilometres to the north or east.
const OUTSKIRTS_KM: f64 = 6.0;

#[rustfmt::skip]
const AMENITIES: [&str; 14] = [
    "wifi", "kitchen", "air_conditioning", "heating", "washer", "dryer", "tv", "parking", "pool", "gym", "breakfast",
    "balcony", "workspace", "elevator",
];
const ADJECTIVES: [&str; 10] =
    ["Sunny", "Quiet", "Charming", "Modern", "Cosy", "Bright", "Spacious", "Stylish", "Historic", "Green"];
const QUARTERS: [&str; 8] = [
    "Old Town",
    "Harbour",
    "University Quarter",
    "Market Hall",
    "Riverside",
    "Garden District",
    "Museum Mile",
    "Station",
];
const STREETS: [&str; 8] = [
    "Church Street",
    "Station Road",
    "Park Lane",
    "Market Square",
    "Mill Lane",
    "Bridge Street",
    "High Street",
    "Hill Road",
];

/// What kind of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PropertyType {
    Hotel,
    Apartment,
    House,
    Villa,
    Resort,
    Hostel,
    BedAndBreakfast,
    GuestHouse,
    Other,
}

impl PropertyType {
    /// As likely as they are listed; nothing is `other`.
    const COMMON: [Self; 12] = [
        Self::Apartment,
        Self::Apartment,
        Self::Apartment,
        Self::Apartment,
        Self::House,
        Self::House,
        Self::Hotel,
        Self::GuestHouse,
        Self::BedAndBreakfast,
        Self::Hostel,
        Self::Villa,
        Self::Resort,
    ];

    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Hotel => "hotel",
            Self::Apartment => "apartment",
            Self::House => "house",
            Self::Villa => "villa",
            Self::Resort => "resort",
            Self::Hostel => "hostel",
            Self::BedAndBreakfast => "bed and breakfast",
            Self::GuestHouse => "guest house",
            Self::Other => "place",
        }
    }

    /// US dollars per night and guest, more or less.
    fn usd_per_guest(self) -> f64 {
        match self {
            Self::Hostel => 18.0,
            Self::GuestHouse | Self::BedAndBreakfast | Self::Other => 32.0,
            Self::Apartment | Self::House => 38.0,
            Self::Hotel => 60.0,
            Self::Villa => 75.0,
            Self::Resort => 90.0,
        }
    }
}

/// A place to stay.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Listing {
    pub(super) id: String,
    name: String,
    pub(super) property_type: PropertyType,
    location: Location,
    pub(super) price_per_night: f64,
    /// ISO 4217 code.
    currency: &'static str,
    /// 1 to 5.
    rating: f64,
    review_count: u32,
    amenities: Vec<&'static str>,
    /// URLs.
    images: Vec<String>,
    pub(super) max_guests: u32,
    bedrooms: u32,
    beds: u32,
    bathrooms: u32,
    cancellation_policy: &'static str,
    url: String,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct Location {
    address: String,
    city: &'static str,
    country: &'static str,
    latitude: f64,
    longitude: f64,
    distance_to_center_km: f64,
}

/// How many places there are in `city`: 24 to 60.
fn count(source: &Source, city: &City) -> usize {
    source.of(&["count", city.airport]).random_range(24..=60)
}

/// The city and number of the listing called `id`, if there is such a one.
fn find(source: &Source, id: &str) -> Option<(&'static City, usize)> {
    let (airport, number) = id.strip_prefix("stay_")?.split_once('_')?;
    let city = City::all().find(|city| city.airport == airport)?;
    let index = number.parse().ok().filter(|index| *index < count(source, city))?;
    // One spelling only: `07`, not `7` or `+7`.
    (format!("{index:02}") == number).then_some((city, index))
}

/// Every place in `city`, in the order of their numbers.
pub(super) fn listings(source: &Source, city: &'static City, currency: Currency) -> Vec<Listing> {
    (0..count(source, city)).map(|index| made(source, city, index, currency)).collect()
}

/// The listing called `id`.
pub(super) fn listing(source: &Source, id: &str, currency: Currency) -> Option<Listing> {
    find(source, id).map(|(city, index)| made(source, city, index, currency))
}

/// Whether nobody else has any of `nights` nights from `checkin`.
pub(super) fn is_free(source: &Source, id: &str, checkin: Date, nights: u32) -> bool {
    let mut dates = checkin.series(1.day()).take(nights as usize);
    dates.all(|date| !source.of(&["night", id, &date.to_string()]).random_bool(TAKEN))
}

fn made(source: &Source, city: &'static City, index: usize, currency: Currency) -> Listing {
    let id = format!("stay_{}_{index:02}", city.airport);
    let mut rng = source.of(&["listing", &id]);
    let mut pick = |texts: &[&'static str]| *texts.choose(&mut rng).expect("there are texts");
    let (adjective, quarter, street) = (pick(&ADJECTIVES), pick(&QUARTERS), pick(&STREETS));
    let cancellation_policy = pick(&["flexible", "moderate", "strict"]);
    let property_type = *PropertyType::COMMON.choose(&mut rng).expect("there are types");
    let bedrooms = rng.random_range(1..=4_u32);
    let beds = bedrooms + rng.random_range(0..=bedrooms);
    let max_guests = (beds + bedrooms).min(16);
    let (north, east) = (rng.random_range(-OUTSKIRTS_KM..OUTSKIRTS_KM), rng.random_range(-OUTSKIRTS_KM..OUTSKIRTS_KM));
    let point = city.point.moved_km(north, east);
    let rating = f64::from(rng.random_range(34..=50_u32)) / 10.0;
    // The centre costs half as much again as the outskirts, a star a fifth more.
    let distance_km = city.point.distance_km(point);
    let usd = property_type.usd_per_guest()
        * f64::from(max_guests).powf(0.8)
        * (1.5 - 0.5 * (distance_km / (OUTSKIRTS_KM * 1.5)).min(1.0))
        * 1.2_f64.powf(rating - 4.0)
        * rng.random_range(0.75..1.35);
    let amenity_count = rng.random_range(3..=9);
    let mut amenities: Vec<_> = AMENITIES.sample(&mut rng, amenity_count).copied().collect();
    amenities.sort_unstable();
    Listing {
        name: format!("{adjective} {} near {quarter}", property_type.noun()),
        property_type,
        location: Location {
            address: format!("{street} {}, {}", rng.random_range(1..=180), city.name),
            city: city.name,
            country: city.country,
            latitude: point.latitude,
            longitude: point.longitude,
            distance_to_center_km: (distance_km * 10.0).round() / 10.0,
        },
        price_per_night: currency.amount(currency.units(usd)),
        currency: currency.code,
        rating,
        review_count: rng.random_range(3..=480),
        amenities,
        images: (1..=3).map(|image| format!("https://stays.example/{id}/{image}.jpg")).collect(),
        max_guests,
        bedrooms,
        beds,
        bathrooms: rng.random_range(1..=bedrooms),
        cancellation_policy,
        url: format!("https://stays.example/{id}"),
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seed: u64, city: &str, currency: &str) -> Vec<Listing> {
        listings(&Source::new(seed, "airbnb"), City::named(city).unwrap(), Currency::of(currency).unwrap())
    }

    #[test]
    fn listings_are_a_pure_function_of_seed_and_city() {
        assert_eq!(of(1, "Lisbon", "EUR"), of(1, "Lisbon", "EUR"));
        assert_ne!(of(1, "Lisbon", "EUR"), of(2, "Lisbon", "EUR"));
        assert_ne!(of(1, "Lisbon", "EUR")[0].location, of(1, "Oslo", "EUR")[0].location);
    }

    #[test]
    fn every_listing_is_possible_and_found_by_its_id() {
        let source = Source::new(1, "airbnb");
        for city in City::all() {
            let listings = of(1, city.name, "USD");
            assert!((24..=60).contains(&listings.len()), "{}", city.name);
            for found in listings {
                assert_eq!(listing(&source, &found.id, Currency::of("USD").unwrap()), Some(found.clone()));
                assert!((5.0..3000.0).contains(&found.price_per_night), "{found:?}");
                assert!(found.max_guests >= found.bedrooms && found.beds >= found.bedrooms && found.bathrooms >= 1);
                assert!(found.location.distance_to_center_km < 9.0 && found.amenities.len() >= 3);
            }
        }
    }

    #[test]
    fn ids_of_nothing_find_nothing() {
        for id in ["", "stay_", "stay_LIS", "stay_LIS_99", "stay_LIS_1", "stay_LIS_+1", "stay_XXX_01", "stay_lis_01"] {
            assert_eq!(listing(&Source::new(1, "airbnb"), id, Currency::of("USD").unwrap()), None, "{id}");
        }
    }

    #[test]
    fn most_places_are_free_and_longer_stays_find_fewer() {
        let source = Source::new(1, "airbnb");
        let checkin = "2027-05-01".parse().unwrap();
        let free = |nights| (0..1000).filter(|id| is_free(&source, &id.to_string(), checkin, nights)).count();
        // 0.94 of 1000 and 0.94^7 = 0.648 of them; the standard errors are 7.5 and 15.
        assert!((910..970).contains(&free(1)), "{}", free(1));
        assert!((588..708).contains(&free(7)), "{}", free(7));
    }
}
