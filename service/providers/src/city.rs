//! The world as the providers know it: cities, their airports, coordinates and time zones.

/// Kilometres around a city that still belong to it.
const CITY_KM: f64 = 60.0;

/// The mean radius of the earth in kilometres.
const EARTH_KM: f64 = 6371.0;

/// A city, by an airport one flies to; a city with two airports is listed twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct City {
    pub(crate) name: &'static str,
    /// IATA code.
    pub(crate) airport: &'static str,
    pub(crate) country: &'static str,
    /// ISO 3166-1 alpha-2.
    pub(crate) country_code: &'static str,
    pub(crate) point: Point,
    /// IANA time zone.
    pub(crate) zone: &'static str,
}

/// A place on earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

const fn city(
    name: &'static str,
    airport: &'static str,
    (country_code, country): (&'static str, &'static str),
    latitude: f64,
    longitude: f64,
    zone: &'static str,
) -> City {
    City { name, airport, country, country_code, point: Point { latitude, longitude }, zone }
}

const US: (&str, &str) = ("US", "United States");
const CA: (&str, &str) = ("CA", "Canada");
const GB: (&str, &str) = ("GB", "United Kingdom");
const DE: (&str, &str) = ("DE", "Germany");
const IT: (&str, &str) = ("IT", "Italy");
const ES: (&str, &str) = ("ES", "Spain");
const JP: (&str, &str) = ("JP", "Japan");
const IN: (&str, &str) = ("IN", "India");
const AU: (&str, &str) = ("AU", "Australia");
const AE: (&str, &str) = ("AE", "United Arab Emirates");

