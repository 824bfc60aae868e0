//! The clause that lets a gate end the run: `abort`, or `abort after 10s`.
use super::{ParseError, Word, token::Tokens};
use crate::units;
use std::time::Duration;

/// A gate that does not hold ends the run, as soon as that is sure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abort {
    /// … but not before so much of the gate's window has passed.
    pub after: Word<Duration>,
}

/// Reads what follows the word `abort`.
pub(super) fn clause(tokens: &mut Tokens<'_>) -> Result<Abort, ParseError> {
    let Some(after) = tokens.peek().filter(|token| token.text == "after") else {
        let end = tokens.peek().map_or_else(|| tokens.end(), |token| token.range.start);
        return Ok(Abort { after: Word { value: Duration::ZERO, range: end..end } });
    };
    tokens.skip();
    let token = tokens.next("a time such as `10s`")?;
    let value = units::parse_duration(token.text)
        .map_err(|_| token.not_a("a time", "write a number and a unit without a space, such as 10s"))?;
    Ok(Abort { after: Word { value, range: after.range.start..token.range.end } })
}
