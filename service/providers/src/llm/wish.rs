//! What the user wishes for that only a tool can give: flights, a place to stay, the weather and the like.

use jiff::{ToSpan, civil::Date};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::place::mentions;
use crate::{
    city::{CITIES, City},
    currency::Currency,
    source::Source,
};

/// How far ahead a journey starts when no date is named.
const DAYS_AHEAD: i32 = 30;

/// Nights of a stay when no date is named.
const NIGHTS: i32 = 4;

/// Days of a forecast when no number is named.
const FORECAST_DAYS: u32 = 5;

/// A function the LLM knows how to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Flights,
    Stays,
    Weather,
    Forecast,
    Places,
    Address,
    Clock,
    Page,
}

impl Wish {
    pub(crate) const ALL: [Self; 8] = [
        Self::Flights,
        Self::Stays,
        Self::Weather,
        Self::Forecast,
        Self::Places,
        Self::Address,
        Self::Clock,
        Self::Page,
    ];

    /// The name of the function.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Flights => "search_flights",
            Self::Stays => "search_accommodations",
            Self::Weather => "get_current_weather",
            Self::Forecast => "get_forecast",
            Self::Places => "search_destinations",
            Self::Address => "geocode",
            Self::Clock => "get_current_time",
            Self::Page => "scrape_page",
        }
    }

    /// What `question` asks for, as far as it is offered: a forecast rather than the weather of today.
    pub(crate) fn all_in(question: &str, offered: &[Self]) -> Vec<Self> {
        let mut wishes: Vec<_> = offered.iter().copied().filter(|wish| wish.is_in(question)).collect();
        if wishes.contains(&Self::Forecast) {
            wishes.retain(|wish| *wish != Self::Weather);
        }
        wishes
    }

    /// Whether `question` asks for it.
    fn is_in(self, question: &str) -> bool {
        let signs: &[&str] = match self {
            Self::Flights => &["flight", "flights", "fly", "flying", "airfare", "airfares", "plane"],
            Self::Stays => &[
                "hotel",
                "hotels",
                "hostel",
                "hostels",
                "accommodation",
                "accommodations",
                "apartment",
                "apartments",
                "airbnb",
                "lodging",
                "place to stay",
                "places to stay",
                "where to stay",
            ],
            Self::Weather => {
                &["weather", "forecast", "temperature", "temperatures", "rain", "raining", "sunny", "snow"]
            }
            Self::Forecast => &["forecast", "weather tomorrow", "rain tomorrow", "weather next week"],
            Self::Places => &[
                "attraction",
                "attractions",
                "sights",
                "sightseeing",
                "museum",
                "museums",
                "park",
                "parks",
                "restaurant",
                "restaurants",
                "things to do",
                "what to do",
                "what to see",
            ],
            Self::Address => &["where is", "where are", "located", "coordinates", "address"],
            Self::Clock => &["what time", "local time", "current time", "time zone", "timezone", "clock"],
            Self::Page => return address_in(question).is_some(),
        };
        let words: Vec<_> = question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        signs.iter().any(|sign| {
            let sign: Vec<_> = sign.split(' ').collect();
            let is_sign =
                |window: &[&str]| window.iter().zip(&sign).all(|(word, sign)| word.eq_ignore_ascii_case(sign));
            words.windows(sign.len()).any(is_sign)
        })
    }

    /// The arguments of the call, taken from `question`; what it leaves out is chosen by the seed.
    pub(crate) fn arguments(self, source: &Source, question: &str, today: Date) -> Value {
        match self {
            Self::Flights => flights(source, question, today),
            Self::Stays => stays(source, question, today),
            Self::Weather => json!({"city": city(source, question)}),
            Self::Forecast => json!({"city": city(source, question), "days": days(question)}),
            Self::Places => json!({"query": format!("{} in {}", kind(question), city(source, question))}),
            Self::Address => json!({"address": city(source, question)}),
            Self::Clock => {
                let zone = City::named(&city(source, question)).map_or("UTC", |city| city.zone);
                json!({"timezone": zone})
            }
            Self::Page => json!({"url": address_in(question).unwrap_or("https://guide.example/")}),
        }
    }
}

fn flights(source: &Source, question: &str, today: Date) -> Value {
    let (origin, destination) = route(source, question);
    let mut dates = words(question).filter_map(|word| word.parse::<Date>().ok());
    let departure_date = dates.next().unwrap_or_else(|| today.saturating_add(DAYS_AHEAD.days()));
    let mut arguments = json!({
        "origin": origin,
        "destination": destination,
        "departure_date": departure_date,
        "adults": adults(question),
        "children": 0,
        "infants": 0,
        "cabin_class": cabin_class(question),
        "currency": words(question).find_map(Currency::of).map_or("USD", |currency| currency.code),
    });
    if let Some(return_date) = dates.find(|date| *date >= departure_date) {
        arguments["return_date"] = json!(return_date);
    }
    arguments
}