/// The city names are those in English; coordinates are those of the centre, to a hundredth of a degree.
#[rustfmt::skip]
pub(crate) const CITIES: [City; 66] = [
    city("New York", "JFK", US, 40.71, -74.01, "America/New_York"),
    city("New York", "EWR", US, 40.71, -74.01, "America/New_York"),
    city("Los Angeles", "LAX", US, 34.05, -118.24, "America/Los_Angeles"),
    city("San Francisco", "SFO", US, 37.77, -122.42, "America/Los_Angeles"),
    city("Chicago", "ORD", US, 41.88, -87.63, "America/Chicago"),
    city("Miami", "MIA", US, 25.76, -80.19, "America/New_York"),
    city("Seattle", "SEA", US, 47.61, -122.33, "America/Los_Angeles"),
    city("Boston", "BOS", US, 42.36, -71.06, "America/New_York"),
    city("Atlanta", "ATL", US, 33.75, -84.39, "America/New_York"),
    city("Dallas", "DFW", US, 32.78, -96.80, "America/Chicago"),
    city("Denver", "DEN", US, 39.74, -104.99, "America/Denver"),
    city("Honolulu", "HNL", US, 21.31, -157.86, "Pacific/Honolulu"),
    city("Toronto", "YYZ", CA, 43.65, -79.38, "America/Toronto"),
    city("Vancouver", "YVR", CA, 49.28, -123.12, "America/Vancouver"),
    city("Mexico City", "MEX", ("MX", "Mexico"), 19.43, -99.13, "America/Mexico_City"),
    city("London", "LHR", GB, 51.51, -0.13, "Europe/London"),
    city("London", "LGW", GB, 51.51, -0.13, "Europe/London"),
    city("Edinburgh", "EDI", GB, 55.95, -3.19, "Europe/London"),
    city("Paris", "CDG", ("FR", "France"), 48.86, 2.35, "Europe/Paris"),
    city("Amsterdam", "AMS", ("NL", "Netherlands"), 52.37, 4.90, "Europe/Amsterdam"),
    city("Brussels", "BRU", ("BE", "Belgium"), 50.85, 4.35, "Europe/Brussels"),
    city("Frankfurt", "FRA", DE, 50.11, 8.68, "Europe/Berlin"),
    city("Munich", "MUC", DE, 48.14, 11.58, "Europe/Berlin"),
    city("Berlin", "BER", DE, 52.52, 13.41, "Europe/Berlin"),
    city("Zurich", "ZRH", ("CH", "Switzerland"), 47.37, 8.54, "Europe/Zurich"),
    city("Vienna", "VIE", ("AT", "Austria"), 48.21, 16.37, "Europe/Vienna"),
    city("Rome", "FCO", IT, 41.90, 12.50, "Europe/Rome"),
    city("Milan", "MXP", IT, 45.46, 9.19, "Europe/Rome"),
    city("Venice", "VCE", IT, 45.44, 12.32, "Europe/Rome"),
    city("Madrid", "MAD", ES, 40.42, -3.70, "Europe/Madrid"),
    city("Barcelona", "BCN", ES, 41.39, 2.17, "Europe/Madrid"),
    city("Lisbon", "LIS", ("PT", "Portugal"), 38.72, -9.14, "Europe/Lisbon"),
    city("Dublin", "DUB", ("IE", "Ireland"), 53.35, -6.26, "Europe/Dublin"),
    city("Copenhagen", "CPH", ("DK", "Denmark"), 55.68, 12.57, "Europe/Copenhagen"),
    city("Stockholm", "ARN", ("SE", "Sweden"), 59.33, 18.07, "Europe/Stockholm"),
    city("Oslo", "OSL", ("NO", "Norway"), 59.91, 10.75, "Europe/Oslo"),
    city("Helsinki", "HEL", ("FI", "Finland"), 60.17, 24.94, "Europe/Helsinki"),
    city("Athens", "ATH", ("GR", "Greece"), 37.98, 23.73, "Europe/Athens"),
    city("Istanbul", "IST", ("TR", "Turkey"), 41.01, 28.98, "Europe/Istanbul"),
    city("Prague", "PRG", ("CZ", "Czechia"), 50.08, 14.44, "Europe/Prague"),
    city("Warsaw", "WAW", ("PL", "Poland"), 52.23, 21.01, "Europe/Warsaw"),
    city("Budapest", "BUD", ("HU", "Hungary"), 47.50, 19.04, "Europe/Budapest"),
    city("Dubai", "DXB", AE, 25.20, 55.27, "Asia/Dubai"),
    city("Abu Dhabi", "AUH", AE, 24.45, 54.38, "Asia/Dubai"),
    city("Doha", "DOH", ("QA", "Qatar"), 25.29, 51.53, "Asia/Qatar"),
    city("Singapore", "SIN", ("SG", "Singapore"), 1.35, 103.82, "Asia/Singapore"),
    city("Hong Kong", "HKG", ("HK", "Hong Kong"), 22.32, 114.17, "Asia/Hong_Kong"),
    city("Tokyo", "HND", JP, 35.68, 139.69, "Asia/Tokyo"),
    city("Tokyo", "NRT", JP, 35.68, 139.69, "Asia/Tokyo"),
    city("Osaka", "KIX", JP, 34.69, 135.50, "Asia/Tokyo"),
    city("Seoul", "ICN", ("KR", "South Korea"), 37.57, 126.98, "Asia/Seoul"),
    city("Bangkok", "BKK", ("TH", "Thailand"), 13.76, 100.50, "Asia/Bangkok"),
    city("Delhi", "DEL", IN, 28.61, 77.21, "Asia/Kolkata"),
    city("Mumbai", "BOM", IN, 19.08, 72.88, "Asia/Kolkata"),
    city("Kathmandu", "KTM", ("NP", "Nepal"), 27.72, 85.32, "Asia/Kathmandu"),
    city("Sydney", "SYD", AU, -33.87, 151.21, "Australia/Sydney"),
    city("Melbourne", "MEL", AU, -37.81, 144.96, "Australia/Melbourne"),
    city("Auckland", "AKL", ("NZ", "New Zealand"), -36.85, 174.76, "Pacific/Auckland"),
    city("Cape Town", "CPT", ("ZA", "South Africa"), -33.92, 18.42, "Africa/Johannesburg"),
    city("Nairobi", "NBO", ("KE", "Kenya"), -1.29, 36.82, "Africa/Nairobi"),
    city("Cairo", "CAI", ("EG", "Egypt"), 30.04, 31.24, "Africa/Cairo"),
    city("Reykjavik", "KEF", ("IS", "Iceland"), 64.15, -21.94, "Atlantic/Reykjavik"),
    city("Buenos Aires", "EZE", ("AR", "Argentina"), -34.60, -58.38, "America/Argentina/Buenos_Aires"),
    city("Rio de Janeiro", "GIG", ("BR", "Brazil"), -22.91, -43.17, "America/Sao_Paulo"),
    city("Lima", "LIM", ("PE", "Peru"), -12.05, -77.04, "America/Lima"),
    city("Bogota", "BOG", ("CO", "Colombia"), 4.71, -74.07, "America/Bogota"),
];

