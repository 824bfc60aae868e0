//! `keys_rotated`: a part restarts with another key to sign sessions with, so that it refuses every session that it had accepted. The
//! fault is the restart; the new key stays, and users have to log in again.
use super::{
    on_part::OnPart,
    restart::{event, over},
};
use crate::{
    injectors::{Off, On},
    parts::{Doing, PartError, Parts, SigningKey, With},
};

/// The fault.
pub(crate) struct KeysRotated;

impl OnPart for KeysRotated {
    fn name(&self) -> &'static str {
        "keys_rotated"
    }

    fn words(&self) -> String {
        "keys_rotated: restart in order with another signing key".to_owned()
    }

    fn apply<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, On> {
        Box::pin(event(parts, part, With { signing_key: SigningKey::Another, ..With::default() }))
    }

    fn check(&self, _: &dyn Parts, _: &str) -> Result<(), PartError> {
        Ok(())
    }

    fn lift<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, Off> {
        Box::pin(over(parts, part))
    }
}
