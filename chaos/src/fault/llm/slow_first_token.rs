//! `slow_first_token`: the head of the answer comes, and then nothing for a while.
use std::fmt;

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokens;
use crate::{
    Length,
    fault::Error,
    forward::{Call, Deed, RequestFault, Step},
};

/// Settings of a slow first token in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowFirstToken {
    /// How much later it comes, such as `"5s"`.
    pub delay: Length,
}

impl RequestFault for SlowFirstToken {
    fn kind(&self) -> &'static str {
        "slow_first_token"
    }

    fn check(&self) -> Result<(), Error> {
        match self.delay.0.is_zero() {
            true => Err(Error::NoEffect("a first token that is not late is not slow")),
            false => Ok(()),
        }
    }

    fn concerns(&self, call: &Call) -> bool {
        tokens::is_asked(call)
    }

    fn deed(&self, _: &Call) -> Deed {
        let Length(delay) = self.delay;
        tokens::each(move |event, before| (before == 0).then(|| vec![Step::Wait(delay), Step::Send(event.raw.clone())]))
    }
}

impl fmt::Display for SlowFirstToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow_first_token {}", format_duration(self.delay.0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_token_alone_is_late() {
        let fault: SlowFirstToken = toml::from_str("delay = \"5s\"").unwrap();
        let seen = tokens::testing::streamed(&fault);
        let Some([Step::Wait(wait), Step::Send(_)]) = seen[1].as_deref() else { panic!("{seen:?}") };
        assert_eq!(*wait, Duration::from_secs(5));
        assert!(seen[0].is_none() && seen[2..].iter().all(Option::is_none), "{seen:?}");
        assert_eq!(fault.to_string(), "slow_first_token 5s");
        assert!(toml::from_str::<SlowFirstToken>("delay = \"0s\"").unwrap().check().is_err());
    }
}