impl City {
    /// The city called `name`, in any case; `Lisbon, Portugal` and `Rua Augusta 1, Lisbon` are Lisbon too.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        let mut parts = name.split(',').map(str::trim);
        parts.find_map(|part| CITIES.iter().find(|city| city.name.eq_ignore_ascii_case(part)))
    }

    /// The city with this airport.
    pub(crate) fn of_airport(code: &str) -> Option<&'static Self> {
        CITIES.iter().find(|city| city.airport.eq_ignore_ascii_case(code))
    }

    /// The city that this place belongs to.
    pub(crate) fn around(point: Point) -> Option<&'static Self> {
        Some(Self::nearest(point)).filter(|city| city.point.distance_km(point) <= CITY_KM)
    }

    /// The city that is the least far from `point`.
    pub(crate) fn nearest(point: Point) -> &'static Self {
        let distance = |city: &&Self| city.point.distance_km(point);
        CITIES.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).expect("there are many cities")
    }

    /// Each city once.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        CITIES
            .iter()
            .enumerate()
            .filter(|(index, city)| *index == 0 || CITIES[index - 1].name != city.name)
            .map(|(_, city)| city)
    }
}

impl Point {
    /// A place on earth, if these are degrees of one.
    pub(crate) fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_on_earth.then_some(Self { latitude, longitude })
    }

    /// Kilometres along a great circle, by the haversine formula.
    pub(crate) fn distance_km(self, other: Self) -> f64 {
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_north = (b - a) / 2.0;
        let half_east = (other.longitude - self.longitude).to_radians() / 2.0;
        let h = half_north.sin().powi(2) + a.cos() * b.cos() * half_east.sin().powi(2);
        2.0 * EARTH_KM * h.sqrt().min(1.0).asin()
    }

    /// The place so many kilometres to the north and to the east, to a ten-thousandth of a degree.
    pub(crate) fn moved_km(self, north: f64, east: f64) -> Self {
        let degrees = |km: f64| km / (EARTH_KM * std::f64::consts::PI / 180.0);
        let round = |degrees: f64| (degrees * 1e4).round() / 1e4;
        Self {
            latitude: round(self.latitude + degrees(north)),
            longitude: round(self.longitude + degrees(east) / self.latitude.to_radians().cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::tz::TimeZoneDatabase;
    use rstest::rstest;

    use super::*;

    #[test]
    fn every_city_is_on_earth_and_has_a_zone() {
        let zones = TimeZoneDatabase::bundled();
        for city in CITIES {
            assert!(Point::new(city.point.latitude, city.point.longitude).is_some(), "{city:?}");
            assert!(zones.get(city.zone).is_ok(), "{city:?}");
            assert_eq!((city.airport.len(), city.country_code.len()), (3, 2), "{city:?}");
            assert_eq!(City::nearest(city.point).name, city.name);
        }
    }

    #[test]
    fn airports_are_unique_and_cities_listed_once() {
        let airports: BTreeSet<_> = CITIES.iter().map(|city| city.airport).collect();
        assert_eq!(airports.len(), CITIES.len());
        let names: BTreeSet<_> = City::all().map(|city| city.name).collect();
        assert_eq!(City::all().count(), names.len());
    }

    // Great-circle distances between the airports' cities, to 1 %.
    #[rstest]
    #[case("New York", "London", 5570.0)]
    #[case("Paris", "Rome", 1106.0)]
    #[case("Sydney", "Auckland", 2156.0)]
    #[case("Paris", "Paris", 0.0)]
    fn distances_are_real(#[case] a: &str, #[case] b: &str, #[case] expected_km: f64) {
        let km = City::named(a).unwrap().point.distance_km(City::named(b).unwrap().point);
        assert!((km - expected_km).abs() <= expected_km / 100.0, "{km}");
    }

    #[test]
    fn a_place_belongs_to_the_city_around_it() {
        let paris = City::named("paris").unwrap();
        let moved = paris.point.moved_km(3.0, -4.0);
        assert!((paris.point.distance_km(moved) - 5.0).abs() < 0.05, "{moved:?}");
        assert_eq!(City::around(moved).unwrap().name, "Paris");
        assert_eq!(City::around(Point { latitude: 0.0, longitude: -30.0 }), None);
    }

    #[rstest]
    #[case("Lisbon, Portugal", Some("LIS"))]
    #[case("Rua Augusta 1, Lisbon", Some("LIS"))]
    #[case(" rio DE janeiro ", Some("GIG"))]
    #[case("Atlantis", None)]
    #[case("", None)]
    fn cities_are_found_by_name(#[case] name: &str, #[case] airport: Option<&str>) {
        assert_eq!(City::named(name).map(|city| city.airport), airport);
    }

    #[rstest]
    #[case(90.1, 0.0)]
    #[case(0.0, -180.1)]
    #[case(f64::NAN, 0.0)]
    fn degrees_off_the_earth_are_no_place(#[case] latitude: f64, #[case] longitude: f64) {
        assert_eq!(Point::new(latitude, longitude), None);
    }
}
