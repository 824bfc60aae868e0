//! The window of a gate: the word of a phase, or whole seconds such as `10s..30s`.
use super::{ParseError, Word, token::Token};
use crate::{summary::Window, units};

const HINT: &str = "write whole seconds since the start, the earlier first, such as 10s..30s";

/// Reads the word after `window`.
pub(super) fn window(token: &Token<'_>) -> Result<Word<Window>, ParseError> {
    let value = match token.text.split_once("..") {
        None => token.text.parse().expect("every word is a window"),
        Some((from, to)) => {
            let (from_s, to_s) = (seconds(from, token)?, seconds(to, token)?);
            if from_s >= to_s {
                return Err(token.not_a("a stretch of time", HINT));
            }
            Window::Span { from_s, to_s }
        }
    };
    Ok(Word { value, range: token.range.clone() })
}

fn seconds(text: &str, token: &Token<'_>) -> Result<u64, ParseError> {
    let duration = units::parse_duration(text).ok().filter(|duration| duration.subsec_nanos() == 0);
    Ok(duration.ok_or_else(|| token.not_a("a stretch of time in whole seconds", HINT))?.as_secs())
}
