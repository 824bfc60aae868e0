//! What the user wishes for that only a tool can give: flights, or the weather.

use jiff::{ToSpan, civil::Date};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::place::{CITIES, mentions};
use crate::{currency::Currency, source::Source};

/// How far ahead a journey starts when no date is named.
const DAYS_AHEAD: i32 = 30;

/// A function the LLM knows how to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Flights,
    Weather,
}

impl Wish {
    pub(crate) const ALL: [Self; 2] = [Self::Flights, Self::Weather];

    /// The name of the function.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Flights => "search_flights",
            Self::Weather => "get_current_weather",
        }
    }

    /// Whether `question` asks for it.
    pub(crate) fn is_in(self, question: &str) -> bool {
        let signs: &[&str] = match self {
            Self::Flights => &["flight", "flights", "fly", "flying", "airfare", "airfares", "plane"],
            Self::Weather => {
                &["weather", "forecast", "temperature", "temperatures", "rain", "raining", "sunny", "snow"]
            }
        };
        question
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| signs.iter().any(|sign| sign.eq_ignore_ascii_case(word)))
    }

    /// The arguments of the call, taken from `question`; what it leaves out is chosen by the seed.
    pub(crate) fn arguments(self, source: &Source, question: &str, today: Date) -> Value {
        match self {
            Self::Flights => flights(source, question, today),
            Self::Weather => weather(source, question),
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

fn weather(source: &Source, question: &str) -> Value {
    let places = mentions(question);
    let place = ["in", "at", "for", "to"]
        .iter()
        .find_map(|preposition| places.iter().find(|place| place.preposition == *preposition))
        .or_else(|| places.last());
    let city = place.map_or_else(
        || {
            let index = source.of(&["city", question]).random_range(0..CITIES.len());
            CITIES[index].name.to_owned()
        },
        |place| place.city.clone(),
    );
    json!({"city": city})
}

/// The number before "adults", "people" and the like, if it is 1 to 9; otherwise 1.
fn adults(question: &str) -> u32 {
    let words: Vec<_> = words(question).collect();
    let is_people =
        |word: &str| ["adult", "adults", "people", "persons", "passengers", "travelers", "travellers"].contains(&word);
    words
        .windows(2)
        .filter(|pair| is_people(&pair[1].to_lowercase()))
        .find_map(|pair| pair[0].parse().ok().filter(|adults| (1..=9).contains(adults)))
        .unwrap_or(1)
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
    #[case("Find FLIGHTS!", &[Wish::Flights])]
    #[case("weather and flights", &[Wish::Flights, Wish::Weather])]
    #[case("butterfly training", &[])]
    #[case("", &[])]
    fn wishes_are_whole_words(#[case] question: &str, #[case] expected: &[Wish]) {
        let found: Vec<_> = Wish::ALL.into_iter().filter(|wish| wish.is_in(question)).collect();
        assert_eq!(found, expected);
    }
}