/// Two different airports: those after "from" and "to" first, then the others as they come.
fn route(source: &Source, question: &str) -> (String, String) {
    let mut places: Vec<_> = mentions(question).into_iter().filter(|place| place.airport.is_some()).collect();
    let mut after = |prepositions: &[&str]| {
        let index = places.iter().position(|place| prepositions.contains(&place.preposition.as_str()))?;
        places.remove(index).airport
    };
    let origin = after(&["from"]);
    let destination = after(&["to", "into"]);
    let mut others = places.into_iter().filter_map(|place| place.airport);
    let (origin, destination) = match (origin, destination) {
        (None, None) => {
            let first = others.next();
            match others.next() {
                Some(second) => (first, Some(second)),
                // A single place is where one wants to go.
                None => (None, first),
            }
        }
        (origin, destination) => (origin.or_else(|| others.next()), destination.or_else(|| others.next())),
    };
    let mut rng = source.of(&["route", question]);
    let destination = destination.unwrap_or_else(|| other_airport(&mut rng, origin.as_deref()));
    let origin =
        origin.filter(|origin| *origin != destination).unwrap_or_else(|| other_airport(&mut rng, Some(&destination)));
    (origin, destination)
}

/// Any airport but one.
fn other_airport(rng: &mut ChaCha8Rng, not: Option<&str>) -> String {
    let others: Vec<_> = CITIES.iter().map(|city| city.airport).filter(|airport| Some(*airport) != not).collect();
    others.choose(rng).copied().expect("there are many cities").to_owned()
}

fn stays(source: &Source, question: &str, today: Date) -> Value {
    let mut dates = words(question).filter_map(|word| word.parse::<Date>().ok());
    let checkin = dates.next().unwrap_or_else(|| today.saturating_add(DAYS_AHEAD.days()));
    let checkout = dates.find(|date| *date > checkin).unwrap_or_else(|| checkin.saturating_add(NIGHTS.days()));
    json!({
        "location": city(source, question),
        "checkin": checkin,
        "checkout": checkout,
        "adults": adults(question),
        "currency": words(question).find_map(Currency::of).map_or("USD", |currency| currency.code),
    })
}

/// The city that the question is about; any if it names none.
fn city(source: &Source, question: &str) -> String {
    let places = mentions(question);
    let place = ["in", "at", "for", "to"]
        .iter()
        .find_map(|preposition| places.iter().find(|place| place.preposition == *preposition))
        .or_else(|| places.last());
    place.map_or_else(
        || {
            let index = source.of(&["city", question]).random_range(0..CITIES.len());
            CITIES[index].name.to_owned()
        },
        |place| place.city.clone(),
    )
}

/// The number before "days", if it is 1 to 16.
fn days(question: &str) -> u32 {
    number_before(question, &["day", "days"], 16).unwrap_or(FORECAST_DAYS)
}

/// What kind of sight is asked for.
fn kind(question: &str) -> &'static str {
    let question = question.to_lowercase();
    let kinds = [("museum", "museums"), ("restaurant", "restaurants"), ("park", "parks")];
    kinds.into_iter().find(|(sign, _)| question.contains(sign)).map_or("attractions", |(_, kind)| kind)
}

/// The first address of a web page.
fn address_in(question: &str) -> Option<&str> {
    let addresses =
        question.split_whitespace().filter(|word| word.starts_with("http://") || word.starts_with("https://"));
    addresses.map(|word| word.trim_end_matches(['.', ',', '?', '!', ')'])).next()
}

/// The number before "adults", "people" and the like, if it is 1 to 9; otherwise 1.
fn adults(question: &str) -> u32 {
    let people = ["adult", "adults", "people", "persons", "passengers", "travelers", "travellers", "guests"];
    number_before(question, &people, 9).unwrap_or(1)
}

/// The number from 1 to `max` before one of these words.
fn number_before(question: &str, nouns: &[&str], max: u32) -> Option<u32> {
    let words: Vec<_> = words(question).collect();
    words
        .windows(2)
        .filter(|pair| nouns.contains(&pair[1].to_lowercase().as_str()))
        .find_map(|pair| pair[0].parse().ok().filter(|number| (1..=max).contains(number)))
}

fn cabin_class(question: &str) -> &'static str {
    let question = question.to_lowercase();
    let classes = [("business", "business"), ("first class", "first"), ("premium", "premium_economy")];
    classes.into_iter().find(|(sign, _)| question.contains(sign)).map_or("economy", |(_, class)| class)
}

