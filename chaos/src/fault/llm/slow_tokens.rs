//! `slow_tokens`: each token after the first comes later than the one before it. An answer that is not streamed passes.
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

/// Settings of slow tokens in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowTokens {
    /// What is added between two of them, such as `"200ms"`.
    pub delay: Length,
}

impl RequestFault for SlowTokens {
    fn kind(&self) -> &'static str {
        "slow_tokens"
    }

    fn check(&self) -> Result<(), Error> {
        match self.delay.0.is_zero() {
            true => Err(Error::NoEffect("tokens without a delay between them are not slow")),
            false => Ok(()),
        }
    }

    fn concerns(&self, call: &Call) -> bool {
        tokens::is_asked(call)
    }

    fn deed(&self, _: &Call) -> Deed {
        let Length(delay) = self.delay;
        tokens::each(move |event, before| (before > 0).then(|| vec![Step::Wait(delay), Step::Send(event.raw.clone())]))
    }
}

impl fmt::Display for SlowTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow_tokens {} apart", format_duration(self.delay.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_but_the_first_is_late() {
        let fault: SlowTokens = toml::from_str("delay = \"200ms\"").unwrap();
        let late: Vec<bool> = tokens::testing::streamed(&fault).iter().map(Option::is_some).collect();
        assert_eq!(late, [false, false, true, true, false]);
        assert_eq!(fault.to_string(), "slow_tokens 200ms apart");
        assert!(toml::from_str::<SlowTokens>("delay = \"0s\"").unwrap().check().is_err());
    }
}
