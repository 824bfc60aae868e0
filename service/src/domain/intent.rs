//! What a message is about, found by rules alone.
//!
//! Each keyword found counts 1, each phrase (its words in that order, others may stand between) 2. The highest sum wins;
//! its confidence is sum / 5, at most 1. Nothing found is `General` with confidence 0.5. Source: TripSage's
//! `agents/chat.py` of 2025-05-27.

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    Flight,
    Accommodation,
    Budget,
    Destination,
    Itinerary,
    Weather,
    Maps,
    General,
}

/// An intent, and how sure of it the rules are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Detected {
    pub(crate) intent: Intent,
    /// 0 to 1.
    pub(crate) confidence: f64,
}

struct Rule {
    intent: Intent,
    keywords: &'static [&'static str],
    phrases: &'static [&'static [&'static str]],
}

const FULL_SCORE: f64 = 5.0;
/// Messages of the user that are looked at.
const MESSAGES: usize = 3;

const RULES: [Rule; 7] = [
    Rule {
        intent: Intent::Flight,
        keywords: &[
            "flight",
            "flights",
            "fly",
            "flying",
            "airline",
            "airlines",
            "airport",
            "plane",
            "departure",
            "layover",
            "nonstop",
        ],
        phrases: &[
            &["flights", "from", "to"],
            &["flight", "from", "to"],
            &["fly", "from", "to"],
            &["fly", "to"],
            &["find", "flight"],
            &["find", "flights"],
            &["book", "flight"],
            &["cheapest", "flight"],
        ],
    },
    Rule {
        intent: Intent::Accommodation,
        keywords: &[
            "hotel",
            "hotels",
            "hostel",
            "airbnb",
            "accommodation",
            "stay",
            "room",
            "apartment",
            "resort",
            "lodging",
        ],
        phrases: &[
            &["place", "to", "stay"],
            &["book", "hotel"],
            &["find", "hotel"],
            &["find", "hotels"],
            &["hotels", "in"],
            &["hotel", "in"],
        ],
    },
    Rule {
        intent: Intent::Budget,
        keywords: &["budget", "cost", "costs", "price", "cheap", "expensive", "afford", "spend", "money", "expenses"],
        phrases: &[&["how", "much"], &["travel", "budget"], &["budget", "for"], &["save", "money"]],
    },
    Rule {
        intent: Intent::Destination,
        keywords: &[
            "destination",
            "destinations",
            "visit",
            "attractions",
            "sightseeing",
            "culture",
            "museum",
            "beach",
            "explore",
        ],
        phrases: &[
            &["where", "should", "go"],
            &["things", "to", "do"],
            &["tell", "about"],
            &["best", "to", "visit"],
            &["what", "to", "see"],
        ],
    },
    Rule {
        intent: Intent::Itinerary,
        keywords: &["itinerary", "schedule", "plan", "agenda", "route", "days", "day"],
        phrases: &[
            &["day", "by", "day"],
            &["plan", "trip"],
            &["plan", "itinerary"],
            &["itinerary", "for"],
            &["days", "in"],
        ],
    },
    Rule {
        intent: Intent::Weather,
        keywords: &["weather", "temperature", "rain", "sunny", "forecast", "climate", "snow"],
        phrases: &[&["weather", "in"], &["how", "hot"], &["how", "cold"], &["will", "rain"]],
    },
    Rule {
        intent: Intent::Maps,
        keywords: &["map", "maps", "directions", "distance", "navigate", "nearby"],
        phrases: &[&["how", "far"], &["how", "to", "get", "to"], &["directions", "to"], &["distance", "from", "to"]],
    },
];

/// Detects what the newest of some messages is about. What was said before counts too, as far as it is about the same.
pub(crate) fn detect<'a>(newest_first: impl IntoIterator<Item = &'a str>) -> Detected {
    let mut messages = newest_first.into_iter().take(MESSAGES);
    let detected = detect_one(messages.next().unwrap_or_default());
    let Some(rule) = RULES.iter().find(|rule| rule.intent == detected.intent) else { return detected };
    let before: u32 = messages.map(|message| rule.score(&words(message))).sum();
    Detected { confidence: (detected.confidence + f64::from(before) / FULL_SCORE).min(1.0), ..detected }
}

fn words(message: &str) -> Vec<String> {
    message.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn detect_one(message: &str) -> Detected {
    let words = words(message);
    let mut best = (Intent::General, 0);
    for rule in &RULES {
        let score = rule.score(&words);
        // The first of equals wins: the rules stand in order of priority.
        if score > best.1 {
            best = (rule.intent, score);
        }
    }
    match best {
        (intent, 0) => Detected { intent, confidence: 0.5 },
        (intent, score) => Detected { intent, confidence: (f64::from(score) / FULL_SCORE).min(1.0) },
    }
}

impl Rule {
    fn score(&self, words: &[String]) -> u32 {
        let keywords = self.keywords.iter().filter(|keyword| words.iter().any(|word| word == *keyword)).count();
        let phrases = self.phrases.iter().filter(|phrase| is_in_order(phrase, words)).count();
        u32::try_from(keywords + 2 * phrases).unwrap_or(u32::MAX)
    }
}

fn is_in_order(phrase: &[&str], words: &[String]) -> bool {
    let mut rest = words.iter();
    phrase.iter().all(|expected| rest.any(|word| word == expected))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("find flights from JFK to CDG, book the cheapest flight", Intent::Flight, 1.0)]
    #[case("Find flights from Zurich to Lisbon!", Intent::Flight, 1.0)]
    #[case("Is there a flight?", Intent::Flight, 0.2)]
    #[case("hotels in Rome", Intent::Accommodation, 0.6)]
    #[case("What is the weather in Oslo?", Intent::Weather, 0.6)]
    #[case("Hello there", Intent::General, 0.5)]
    #[case("", Intent::General, 0.5)]
    #[case("to from flights", Intent::Flight, 0.2)]
    #[case("how far is it", Intent::Maps, 0.4)]
    fn messages_are_understood(#[case] message: &str, #[case] intent: Intent, #[case] confidence: f64) {
        assert_eq!(detect([message]), Detected { intent, confidence }, "{message}");
    }

    #[rstest]
    #[case(&["and the cheapest flight?", "Find flights from Zurich to Lisbon!"], Intent::Flight, 1.0)]
    #[case(&["any airline", "with a layover", "nonstop", "the cheapest flight"], Intent::Flight, 0.6)]
    #[case::another_subject(&["hotels in Rome", "Find flights from Zurich to Lisbon!"], Intent::Accommodation, 0.6)]
    #[case::no_subject(&["thanks", "Find flights from Zurich to Lisbon!"], Intent::General, 0.5)]
    #[case::nothing(&[], Intent::General, 0.5)]
    fn what_was_said_before_counts_when_it_is_about_the_same(
        #[case] newest_first: &[&str],
        #[case] intent: Intent,
        #[case] confidence: f64,
    ) {
        let detected = detect(newest_first.iter().copied());
        assert_eq!(detected.intent, intent);
        assert!((detected.confidence - confidence).abs() < 1e-9, "{detected:?}");
    }
}
