//! The mix: which journeys the users make, and how often each relative to the others.
use crate::journeys::{self, Journey};
use reports::record::StepInfo;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use std::{borrow::Cow, fmt, ops::Deref, str::FromStr, sync::Arc};

/// Journeys with their weights, in the order of the list of journeys, then those that the scenario file writes down. Written as
/// `{ flight-search = 3, chat = 2 }`, or `flight-search=3,chat=2` in a flag.
#[derive(Clone)]
pub struct Mix {
    entries: Vec<(Choice, u32)>,
    /// Journeys that the scenario file writes down, whether they are in the mix or not.
    written: Vec<String>,
}

/// A journey that is known: one of the program's, or one that a scenario file writes down.
#[derive(Clone)]
pub enum Handle {
    /// One of the program's.
    BuiltIn(&'static dyn Journey),
    /// Written in a scenario file.
    Written(Arc<dyn Journey>),
}

impl Deref for Handle {
    type Target = dyn Journey;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::BuiltIn(journey) => *journey,
            Self::Written(journey) => &**journey,
        }
    }
}

/// What a mix names. Journeys of a scenario file are known once the file is read as a whole.
#[derive(Clone)]
enum Choice {
    Known(Handle),
    Unknown(String),
}

impl Choice {
    fn name(&self) -> &str {
        match self {
            Self::Known(journey) => journey.name(),
            Self::Unknown(name) => name,
        }
    }
}

/// Why a text is not a mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A part of a flag is not `name=weight`.
    #[error("`{part}` is not a journey with its weight, such as `chat=2`")]
    NoWeight {
        /// What was written.
        part: String,
    },
    /// A journey is named twice.
    #[error("journey `{name}` is in the mix twice")]
    Twice {
        /// The journey.
        name: String,
    },
}

impl Mix {
    /// A mix of any journeys, also of ones that are not in the list (a test's, a benchmark's).
    #[must_use]
    pub fn of(entries: &[(&'static dyn Journey, u32)]) -> Self {
        let entry = |(journey, weight): &(_, u32)| (Choice::Known(Handle::BuiltIn(*journey)), *weight);
        Self { entries: entries.iter().map(entry).collect(), written: Vec::new() }
    }

    fn named(entries: Vec<(String, u32)>) -> Result<Self, Error> {
        let mut mix: Vec<(usize, Choice, u32)> = Vec::new();
        for (name, weight) in entries {
            if mix.iter().any(|(_, other, _)| other.name() == name) {
                return Err(Error::Twice { name });
            }
            let position = journeys::ALL.iter().position(|journey| journey.name() == name);
            let choice = position.map(|position| Choice::Known(Handle::BuiltIn(journeys::ALL[position])));
            mix.push((position.unwrap_or(usize::MAX), choice.unwrap_or(Choice::Unknown(name)), weight));
        }
        mix.sort_by(|(left, a, _), (right, b, _)| left.cmp(right).then_with(|| a.name().cmp(b.name())));
        let entries = mix.into_iter().map(|(_, choice, weight)| (choice, weight)).collect();
        Ok(Self { entries, written: Vec::new() })
    }

    /// Makes the journeys of a scenario file known.
    pub fn adopt(&mut self, written: &[Arc<dyn Journey>]) {
        self.written = written.iter().map(|journey| journey.name().to_owned()).collect();
        for (choice, _) in &mut self.entries {
            let Choice::Unknown(name) = choice else { continue };
            if let Some(journey) = written.iter().find(|journey| journey.name() == name) {
                *choice = Choice::Known(Handle::Written(journey.clone()));
            }
        }
    }

    /// The first name that is no journey's.
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        self.entries.iter().find(|(choice, _)| matches!(choice, Choice::Unknown(_))).map(|(choice, _)| choice.name())
    }

    /// The names of all journeys that a mix may hold.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        journeys::ALL.iter().map(|journey| journey.name()).chain(self.written.iter().map(String::as_str))
    }

    /// The journeys with their weights; names that are no journey's are left out.
    pub fn entries(&self) -> impl Iterator<Item = (&Handle, u32)> + '_ {
        self.entries.iter().filter_map(|(choice, weight)| match choice {
            Choice::Known(journey) => Some((journey, *weight)),
            Choice::Unknown(_) => None,
        })
    }

    /// The weights, in the order of the journeys.
    #[must_use]
    pub fn weights(&self) -> Vec<u32> {
        self.entries.iter().map(|(_, weight)| *weight).collect()
    }

    /// Every step of every journey, in the order of the index that samples carry.
    #[must_use]
    pub fn steps(&self) -> Vec<StepInfo> {
        let info = |journey: &Handle, step: &journeys::Step| StepInfo {
            name: step.name.to_owned(),
            journey: journey.name().to_owned(),
            is_streamed: step.is_streamed,
        };
        let of = |(journey, _): (&Handle, u32)| -> Vec<StepInfo> {
            journey.steps().iter().map(|step| info(journey, step)).collect()
        };
        self.entries().flat_map(of).collect()
    }
}

