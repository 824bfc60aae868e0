//! Flight searches, offers, and how offers are ranked.

use std::borrow::Cow;

use garde::Validate;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::amount::Amount;

/// Weight of price in the score; the rest is convenience.
const PRICE_WEIGHT: f64 = 0.7;
/// What each stop takes off convenience.
const STOP_PENALTY: f64 = 0.3;

/// A flight search. All of it is the cache key: two searches that differ anywhere never share an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlightSearch {
    #[garde(custom(is_iata_code))]
    pub(crate) origin: String,
    #[garde(custom(is_iata_code), custom(differs_from(&self.origin)))]
    pub(crate) destination: String,
    #[garde(skip)]
    pub(crate) departure_date: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(is_not_before_departure(&self.departure_date))))]
    pub(crate) return_date: Option<Date>,
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 9))]
    pub(crate) adults: u8,
    #[serde(default)]
    #[garde(range(max = 9))]
    pub(crate) children: u8,
    #[serde(default)]
    #[garde(range(max = 4), custom(has_laps(&self.adults)))]
    pub(crate) infants: u8,
    #[serde(default)]
    #[garde(skip)]
    pub(crate) cabin_class: CabinClass,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(range(max = 3))]
    pub(crate) max_stops: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(is_more_than_nothing)))]
    pub(crate) max_price: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(max = 20), inner(ascii, alphanumeric, length(min = 2, max = 3))))]
    pub(crate) preferred_airlines: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(max = 20), inner(ascii, alphanumeric, length(min = 2, max = 3))))]
    pub(crate) excluded_airlines: Option<Vec<String>>,
    #[serde(default = "dollars")]
    #[garde(ascii, alphanumeric, length(equal = 3))]
    pub(crate) currency: String,
}

/// Where in the aeroplane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CabinClass {
    #[default]
    Economy,
    PremiumEconomy,
    Business,
    First,
}

/// One flight from take-off to landing.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub(crate) struct Segment {
    pub(crate) departure_airport: String,
    pub(crate) arrival_airport: String,
    pub(crate) departure_time: String,
    pub(crate) arrival_time: String,
    pub(crate) flight_number: String,
    pub(crate) duration_minutes: u32,
}

/// What a provider sells, before it is ranked.
#[derive(Debug, Clone)]
pub(crate) struct ProviderOffer {
    pub(crate) id: String,
    pub(crate) outbound_segments: Vec<Segment>,
    pub(crate) return_segments: Option<Vec<Segment>>,
    pub(crate) total_price: Amount,
    pub(crate) base_price: Option<Amount>,
    pub(crate) taxes: Option<Amount>,
    pub(crate) currency: String,
    pub(crate) cabin_class: CabinClass,
    pub(crate) airlines: Vec<String>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) bookable: bool,
}

/// An offer as answered.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub(crate) struct Offer {
    pub(crate) id: String,
    /// The search that found it; absent when it was looked up on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) search_id: Option<Uuid>,
    pub(crate) outbound_segments: Vec<Segment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) return_segments: Option<Vec<Segment>>,
    pub(crate) total_price: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_price: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) taxes: Option<Amount>,
    pub(crate) currency: String,
    pub(crate) cabin_class: CabinClass,
    /// Minutes in the air, outbound.
    pub(crate) total_duration: u32,
    pub(crate) stops_count: usize,
    pub(crate) airlines: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) bookable: bool,
    #[schema(value_type = String)]
    pub(crate) source: Cow<'static, str>,
    pub(crate) source_offer_id: String,
    pub(crate) score: f64,
    pub(crate) price_score: f64,
    pub(crate) convenience_score: f64,
}

/// The offers of one search, best first.
#[derive(Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub(crate) struct FlightsFound {
    pub(crate) search_id: Uuid,
    pub(crate) offers: Vec<Offer>,
    pub(crate) total_results: usize,
    pub(crate) currency: String,
    pub(crate) min_price: Option<Amount>,
    pub(crate) max_price: Option<Amount>,
    /// The search as understood.
    pub(crate) search_parameters: FlightSearch,
}

impl FlightSearch {
    /// The same search in its one normal form: codes in capitals, lists sorted, so that equal searches are equal.
    pub(crate) fn normalized(mut self) -> Self {
        self.origin.make_ascii_uppercase();
        self.destination.make_ascii_uppercase();
        self.currency.make_ascii_uppercase();
        for airlines in [&mut self.preferred_airlines, &mut self.excluded_airlines].into_iter().flatten() {
            airlines.iter_mut().for_each(|code| code.make_ascii_uppercase());
            airlines.sort_unstable();
            airlines.dedup();
        }
        self
    }

    /// Whether it departs before today.
    pub(crate) fn is_in_the_past(&self, today: Date) -> bool {
        self.departure_date < today
    }

