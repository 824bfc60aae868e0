//! Flight offers: a pure function of a source of randomness and a search.
//!
//! Fares grow with the flight time, the cabin and the travellers; a pair of airports always has the same flight
//! time, whoever asks. Nothing is known about real schedules.

use jiff::{Timestamp, ToSpan, civil::Date, civil::DateTime, tz::TimeZone};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{currency::Currency, source::Source};

const AIRLINES: [&str; 16] =
    ["AF", "BA", "LH", "KL", "IB", "AZ", "TP", "SK", "DL", "UA", "AA", "EK", "QR", "SQ", "NH", "QF"];
const HUBS: [&str; 12] = ["FRA", "AMS", "CDG", "LHR", "MAD", "IST", "DXB", "DOH", "ATL", "ORD", "SIN", "HND"];

/// How comfortably one travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CabinClass {
    #[default]
    Economy,
    PremiumEconomy,
    Business,
    First,
}

impl CabinClass {
    fn fare_factor(self) -> f64 {
        match self {
            Self::Economy => 1.0,
            Self::PremiumEconomy => 1.6,
            Self::Business => 3.2,
            Self::First => 5.0,
        }
    }
}

/// What was asked for, checked.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Search {
    pub(crate) origin: String,
    pub(crate) destination: String,
    pub(crate) departure_date: Date,
    pub(crate) return_date: Option<Date>,
    pub(crate) adults: u32,
    pub(crate) children: u32,
    pub(crate) infants: u32,
    pub(crate) cabin_class: CabinClass,
    pub(crate) max_stops: u32,
    /// Two-letter codes; empty for any.
    pub(crate) preferred_airlines: Vec<String>,
    #[serde(serialize_with = "code")]
    pub(crate) currency: Currency,
}

fn code<S: serde::Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.code)
}

/// One way to make the journey, for all travellers together.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Offer {
    pub(crate) id: String,
    /// Base and tax together.
    pub(crate) total_amount: f64,
    pub(crate) base_amount: f64,
    pub(crate) tax_amount: f64,
    /// ISO 4217 code.
    pub(crate) total_currency: &'static str,
    pub(crate) cabin_class: CabinClass,
    /// Codes of the airlines, each once.
    pub(crate) airlines: Vec<String>,
    /// RFC 3339.
    #[schemars(with = "String")]
    pub(crate) expires_at: Timestamp,
    pub(crate) bookable: bool,
    /// The way out, and the way back if one was asked for.
    pub(crate) slices: Vec<Slice>,
    pub(crate) passenger_count: u32,
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Slice {
    pub(crate) segments: Vec<Segment>,
}

/// One flight.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Segment {
    pub(crate) departure_airport: String,
    pub(crate) arrival_airport: String,
    /// RFC 3339, in UTC.
    #[schemars(with = "String")]
    pub(crate) departure_time: Timestamp,
    /// RFC 3339, in UTC.
    #[schemars(with = "String")]
    pub(crate) arrival_time: Timestamp,
    pub(crate) flight_number: String,
    pub(crate) duration_minutes: i64,
}

/// All offers for a search, cheapest first: 3 to 8 of them, valid until `expires_at`.
pub(crate) fn offers(source: &Source, search: &Search, search_id: &str, expires_at: Timestamp) -> Vec<Offer> {
    let mut rng = source.of(&["offers", search_id]);
    let flight_minutes = flight_minutes(source, &search.origin, &search.destination);
    let mut offers: Vec<_> =
        (0..rng.random_range(3..=8)).map(|_| offer(&mut rng, search, flight_minutes, expires_at)).collect();
    offers.sort_by(|a, b| a.total_amount.total_cmp(&b.total_amount));
    for (index, offer) in offers.iter_mut().enumerate() {
        offer.id = format!("off_{search_id}_{index}");
    }
    offers
}

/// Minutes in the air between two airports, the same in both directions.
fn flight_minutes(source: &Source, a: &str, b: &str) -> i64 {
    let (first, second) = if a < b { (a, b) } else { (b, a) };
    source.of(&["flight time", first, second]).random_range(60..=840)
}

fn offer(rng: &mut ChaCha8Rng, search: &Search, flight_minutes: i64, expires_at: Timestamp) -> Offer {
    let airline = match search.preferred_airlines.choose(rng) {
        Some(preferred) => preferred.clone(),
        None => one_of(rng, &AIRLINES).to_owned(),
    };
    let stops = stops(rng, search.max_stops);
    let mut slices =
        vec![slice(rng, &airline, stops, flight_minutes, search.departure_date, &search.origin, &search.destination)];
    if let Some(date) = search.return_date {
        slices.push(slice(rng, &airline, stops, flight_minutes, date, &search.destination, &search.origin));
    }
    // Children pay three quarters, infants a tenth; a stop makes it cheaper.
    let travellers = f64::from(search.adults) + 0.75 * f64::from(search.children) + 0.1 * f64::from(search.infants);
    let one_way_usd = (35.0 + 0.55 * flight_minutes as f64) * rng.random_range(0.8..1.4) * 0.88_f64.powi(stops as i32);
    let base_usd = one_way_usd * slices.len() as f64 * search.cabin_class.fare_factor() * travellers;
    let currency = search.currency;
    let base_units = currency.units(base_usd);
    let tax_units = currency.units(base_usd * rng.random_range(0.12..0.22));
    Offer {
        id: String::new(),
        total_amount: currency.amount(base_units + tax_units),
        base_amount: currency.amount(base_units),
        tax_amount: currency.amount(tax_units),
        total_currency: currency.code,
        cabin_class: search.cabin_class,
        airlines: vec![airline],
        expires_at,
        bookable: true,
        slices,
        passenger_count: search.adults + search.children + search.infants,
    }
}

