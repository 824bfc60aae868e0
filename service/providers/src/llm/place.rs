//! Cities and airports in a sentence.

use crate::{city::CITIES, currency::Currency};

/// A place that a sentence names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    /// The name of the city; the code of the airport if no city is known for it.
    pub(crate) city: String,
    /// IATA code, if the city is known.
    pub(crate) airport: Option<String>,
    /// The word before it, in small letters.
    pub(crate) preposition: String,
}

/// Words of a known city's name at most.
const NAME_WORDS_MAX: usize = 3;

/// Capitals after "in" that are no city.
#[rustfmt::skip]
const TIMES: [&str; 16] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December", "Spring", "Summer", "Autumn", "Winter",
];

/// The places that `text` names, in order.
///
/// Known cities in any case; airport codes in capitals, when known or after a word such as "to"; other capitalised
/// names after "in".
pub(crate) fn mentions(text: &str) -> Vec<Mention> {
    let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut mentions = Vec::new();
    let mut index = 0;
    while index < words.len() {
        let preposition = index.checked_sub(1).map_or_else(String::new, |before| words[before].to_lowercase());
        let found = known_city(&words[index..])
            .or_else(|| airport(words[index], &preposition))
            .or_else(|| unknown_city(&words[index..], &preposition));
        let Some((city, airport, length)) = found else {
            index += 1;
            continue;
        };
        mentions.push(Mention { city, airport, preposition });
        index += length;
    }
    mentions
}

/// Name, airport and number of words.
type Found = (String, Option<String>, usize);

fn known_city(words: &[&str]) -> Option<Found> {
    let longest = NAME_WORDS_MAX.min(words.len());
    (1..=longest).rev().find_map(|length| {
        let name = words[..length].join(" ");
        let city = CITIES.iter().find(|city| city.name.eq_ignore_ascii_case(&name))?;
        Some((city.name.to_owned(), Some(city.airport.to_owned()), length))
    })
}

fn airport(word: &str, preposition: &str) -> Option<Found> {
    if word.len() != 3 || !word.bytes().all(|byte| byte.is_ascii_uppercase()) || Currency::of(word).is_some() {
        return None;
    }
    let city = CITIES.iter().find(|city| city.airport == word);
    if city.is_none() && !["from", "to", "between", "and", "via", "in", "at"].contains(&preposition) {
        return None;
    }
    Some((city.map_or(word, |city| city.name).to_owned(), Some(word.to_owned()), 1))
}

fn unknown_city(words: &[&str], preposition: &str) -> Option<Found> {
    if preposition != "in" {
        return None;
    }
    let is_name = |word: &&&str| word.starts_with(char::is_uppercase) && !TIMES.contains(word);
    let name: Vec<_> = words.iter().take_while(is_name).copied().collect();
    (!name.is_empty()).then(|| (name.join(" "), None, name.len()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Find flights from JFK to CDG", "from New York (JFK), to Paris (CDG)")]
    #[case("fly new york to RIO DE JANEIRO", "fly New York (JFK), to Rio de Janeiro (GIG)")]
    #[case("LHR-AMS, at most 300 EUR", " London (LHR), lhr Amsterdam (AMS)")]
    #[case("between TRD and BGO, not XYZ", "between TRD (TRD), and BGO (BGO)")]
    #[case("What is the weather in Ulan Bator in May?", "in Ulan Bator")]
    #[case("I want to go THE fast way", "")]
    #[case("", "")]
    fn places_are_recognised(#[case] text: &str, #[case] expected: &str) {
        let seen: Vec<_> = mentions(text)
            .into_iter()
            .map(|mention| {
                let airport = mention.airport.map_or_else(String::new, |code| format!(" ({code})"));
                format!("{} {}{airport}", mention.preposition, mention.city)
            })
            .collect();
        assert_eq!(seen.join(", "), expected);
    }
}
