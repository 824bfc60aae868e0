//! What users ask for: airports, destinations and prompts from data files, drawn by the number of the arrival.
use crate::draw::Draw;
use jiff::{ToSpan as _, civil::Date};
use std::sync::LazyLock;

/// An airport.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Airport {
    /// IATA code.
    pub(crate) code: &'static str,
    /// Its city.
    pub(crate) city: &'static str,
}

/// A place to travel to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Destination {
    /// Its city.
    pub(crate) city: &'static str,
    /// Its country.
    pub(crate) country: &'static str,
    /// Degrees north.
    pub(crate) latitude: f64,
    /// Degrees east.
    pub(crate) longitude: f64,
}

/// Airports, the most asked for first.
pub(crate) static AIRPORTS: LazyLock<Vec<Airport>> =
    LazyLock::new(|| rows(include_str!("../data/airports.csv")).map(|[code, city]| Airport { code, city }).collect());

/// Destinations, the most asked for first.
pub(crate) static DESTINATIONS: LazyLock<Vec<Destination>> = LazyLock::new(|| {
    let degrees = |text: &str| text.parse().expect("the file is checked by a test");
    let destination = |[city, country, latitude, longitude]: [&'static str; 4]| Destination {
        city,
        country,
        latitude: degrees(latitude),
        longitude: degrees(longitude),
    };
    rows(include_str!("../data/destinations.csv")).map(destination).collect()
});

/// What users write in a chat, with places for cities, airports and dates.
pub(crate) static PROMPTS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("../data/prompts.txt").lines().filter(|line| !line.is_empty()).collect());

fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split(',').collect();
        cells.try_into().expect("the file is checked by a test")
    };
    text.lines().skip(1).map(row)
}

/// Two different airports.
pub(crate) fn route(draw: &mut Draw) -> (Airport, Airport) {
    let origin = *draw.popular(&AIRPORTS);
    loop {
        let destination = *draw.popular(&AIRPORTS);
        if destination != origin {
            return (origin, destination);
        }
    }
}

/// A day `first` to `last` days after another.
pub(crate) fn day_after(draw: &mut Draw, day: Date, first: u32, last: u32) -> Date {
    day.saturating_add(i64::from(draw.between(first, last)).days())
}

/// A prompt with its places filled.
pub(crate) fn prompt(draw: &mut Draw, day: Date) -> String {
    let template = *draw.one_of(&PROMPTS);
    let city = draw.popular(&DESTINATIONS).city;
    let (origin, destination) = route(draw);
    let date = day_after(draw, day, 14, 120);
    template
        .replace("{city}", city)
        .replace("{origin}", origin.code)
        .replace("{destination}", destination.code)
        .replace("{date}", &date.to_string())
        .replace("{month}", &date.strftime("%B").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;

    #[test]
    fn the_data_files_are_whole() {
        let codes: std::collections::BTreeSet<_> = AIRPORTS.iter().map(|airport| airport.code).collect();
        assert!(codes.len() == AIRPORTS.len() && codes.len() >= 40, "every airport once");
        assert!(codes.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
        let on_earth = |place: &Destination| place.latitude.abs() <= 90.0 && place.longitude.abs() <= 180.0;
        assert!(DESTINATIONS.len() >= 30 && DESTINATIONS.iter().all(on_earth));
        assert!(PROMPTS.len() >= 15);
    }

    #[test]
    fn prompts_are_filled_and_routes_lead_somewhere_else() {
        let day: Date = "2030-12-31".parse().unwrap();
        for k in 0..2_000 {
            let mut draw = Draw::new(5, Purpose::Payload, k);
            let text = prompt(&mut draw, day);
            assert!(!text.contains(['{', '}']), "{text}");
            let (origin, destination) = route(&mut draw);
            assert_ne!(origin.code, destination.code);
            let date = day_after(&mut draw, day, 1, 30);
            assert!(date > day && date <= "2031-01-30".parse().unwrap());
        }
    }
}