/// Mostly direct flights, sometimes one stop, rarely two or three.
fn stops(rng: &mut ChaCha8Rng, max_stops: u32) -> u32 {
    let stops = match rng.random_range(0..100) {
        0..55 => 0,
        55..88 => 1,
        88..97 => 2,
        _ => 3,
    };
    stops.min(max_stops)
}

fn slice(
    rng: &mut ChaCha8Rng,
    airline: &str,
    stops: u32,
    flight_minutes: i64,
    date: Date,
    from: &str,
    to: &str,
) -> Slice {
    let mut airports = vec![from.to_owned()];
    let hubs: Vec<_> = HUBS.into_iter().filter(|hub| *hub != from && *hub != to).collect();
    airports.extend(hubs.sample(rng, stops as usize).map(|hub| (*hub).to_owned()));
    airports.push(to.to_owned());
    // A detour of a quarter per stop, shared evenly.
    let leg_minutes = (flight_minutes + flight_minutes * i64::from(stops) / 4) / i64::from(stops + 1);
    let mut time = midnight(date) + rng.random_range(5 * 12..22 * 12_i64).saturating_mul(5).minutes();
    let mut segments = Vec::with_capacity(airports.len() - 1);
    for pair in airports.windows(2) {
        let arrival = time + leg_minutes.minutes();
        segments.push(Segment {
            departure_airport: pair[0].clone(),
            arrival_airport: pair[1].clone(),
            departure_time: time,
            arrival_time: arrival,
            flight_number: format!("{airline}{}", rng.random_range(100..3000)),
            duration_minutes: leg_minutes,
        });
        time = arrival + rng.random_range(9..=36_i64).saturating_mul(5).minutes();
    }
    Slice { segments }
}

fn midnight(date: Date) -> Timestamp {
    DateTime::from(date).to_zoned(TimeZone::UTC).expect("searches are limited to dates this century").timestamp()
}

fn one_of<'a>(rng: &mut ChaCha8Rng, names: &[&'a str]) -> &'a str {
    names.choose(rng).copied().expect("the list is not empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(change: impl FnOnce(&mut Search)) -> Search {
        let mut search = Search {
            origin: "JFK".into(),
            destination: "CDG".into(),
            departure_date: "2027-03-01".parse().unwrap(),
            return_date: None,
            adults: 1,
            children: 0,
            infants: 0,
            cabin_class: CabinClass::Economy,
            max_stops: 3,
            preferred_airlines: vec![],
            currency: Currency::of("USD").unwrap(),
        };
        change(&mut search);
        search
    }

    fn found(seed: u64, change: impl FnOnce(&mut Search)) -> Vec<Offer> {
        offers(&Source::new(seed, "flights"), &search(change), "abc", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn offers_are_a_pure_function_of_seed_and_search() {
        assert_eq!(found(1, |_| {}), found(1, |_| {}));
        assert_ne!(found(1, |_| {}), found(2, |_| {}));
    }

    #[test]
    fn every_offer_is_consistent() {
        for seed in 0..200 {
            let offers = found(seed, |s| s.return_date = Some("2027-03-08".parse().unwrap()));
            assert!((3..=8).contains(&offers.len()));
            assert!(offers.is_sorted_by(|a, b| a.total_amount <= b.total_amount));
            for offer in offers {
                check_offer(&offer);
            }
        }
    }

    fn check_offer(offer: &Offer) {
        assert!((offer.base_amount + offer.tax_amount - offer.total_amount).abs() < 0.005);
        assert!(offer.base_amount > 0.0);
        assert_eq!(offer.slices.len(), 2);
        let ends: Vec<_> = offer
            .slices
            .iter()
            .map(|slice| {
                let (first, last) = (slice.segments.first().unwrap(), slice.segments.last().unwrap());
                (first.departure_airport.as_str(), last.arrival_airport.as_str())
            })
            .collect();
        assert_eq!(ends, [("JFK", "CDG"), ("CDG", "JFK")]);
        for slice in &offer.slices {
            for pair in slice.segments.windows(2) {
                assert_eq!(pair[0].arrival_airport, pair[1].departure_airport);
                assert!(pair[0].arrival_time < pair[1].departure_time);
            }
            for segment in &slice.segments {
                let minutes = segment.arrival_time.duration_since(segment.departure_time).as_mins();
                assert_eq!(minutes, segment.duration_minutes);
                assert!(minutes > 0);
            }
        }
    }

    #[test]
    fn wishes_are_respected() {
        for seed in 0..50 {
            for offer in found(seed, |s| {
                s.max_stops = 0;
                s.preferred_airlines = vec!["AF".into(), "DL".into()];
                s.adults = 2;
                s.children = 1;
            }) {
                assert_eq!(offer.slices[0].segments.len(), 1);
                assert!(["AF", "DL"].contains(&offer.airlines[0].as_str()));
                assert_eq!(offer.passenger_count, 3);
            }
        }
    }

    #[test]
    fn first_class_costs_more() {
        let cheapest = |cabin_class| found(1, |s| s.cabin_class = cabin_class)[0].total_amount;
        assert!(cheapest(CabinClass::First) > 4.0 * cheapest(CabinClass::Economy));
    }
}