impl FromStr for Mix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let entry = |part: &'_ str| -> Result<(String, u32), Error> {
            let bad = || Error::NoWeight { part: part.trim().to_owned() };
            let (name, weight) = part.split_once('=').ok_or_else(bad)?;
            Ok((name.trim().to_owned(), weight.trim().parse().map_err(|_| bad())?))
        };
        Self::named(text.split(',').map(entry).collect::<Result<_, Error>>()?)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (choice, weight)) in self.entries.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", choice.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mix({self})")
    }
}

impl PartialEq for Mix {
    fn eq(&self, other: &Self) -> bool {
        let name = |(choice, weight): &(Choice, u32)| (choice.name().to_owned(), *weight);
        self.entries.iter().map(name).eq(other.entries.iter().map(name))
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        self.entries.iter().try_for_each(|(choice, weight)| map.serialize_entry(choice.name(), weight))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Mix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> de::Visitor<'de> for Entries {
            type Value = Mix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("journeys with their weights, such as { chat = 2 }")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Mix, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, u32>()? {
                    entries.push(entry);
                }
                Mix::named(entries).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl JsonSchema for Mix {
    fn schema_name() -> Cow<'static, str> {
        "Mix".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let weight = serde_json::json!({ "type": "integer", "minimum": 1 });
        let weights: serde_json::Map<_, _> =
            journeys::ALL.iter().map(|journey| (journey.name().to_owned(), weight.clone())).collect();
        json_schema!({
            "description": "Journeys, of the program or of this file, with their weights relative to one another.",
            "type": "object",
            "properties": weights,
            "additionalProperties": weight,
            "minProperties": 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flag: &str, expected: Result<&str, &str>) {
        let seen = flag.parse::<Mix>().map(|mix| mix.to_string()).map_err(|error| error.to_string());
        assert_eq!(seen.as_deref().map_err(String::as_str), expected, "{flag}");
    }

    #[test]
    fn a_mix_is_read_from_a_flag() {
        check("chat=2,flight-search=3", Ok("flight-search=3,chat=2"));
        check(" trip-creation = 1 ", Ok("trip-creation=1"));
        check("mine=2,chat=1,a=3", Ok("chat=1,a=3,mine=2"));
        check("chat", Err("`chat` is not a journey with its weight, such as `chat=2`"));
        check("chat=-1", Err("`chat=-1` is not a journey with its weight, such as `chat=2`"));
        check("", Err("`` is not a journey with its weight, such as `chat=2`"));
        check("chat=1,chat=2", Err("journey `chat` is in the mix twice"));
    }

    #[test]
    fn a_mix_is_written_as_it_is_read() {
        let mix: Mix = serde_json::from_str(r#"{"trip-creation": 1, "chat": 2}"#).unwrap();
        assert_eq!(serde_json::to_string(&mix).unwrap(), r#"{"chat":2,"trip-creation":1}"#);
        assert!(serde_json::from_str::<Mix>(r#"{"chat": 1.5}"#).is_err());
    }

    #[test]
    fn journeys_of_the_scenario_file_are_known_once_it_is_read() {
        struct Mine;
        impl Journey for Mine {
            fn name(&self) -> &str {
                "mine"
            }

            fn steps(&self) -> &[journeys::Step] {
                &[journeys::Step { name: "mine.only", is_streamed: false }]
            }

            fn travel<'a>(&'a self, _: &'a mut crate::Visit<'_>) -> futures_util::future::BoxFuture<'a, ()> {
                Box::pin(async {})
            }
        }
        let mut mix: Mix = "mine=2,chat=1,other=1".parse().unwrap();
        assert_eq!((mix.unknown(), mix.steps().len()), (Some("mine"), 1));
        mix.adopt(&[Arc::new(Mine)]);
        assert_eq!(mix.unknown(), Some("other"));
        let steps: Vec<_> = mix.steps().into_iter().map(|step| (step.journey, step.name)).collect();
        let step = |journey: &str, name: &str| (journey.to_owned(), name.to_owned());
        assert_eq!(steps, [step("chat", "chat.message"), step("mine", "mine.only")]);
    }
}