    fn admits(&self, offer: &ProviderOffer) -> bool {
        let excluded = self.excluded_airlines.iter().flatten().any(|code| offer.airlines.contains(code));
        let too_dear = self.max_price.is_some_and(|max| offer.total_price > max);
        let too_many_stops = self.max_stops.is_some_and(|max| stops(&offer.outbound_segments) > usize::from(max));
        !excluded && !too_dear && !too_many_stops
    }
}

/// Keeps the offers that the search admits, scores them against the cheapest, best first.
pub(crate) fn rank(
    search: &FlightSearch,
    search_id: Uuid,
    source: &'static str,
    offers: Vec<ProviderOffer>,
) -> FlightsFound {
    let admitted: Vec<_> = offers.into_iter().filter(|offer| search.admits(offer)).collect();
    let min_price = admitted.iter().map(|offer| offer.total_price).min();
    let max_price = admitted.iter().map(|offer| offer.total_price).max();
    let cheapest = min_price.unwrap_or_default();
    let mut offers: Vec<_> =
        admitted.into_iter().map(|offer| score(offer, Some(search_id), source, cheapest)).collect();
    offers.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    FlightsFound {
        search_id,
        total_results: offers.len(),
        offers,
        currency: search.currency.clone(),
        min_price,
        max_price,
        search_parameters: search.clone(),
    }
}

/// An offer that was looked up on its own: scored as the only one.
pub(crate) fn single(offer: ProviderOffer, source: &'static str) -> Offer {
    let cheapest = offer.total_price;
    score(offer, None, source, cheapest)
}

fn score(offer: ProviderOffer, search_id: Option<Uuid>, source: &'static str, cheapest: Amount) -> Offer {
    let stops_count = stops(&offer.outbound_segments);
    let price_score = cheapest.ratio_to(offer.total_price);
    let convenience_score = (1.0 - STOP_PENALTY * stops_count as f64).max(0.0);
    Offer {
        search_id,
        total_duration: offer.outbound_segments.iter().map(|segment| segment.duration_minutes).sum(),
        stops_count,
        source: source.into(),
        source_offer_id: offer.id.clone(),
        score: PRICE_WEIGHT * price_score + (1.0 - PRICE_WEIGHT) * convenience_score,
        price_score,
        convenience_score,
        id: offer.id,
        outbound_segments: offer.outbound_segments,
        return_segments: offer.return_segments,
        total_price: offer.total_price,
        base_price: offer.base_price,
        taxes: offer.taxes,
        currency: offer.currency,
        cabin_class: offer.cabin_class,
        airlines: offer.airlines,
        expires_at: offer.expires_at,
        bookable: offer.bookable,
    }
}

fn stops(segments: &[Segment]) -> usize {
    segments.len().saturating_sub(1)
}

fn one() -> u8 {
    1
}

fn dollars() -> String {
    "USD".into()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn is_iata_code(code: &str, (): &()) -> garde::Result {
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_code { Ok(()) } else { Err(garde::Error::new("is not an airport code of three letters")) }
}

fn differs_from(origin: &str) -> impl FnOnce(&str, &()) -> garde::Result + '_ {
    move |destination, ()| {
        if destination.eq_ignore_ascii_case(origin) {
            Err(garde::Error::new("is the same as the origin"))
        } else {
            Ok(())
        }
    }
}

fn is_not_before_departure(departure: &Date) -> impl FnOnce(&Date, &()) -> garde::Result + '_ {
    move |back, ()| if back >= departure { Ok(()) } else { Err(garde::Error::new("is before the departure date")) }
}

