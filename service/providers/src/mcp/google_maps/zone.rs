//! The time zone of a place: that of the nearest city, or by the sun where no city is near.

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::city::{City, Point};

/// Kilometres beyond which no city says anything about the time.
const REACH_KM: f64 = 1500.0;

/// The zone of a place at an instant.
#[derive(Debug, PartialEq)]
pub(super) struct Zone {
    /// IANA time zone.
    pub(super) id: String,
    /// Such as `WEST`.
    pub(super) abbreviation: String,
    /// Seconds ahead of UTC without daylight saving time.
    pub(super) raw_offset: i32,
    /// Seconds of daylight saving time.
    pub(super) dst_offset: i32,
}

/// The zone that is kept at `point` when it is `now`.
pub(super) fn at(zones: &TimeZoneDatabase, point: Point, now: Timestamp) -> Zone {
    let city = City::nearest(point);
    let id = if city.point.distance_km(point) <= REACH_KM { city.zone.to_owned() } else { nautical(point) };
    let zone = zones.get(&id).unwrap_or(TimeZone::UTC);
    let info = zone.to_offset_info(now);
    let offset = info.offset().seconds();
    // Daylight saving time is an hour wherever these cities are.
    let dst_offset = if info.dst().is_dst() { 3600 } else { 0 };
    Zone { id, abbreviation: info.abbreviation().to_owned(), raw_offset: offset - dst_offset, dst_offset }
}

/// One hour for each 15 degrees; the names of these zones have the sign of POSIX, positive in the west.
fn nautical(point: Point) -> String {
    match (point.longitude / 15.0).round() as i32 {
        0 => "Etc/GMT".to_owned(),
        hours => format!("Etc/GMT{:+}", -hours),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2027-07-01T00:00:00Z", 38.72, -9.14, "Europe/Lisbon", "WEST", 0, 3600)]
    #[case("2027-01-01T00:00:00Z", 38.72, -9.14, "Europe/Lisbon", "WET", 0, 0)]
    #[case("2027-01-01T00:00:00Z", -33.9, 151.2, "Australia/Sydney", "AEDT", 36_000, 3600)]
    #[case("2027-07-01T00:00:00Z", 27.7, 85.3, "Asia/Kathmandu", "+0545", 20_700, 0)]
    #[case("2027-07-01T00:00:00Z", 0.0, -150.0, "Etc/GMT+10", "-10", -36_000, 0)]
    #[case("2027-07-01T00:00:00Z", -60.0, 1.0, "Etc/GMT", "GMT", 0, 0)]
    #[case("2027-07-01T00:00:00Z", -60.0, -180.0, "Etc/GMT+12", "-12", -43_200, 0)]
    fn a_place_has_the_zone_of_its_city_or_of_the_sun(
        #[case] now: &str,
        #[case] latitude: f64,
        #[case] longitude: f64,
        #[case] id: &str,
        #[case] abbreviation: &str,
        #[case] raw_offset: i32,
        #[case] dst_offset: i32,
    ) {
        let zone = at(&TimeZoneDatabase::bundled(), Point { latitude, longitude }, now.parse().unwrap());
        let expected = Zone { id: id.into(), abbreviation: abbreviation.into(), raw_offset, dst_offset };
        assert_eq!(zone, expected);
    }
}
