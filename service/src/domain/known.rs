//! What the tools of a conversation have found: it stays with the session and goes from agent to agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Longest result that is kept, in bytes of JSON.
const RESULT_BYTES_MAX: usize = 4_096;

/// What a result is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Topic {
    Flights,
    Stays,
    Destinations,
    Weather,
}

/// The newest result of each topic.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Known(BTreeMap<Topic, Value>);

impl Topic {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Flights, Self::Stays, Self::Destinations, Self::Weather];

    /// Its name in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Flights => "flights",
            Self::Stays => "stays",
            Self::Destinations => "destinations",
            Self::Weather => "weather",
        }
    }
}

impl Known {
    /// Keeps a result in place of the one before, unless it is too long to carry along.
    pub(crate) fn learn(&mut self, topic: Topic, result: &Value) {
        if result.to_string().len() <= RESULT_BYTES_MAX {
            self.0.insert(topic, result.clone());
        }
    }

    /// Whether a journey can be planned: there are flights and stays.
    pub(crate) fn has_flights_and_stays(&self) -> bool {
        self.0.contains_key(&Topic::Flights) && self.0.contains_key(&Topic::Stays)
    }

    /// What is known of these topics.
    pub(crate) fn about(&self, topics: &[Topic]) -> impl Iterator<Item = (Topic, &Value)> {
        topics.iter().filter_map(|topic| self.0.get(topic).map(|result| (*topic, result)))
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_result_of_a_topic_is_known_unless_it_is_too_long() {
        let mut known = Known::default();
        assert!(known.is_empty());
        known.learn(Topic::Stays, &json!([1]));
        known.learn(Topic::Stays, &json!([2]));
        known.learn(Topic::Stays, &json!("x".repeat(RESULT_BYTES_MAX - 1)));
        assert_eq!(known.about(&Topic::ALL).collect::<Vec<_>>(), [(Topic::Stays, &json!([2]))]);
        assert_eq!(known.about(&[Topic::Flights]).count(), 0);
        assert!(!known.has_flights_and_stays());
        known.learn(Topic::Flights, &json!({}));
        assert!(known.has_flights_and_stays());
        let stored = serde_json::to_string(&known).unwrap();
        assert_eq!(stored, r#"{"flights":{},"stays":[2]}"#);
        assert_eq!(serde_json::from_str::<Known>(&stored).unwrap(), known);
    }

    #[test]
    fn a_topic_has_one_name() {
        for topic in Topic::ALL {
            assert_eq!(json!(topic), topic.as_str());
        }
    }
}