fn has_laps(adults: &u8) -> impl FnOnce(&u8, &()) -> garde::Result + '_ {
    move |infants, ()| {
        if infants <= adults { Ok(()) } else { Err(garde::Error::new("is more than the number of adults")) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn is_more_than_nothing(amount: &Amount, (): &()) -> garde::Result {
    if amount.is_positive() { Ok(()) } else { Err(garde::Error::new("must be more than 0")) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn search(change: Value) -> Result<FlightSearch, serde_json::Error> {
        let mut body = json!({"origin": "JFK", "destination": "CDG", "departure_date": "2030-05-01"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body)
    }

    fn offer(id: &str, price: f64, segments: usize, airline: &str) -> ProviderOffer {
        let segment = Segment {
            departure_airport: "JFK".into(),
            arrival_airport: "CDG".into(),
            departure_time: "2030-05-01T08:00:00Z".into(),
            arrival_time: "2030-05-01T15:00:00Z".into(),
            flight_number: format!("{airline}1"),
            duration_minutes: 100,
        };
        ProviderOffer {
            id: id.into(),
            outbound_segments: vec![segment; segments],
            return_segments: None,
            total_price: serde_json::from_value(price.into()).unwrap(),
            base_price: None,
            taxes: None,
            currency: "USD".into(),
            cabin_class: CabinClass::Economy,
            airlines: vec![airline.into()],
            expires_at: None,
            bookable: true,
        }
    }

    #[test]
    fn what_was_found_is_read_as_it_is_written() {
        let search = search(json!({"max_price": 250.1, "return_date": "2030-05-08"})).unwrap();
        let full = ProviderOffer {
            return_segments: Some(offer("r", 1.0, 2, "LH").outbound_segments),
            base_price: Some(Amount::from_cents(11_129)),
            taxes: Some(Amount::from_cents(7)),
            cabin_class: CabinClass::First,
            expires_at: Some("2030-05-01T08:00:00.123456789Z".parse().unwrap()),
            bookable: false,
            ..offer("a", 111.29, 3, "LH")
        };
        for offers in [vec![], vec![full, offer("b", 99.99, 1, "AF"), offer("c", 0.0, 2, "AF")]] {
            let found = rank(&search, Uuid::nil(), "flights", offers);
            let json = serde_json::to_vec(&found).unwrap();
            assert_eq!(serde_json::from_slice::<FlightsFound>(&json).unwrap(), found);
        }
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"return_date": "2030-05-01", "infants": 1}), None)]
    #[case(json!({"origin": "JF"}), Some("origin"))]
    #[case(json!({"origin": "J1K"}), Some("origin"))]
    #[case(json!({"destination": "jfk"}), Some("destination"))]
    #[case(json!({"return_date": "2030-04-30"}), Some("return_date"))]
    #[case(json!({"adults": 0}), Some("adults"))]
    #[case(json!({"adults": 10}), Some("adults"))]
    #[case(json!({"children": 10}), Some("children"))]
    #[case(json!({"infants": 2}), Some("infants"))]
    #[case(json!({"max_stops": 4}), Some("max_stops"))]
    #[case(json!({"max_price": 0}), Some("max_price"))]
    #[case(json!({"preferred_airlines": ["A"]}), Some("preferred_airlines[0]"))]
    #[case(json!({"currency": "US"}), Some("currency"))]
    fn searches_are_checked(#[case] change: Value, #[case] wrong: Option<&str>) {
        let report = search(change).unwrap().validate().err();
        assert_eq!(report.map(|r| r.iter().next().unwrap().0.to_string()).as_deref(), wrong);
    }

    #[rstest]
    #[case(json!({"adults": -1}))]
    #[case(json!({"adults": 300}))]
    #[case(json!({"departure_date": "2030-02-30"}))]
    #[case(json!({"cabin_class": "cargo"}))]
    #[case(json!({"max_price": -3}))]
    #[case(json!({"colour": "red"}))]
    fn what_is_no_search_is_refused(#[case] change: Value) {
        assert!(search(change).is_err());
    }

    #[rstest]
    #[case(json!({"max_stops": 0}))]
    #[case(json!({"max_price": 100}))]
    #[case(json!({"preferred_airlines": ["AF"]}))]
    #[case(json!({"excluded_airlines": ["AF"]}))]
    #[case(json!({"currency": "EUR"}))]
    #[case(json!({"adults": 2}))]
    #[case(json!({"cabin_class": "first"}))]
    fn every_filter_is_in_the_cache_key(#[case] change: Value) {
        assert_ne!(search(json!({})).unwrap().normalized(), search(change).unwrap().normalized());
    }

    #[test]
    fn spelling_is_not_in_the_cache_key() {
        let a = search(json!({"origin": "jfk", "preferred_airlines": ["lh", "AF", "LH"]})).unwrap().normalized();
        let b = search(json!({"preferred_airlines": ["AF", "LH"]})).unwrap().normalized();
        assert_eq!(a, b);
    }

    #[test]
    fn offers_are_filtered_scored_and_sorted() {
        let search = search(json!({"max_price": 1000, "max_stops": 1, "excluded_airlines": ["XX"]})).unwrap();
        let offers = vec![
            offer("dear", 1000.01, 1, "AF"),
            offer("two-stops", 10.0, 3, "AF"),
            offer("excluded", 10.0, 1, "XX"),
            offer("direct", 500.0, 1, "AF"),
            offer("cheap", 400.0, 2, "LH"),
        ];
        let found = rank(&search, Uuid::nil(), "flights", offers);
        let scores: Vec<_> =
            found.offers.iter().map(|offer| (offer.id.as_str(), (offer.score * 1000.0).round())).collect();
        // cheap: 0.7 × 1 + 0.3 × 0.7 = 0.91; direct: 0.7 × 0.8 + 0.3 × 1 = 0.86.
        assert_eq!(scores, [("cheap", 910.0), ("direct", 860.0)]);
        assert_eq!(serde_json::to_value([found.min_price, found.max_price]).unwrap(), json!([400.0, 500.0]));
    }

    #[test]
    fn no_offers_is_an_empty_answer() {
        let found = rank(&search(json!({})).unwrap(), Uuid::nil(), "flights", Vec::new());
        assert!(found.offers.is_empty() && found.min_price.is_none());
    }
}
