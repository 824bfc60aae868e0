//! The mix: which journeys the users make, and how often each relative to the others.
use crate::journeys::{self, Journey};
use reports::record::StepInfo;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use std::{borrow::Cow, fmt, str::FromStr};

/// Journeys with their weights, in the order of the list of journeys. Written as `{ flight-search = 3, chat = 2 }`, or
/// `flight-search=3,chat=2` in a flag.
#[derive(Clone)]
pub struct Mix(Vec<(&'static dyn Journey, u32)>);

/// Why a text is not a mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody makes such a journey.
    #[error("unknown journey `{name}`; known are {}", known())]
    UnknownJourney {
        /// What was written.
        name: String,
    },
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
        Self(entries.to_vec())
    }

    fn named<'a>(entries: impl IntoIterator<Item = (&'a str, u32)>) -> Result<Self, Error> {
        let mut mix: Vec<(usize, u32)> = Vec::new();
        for (name, weight) in entries {
            let position = journeys::ALL.iter().position(|journey| journey.name() == name);
            let position = position.ok_or_else(|| Error::UnknownJourney { name: name.to_owned() })?;
            if mix.iter().any(|(other, _)| *other == position) {
                return Err(Error::Twice { name: name.to_owned() });
            }
            mix.push((position, weight));
        }
        mix.sort_unstable();
        Ok(Self(mix.into_iter().map(|(position, weight)| (journeys::ALL[position], weight)).collect()))
    }

    /// The journeys with their weights.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&'static dyn Journey, u32)> + '_ {
        self.0.iter().copied()
    }

    /// The weights, in the order of the journeys.
    #[must_use]
    pub fn weights(&self) -> Vec<u32> {
        self.0.iter().map(|(_, weight)| *weight).collect()
    }

    /// Every step of every journey, in the order of the index that samples carry.
    #[must_use]
    pub fn steps(&self) -> Vec<StepInfo> {
        let of = |journey: &'static dyn Journey| {
            journey.steps().iter().map(move |step| StepInfo {
                name: step.name.to_owned(),
                journey: journey.name().to_owned(),
                is_streamed: step.is_streamed,
            })
        };
        self.0.iter().flat_map(|(journey, _)| of(*journey)).collect()
    }
}

fn known() -> String {
    let names: Vec<_> = journeys::ALL.iter().map(|journey| format!("`{}`", journey.name())).collect();
    names.join(", ")
}

impl FromStr for Mix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let entry = |part: &'_ str| -> Result<(String, u32), Error> {
            let bad = || Error::NoWeight { part: part.trim().to_owned() };
            let (name, weight) = part.split_once('=').ok_or_else(bad)?;
            Ok((name.trim().to_owned(), weight.trim().parse().map_err(|_| bad())?))
        };
        let entries = text.split(',').map(entry).collect::<Result<Vec<_>, Error>>()?;
        Self::named(entries.iter().map(|(name, weight)| (name.as_str(), *weight)))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (journey, weight)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", journey.name())?;
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
        let names = |mix: &Self| mix.0.iter().map(|(journey, weight)| (journey.name(), *weight)).collect::<Vec<_>>();
        names(self) == names(other)
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(journey, weight)| map.serialize_entry(journey.name(), weight))?;
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
                while let Some(name) = map.next_key::<String>()? {
                    // Looked up before the weight is read, so that the error points at the name.
                    Mix::named([(name.as_str(), 1)]).map_err(de::Error::custom)?;
                    entries.push((name, map.next_value::<u32>()?));
                }
                Mix::named(entries.iter().map(|(name, weight)| (name.as_str(), *weight))).map_err(de::Error::custom)
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
            "description": "Journeys with their weights relative to one another.",
            "type": "object",
            "properties": weights,
            "additionalProperties": false,
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
        let unknown = format!("unknown journey `Chat`; known are {}", known());
        check("Chat=2", Err(&unknown));
        check("chat", Err("`chat` is not a journey with its weight, such as `chat=2`"));
        check("chat=-1", Err("`chat=-1` is not a journey with its weight, such as `chat=2`"));
        check("", Err("`` is not a journey with its weight, such as `chat=2`"));
        check("chat=1,chat=2", Err("journey `chat` is in the mix twice"));
    }

    #[test]
    fn a_mix_is_written_as_it_is_read() {
        let mix: Mix = serde_json::from_str(r#"{"trip-creation": 1, "chat": 2}"#).unwrap();
        assert_eq!(serde_json::to_string(&mix).unwrap(), r#"{"chat":2,"trip-creation":1}"#);
        assert!(serde_json::from_str::<Mix>(r#"{"chats": 2}"#).unwrap_err().to_string().contains("unknown journey"));
        assert!(serde_json::from_str::<Mix>(r#"{"chat": 1.5}"#).is_err());
    }
}
