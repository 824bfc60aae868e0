//! What is remembered about one user: observations under names, in order, within a fixed number of bytes.

use std::collections::{BTreeSet, VecDeque};

use schemars::JsonSchema;
use serde::Serialize;

/// How much is kept per user, in bytes of names and texts; the oldest observation goes first.
pub(crate) const BYTES_MAX: usize = 16 * 1024;

/// Words of a query that are looked for; the rest is ignored.
const QUERY_WORDS_MAX: usize = 64;

/// The observations about one user, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    observations: VecDeque<Observation>,
    bytes: usize,
}

#[derive(Debug)]
struct Observation {
    name: String,
    text: String,
}

/// Everything observed under one name.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Entity {
    pub(crate) name: String,
    /// Always `topic`: observations are added under a name without a type.
    pub(crate) entity_type: &'static str,
    /// Oldest first.
    pub(crate) observations: Vec<String>,
}

impl Notes {
    /// Remembers `text` under `name`, and drops the oldest observations that no longer fit.
    pub(crate) fn add(&mut self, name: &str, text: String) {
        let observation = Observation { name: name.to_owned(), text };
        self.bytes += observation.bytes();
        self.observations.push_back(observation);
        while self.bytes > BYTES_MAX {
            let oldest = self.observations.pop_front().expect("bytes are those of the observations");
            self.bytes -= oldest.bytes();
        }
    }

    /// At most `limit` entities that share a word with `query`, those with most words first, then the latest.
    ///
    /// A query without words finds everything.
    pub(crate) fn search(&self, query: &str, limit: usize) -> Vec<Entity> {
        let wanted: BTreeSet<_> = words(query).take(QUERY_WORDS_MAX).collect();
        let mut found: Vec<_> = self
            .latest_names()
            .into_iter()
            .filter_map(|name| {
                let hits = self.hits(name, &wanted);
                (hits > 0 || wanted.is_empty()).then_some((hits, name))
            })
            .collect();
        found.sort_by_key(|(hits, _)| std::cmp::Reverse(*hits));
        found.into_iter().take(limit).map(|(_, name)| self.entity(name)).collect()
    }

    /// Each name once, the one observed last first.
    fn latest_names(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let names = self.observations.iter().rev().map(|observation| observation.name.as_str());
        names.filter(|name| seen.insert(*name)).collect()
    }

    /// How many of the wanted words occur under `name`.
    fn hits(&self, name: &str, wanted: &BTreeSet<String>) -> usize {
        let known: BTreeSet<_> =
            self.under(name).flat_map(|observation| words(&observation.text)).chain(words(name)).collect();
        wanted.intersection(&known).count()
    }

    fn entity(&self, name: &str) -> Entity {
        Entity {
            name: name.to_owned(),
            entity_type: "topic",
            observations: self.under(name).map(|observation| observation.text.clone()).collect(),
        }
    }

    fn under(&self, name: &str) -> impl Iterator<Item = &Observation> {
        self.observations.iter().filter(move |observation| observation.name == name)
    }
}

impl Observation {
    fn bytes(&self) -> usize {
        self.name.len() + self.text.len()
    }
}

/// The words of a text in small letters; one-letter words are skipped.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().nth(1).is_some()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn notes() -> Notes {
        let mut notes = Notes::default();
        for (name, text) in [
            ("seat", "prefers a window seat"),
            ("budget", "3000 EUR for Paris"),
            ("food", "vegetarian"),
            ("seat", "never the middle"),
        ] {
            notes.add(name, text.to_owned());
        }
        notes
    }

    #[rstest]
    #[case::by_name("any food?", 10, &["food"])]
    #[case::by_text_in_any_case("flights to PARIS", 10, &["budget"])]
    #[case::most_words_first("a window seat in Paris", 10, &["seat", "budget"])]
    #[case::latest_first_among_equals("vegetarian in paris", 10, &["food", "budget"])]
    #[case::all_for_no_words("  ? ", 10, &["seat", "food", "budget"])]
    #[case::limited("", 1, &["seat"])]
    #[case::none_wanted("", 0, &[])]
    #[case::nothing_in_common("submarine", 10, &[])]
    #[case::part_of_a_word("veget", 10, &[])]
    fn entities_are_found_by_words(#[case] query: &str, #[case] limit: usize, #[case] expected: &[&str]) {
        let found: Vec<_> = notes().search(query, limit).into_iter().map(|entity| entity.name).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_entity_has_all_its_observations() {
        let found = notes().search("seat", 1);
        assert_eq!(found[0].observations, ["prefers a window seat", "never the middle"]);
    }

    #[test]
    fn the_oldest_observations_make_room() {
        let mut notes = Notes::default();
        for number in 0..1000 {
            notes.add("log", format!("{number} {}", "x".repeat(100)));
        }
        assert!(notes.bytes <= BYTES_MAX, "{}", notes.bytes);
        let found = notes.search("", 1).remove(0).observations;
        assert!(found.len() > 100);
        assert!(found.last().unwrap().starts_with("999 "));
    }
}
