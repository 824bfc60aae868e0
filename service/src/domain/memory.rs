//! What is remembered of a traveller.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest observation, in bytes.
pub(crate) const OBSERVATION_BYTES_MAX: usize = 2_000;

/// What is remembered about one subject.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub(crate) struct Memory {
    /// The subject.
    pub(crate) name: String,
    /// What was observed, as texts.
    pub(crate) observations: Vec<String>,
}

/// A text as an observation: its beginning, if it is too long.
pub(crate) fn observation(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(OBSERVATION_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_ends_at_a_character() {
        assert_eq!(observation("short".into()), "short");
        let long = observation(format!("x{}", "é".repeat(OBSERVATION_BYTES_MAX)));
        assert_eq!(long.len(), OBSERVATION_BYTES_MAX - 1);
    }
}
