//! What is remembered about one user: a small graph of entities, observations and relations, within a fixed number of
//! bytes.

use std::collections::{BTreeSet, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much is kept per user, in bytes of names and texts; what was written first goes first.
pub(crate) const BYTES_MAX: usize = 16 * 1024;

/// Words of a query that are looked for; the rest is ignored.
const QUERY_WORDS_MAX: usize = 64;

/// The type of an entity that nobody gave one.
const TOPIC: &str = "topic";

/// What is remembered about one user, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: VecDeque<Note>,
    bytes: usize,
}

#[derive(Debug)]
enum Note {
    Entity { name: String, entity_type: String },
    Observation { name: String, text: String },
    Relation(Relation),
}

/// Everything known under one name.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Entity {
    pub(crate) name: String,
    /// `topic` for observations under a name that was given no type.
    pub(crate) entity_type: String,
    /// Oldest first.
    pub(crate) observations: Vec<String>,
}

/// What one entity is to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relation {
    /// The name of an entity.
    pub(crate) from: String,
    /// The name of an entity.
    pub(crate) to: String,
    /// In active voice, such as `departs_from`.
    pub(crate) relation_type: String,
}

impl Notes {
    /// Remembers that there is an entity; false if it was known by its name.
    pub(crate) fn add_entity(&mut self, name: &str, entity_type: String) -> bool {
        let is_new = self.notes.iter().all(|note| note.name() != Some(name));
        if is_new {
            self.push(Note::Entity { name: name.to_owned(), entity_type });
        }
        is_new
    }

    /// Remembers `text` under `name`.
    pub(crate) fn add(&mut self, name: &str, text: String) {
        self.push(Note::Observation { name: name.to_owned(), text });
    }

    /// Remembers a relation; false if it was known.
    pub(crate) fn add_relation(&mut self, relation: Relation) -> bool {
        let is_new = self.relations().all(|known| *known != relation);
        if is_new {
            self.push(Note::Relation(relation));
        }
        is_new
    }

    /// Forgets an entity with its observations and relations; false if there was none.
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        let was_known = self.notes.iter().any(|note| note.name() == Some(name));
        self.notes.retain(|note| !note.is_about(name));
        self.bytes = self.notes.iter().map(Note::bytes).sum();
        was_known
    }

    /// Drops the oldest notes that no longer fit.
    fn push(&mut self, note: Note) {
        self.bytes += note.bytes();
        self.notes.push_back(note);
        while self.bytes > BYTES_MAX {
            let oldest = self.notes.pop_front().expect("bytes are those of the notes");
            self.bytes -= oldest.bytes();
        }
    }

    /// Every entity, the one written to last first.
    pub(crate) fn entities(&self) -> Vec<Entity> {
        self.latest_names().into_iter().map(|name| self.entity(name)).collect()
    }

    /// The entities with these names that there are.
    pub(crate) fn open(&self, names: &[String]) -> Vec<Entity> {
        let known = self.latest_names();
        names.iter().filter(|name| known.contains(&name.as_str())).map(|name| self.entity(name)).collect()
    }

    /// Every relation, oldest first.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.notes.iter().filter_map(|note| match note {
            Note::Relation(relation) => Some(relation),
            _ => None,
        })
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

    /// Each name once, the one written to last first.
    fn latest_names(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.notes.iter().rev().filter_map(Note::name).filter(|name| seen.insert(*name)).collect()
    }

    /// How many of the wanted words occur under `name`.
    fn hits(&self, name: &str, wanted: &BTreeSet<String>) -> usize {
        let known: BTreeSet<_> = self.under(name).flat_map(words).chain(words(name)).collect();
        wanted.intersection(&known).count()
    }

    fn entity(&self, name: &str) -> Entity {
        let entity_type = self.notes.iter().find_map(|note| match note {
            Note::Entity { name: known, entity_type } if known == name => Some(entity_type.clone()),
            _ => None,
        });
        Entity {
            name: name.to_owned(),
            entity_type: entity_type.unwrap_or_else(|| TOPIC.to_owned()),
            observations: self.under(name).map(str::to_owned).collect(),
        }
    }

    /// The observations under `name`.
    fn under(&self, name: &str) -> impl Iterator<Item = &str> {
        self.notes.iter().filter_map(move |note| match note {
            Note::Observation { name: of, text } if of == name => Some(text.as_str()),
            _ => None,
        })
    }
}

impl Note {
    /// The entity it makes known; a relation makes none known.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Entity { name, .. } | Self::Observation { name, .. } => Some(name),
            Self::Relation(_) => None,
        }
    }

    fn is_about(&self, entity: &str) -> bool {
        match self {
            Self::Entity { name, .. } | Self::Observation { name, .. } => name == entity,
            Self::Relation(relation) => relation.from == entity || relation.to == entity,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Entity { name, entity_type } => name.len() + entity_type.len(),
            Self::Observation { name, text } => name.len() + text.len(),
            Self::Relation(Relation { from, to, relation_type }) => from.len() + to.len() + relation_type.len(),
        }
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

    fn relation(from: &str, to: &str) -> Relation {
        Relation { from: from.into(), to: to.into(), relation_type: "suits".into() }
    }

    #[test]
    fn entities_and_relations_are_known_once() {
        let mut notes = notes();
        assert_eq!([notes.add_entity("seat", "thing".into()), notes.add_entity("Rome", "city".into())], [false, true]);
        assert_eq!([notes.add_entity("Rome", "town".into())], [false]);
        assert_eq!([1, 2].map(|_| notes.add_relation(relation("Rome", "food"))), [true, false]);
        let types: Vec<_> = notes.entities().into_iter().map(|entity| (entity.name, entity.entity_type)).collect();
        let expected = [("Rome", "city"), ("seat", "topic"), ("food", "topic"), ("budget", "topic")];
        assert_eq!(types, expected.map(|(name, entity_type)| (name.to_owned(), entity_type.to_owned())));
        assert_eq!(notes.open(&["Rome".into(), "Oslo".into()]).len(), 1);
    }

    #[test]
    fn a_deleted_entity_takes_its_relations_along() {
        let mut notes = notes();
        notes.add_relation(relation("seat", "budget"));
        notes.add_relation(relation("food", "budget"));
        assert_eq!([notes.delete("seat"), notes.delete("seat")], [true, false]);
        assert_eq!(notes.relations().collect::<Vec<_>>(), [&relation("food", "budget")]);
        assert_eq!(notes.search("window", 10), []);
        for name in ["budget", "food"] {
            notes.delete(name);
        }
        assert_eq!((notes.bytes, notes.notes.len()), (0, 0));
    }
}