/// Words without the punctuation around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn arguments(wish: Wish, question: &str) -> Value {
        wish.arguments(&Source::new(1, "llm"), question, "2027-01-01".parse().unwrap())
    }

    #[rstest]
    #[case("Find flights from JFK to CDG", "JFK", "CDG")]
    #[case("I want to fly to Rome from Oslo", "OSL", "FCO")]
    #[case("flights Tokyo Sydney", "HND", "SYD")]
    #[case("flights to Paris, starting Madrid", "MAD", "CDG")]
    #[case("flight from Boston, maybe Miami", "BOS", "MIA")]
    fn routes_are_read(#[case] question: &str, #[case] origin: &str, #[case] destination: &str) {
        let arguments = arguments(Wish::Flights, question);
        assert_eq!((&arguments["origin"], &arguments["destination"]), (&json!(origin), &json!(destination)));
    }

    #[rstest]
    #[case("a flight please", None)]
    #[case("fly me to Paris", Some("CDG"))]
    #[case("fly me to Paris from Paris", None)]
    #[case("any flight, Lisbon maybe", Some("LIS"))]
    fn missing_places_are_chosen_and_differ(#[case] question: &str, #[case] destination: Option<&str>) {
        let arguments = arguments(Wish::Flights, question);
        assert_ne!(arguments["origin"], arguments["destination"]);
        if let Some(destination) = destination {
            assert_eq!(arguments["destination"], destination);
        }
    }

    #[test]
    fn details_are_read_and_have_defaults() {
        let read = arguments(
            Wish::Flights,
            "Business flights from JFK to CDG on 2027-05-01, back 2027-05-09, for 2 people, in EUR.",
        );
        assert_eq!(
            read,
            json!({"origin": "JFK", "destination": "CDG", "departure_date": "2027-05-01", "return_date": "2027-05-09", "adults": 2,
                "children": 0, "infants": 0, "cabin_class": "business", "currency": "EUR"})
        );
        let default = arguments(Wish::Flights, "flights from JFK to CDG for 99 people");
        assert_eq!(
            default,
            json!({"origin": "JFK", "destination": "CDG", "departure_date": "2027-01-31", "adults": 1,
                "children": 0, "infants": 0, "cabin_class": "economy", "currency": "USD"})
        );
    }

    #[rstest]
    #[case("What is the weather in Paris?", "Paris")]
    #[case("weather for my trip from Oslo to Rome", "Rome")]
    #[case("Will it rain in Ulan Bator?", "Ulan Bator")]
    #[case("weather lisbon", "Lisbon")]
    fn the_city_is_read(#[case] question: &str, #[case] city: &str) {
        assert_eq!(arguments(Wish::Weather, question), json!({"city": city}));
    }

    #[rstest]
    #[case(Wish::Stays, "hotels in Rome from 2027-05-01 to 2027-05-03 for 2 guests in EUR", json!({"location": "Rome", "checkin": "2027-05-01", "checkout": "2027-05-03", "adults": 2, "currency": "EUR"}))]
    #[case(Wish::Stays, "a hotel in Oslo", json!({"location": "Oslo", "checkin": "2027-01-31", "checkout": "2027-02-04", "adults": 1, "currency": "USD"}))]
    #[case(Wish::Forecast, "forecast for Rome, 3 days", json!({"city": "Rome", "days": 3}))]
    #[case(Wish::Forecast, "forecast for 99 days in Rome", json!({"city": "Rome", "days": 5}))]
    #[case(Wish::Places, "which museums in Rome?", json!({"query": "museums in Rome"}))]
    #[case(Wish::Places, "what to see in Rome", json!({"query": "attractions in Rome"}))]
    #[case(Wish::Address, "Where is Oslo?", json!({"address": "Oslo"}))]
    #[case(Wish::Clock, "local time in Tokyo", json!({"timezone": "Asia/Tokyo"}))]
    #[case(Wish::Clock, "local time in Ulan Bator", json!({"timezone": "UTC"}))]
    #[case(Wish::Page, "read https://a.example/oslo?x=1, please", json!({"url": "https://a.example/oslo?x=1"}))]
    fn arguments_of_the_other_tools_are_read(#[case] wish: Wish, #[case] question: &str, #[case] expected: Value) {
        assert_eq!(arguments(wish, question), expected);
    }

    #[rstest]
    #[case("Find FLIGHTS!", &[Wish::Flights])]
    #[case("weather and flights", &[Wish::Flights, Wish::Weather])]
    #[case("butterfly training", &[])]
    #[case("Where to stay", &[Wish::Stays])]
    #[case("time flies", &[])]
    #[case("forecast", &[Wish::Forecast])]
    #[case("http://", &[Wish::Page])]
    #[case("", &[])]
    fn wishes_are_whole_words(#[case] question: &str, #[case] expected: &[Wish]) {
        assert_eq!(Wish::all_in(question, &Wish::ALL), expected);
    }

    #[test]
    fn the_weather_of_today_stands_in_for_a_forecast() {
        assert_eq!(Wish::all_in("forecast", &[Wish::Weather]), [Wish::Weather]);
    }
}
