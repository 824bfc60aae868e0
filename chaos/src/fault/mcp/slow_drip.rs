//! `slow_drip`: the answer comes in drops, at no more than a rate; what is left comes at once when the fault is lifted.
use std::{fmt, time::Duration};

use reports::units::format_size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    fault::{
        Error,
        setting::{read_byte_rate, write_byte_rate},
    },
    forward::{Call, Deed, RequestFault, Step},
};

/// Drops per second; a slower rate has a byte per drop.
const DROPS_PER_SECOND: u64 = 20;

/// Settings of a slow drip in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowDrip {
    /// How fast it comes, such as `"100B/s"`; above 0.
    #[serde(deserialize_with = "read_byte_rate", serialize_with = "write_byte_rate")]
    #[schemars(with = "String")]
    pub rate: u64,
}

impl RequestFault for SlowDrip {
    fn kind(&self) -> &'static str {
        "slow_drip"
    }

    fn check(&self) -> Result<(), Error> {
        match self.rate {
            0 => Err(Error::NoEffect("a rate of 0 never ends: write `stalled` for that")),
            _ => Ok(()),
        }
    }

    fn deed(&self, call: &Call) -> Deed {
        let drop_bytes = (self.rate / DROPS_PER_SECOND).max(1);
        let pause = Duration::from_nanos(1_000_000_000 * drop_bytes / self.rate);
        Deed::on_answer(call, move |event, _| {
            let size = usize::try_from(drop_bytes).unwrap_or(usize::MAX);
            let starts = (0..event.raw.len()).step_by(size);
            let drops = starts.map(|from| event.raw.slice(from..event.raw.len().min(from.saturating_add(size))));
            Some(drops.flat_map(|drop| [Step::Wait(pause), Step::Send(drop)]).collect())
        })
    }
}

impl fmt::Display for SlowDrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow_drip {}/s", format_size(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Bench;

    #[test]
    fn drops_and_pauses_make_the_rate() {
        let check = |rate: u64| {
            let [plain, _] = Bench::new().steps(&SlowDrip { rate }, &Bench::result());
            let (mut bytes, mut time) = (0, Duration::ZERO);
            for step in plain.unwrap() {
                match step {
                    Step::Send(drop) => bytes += drop.len(),
                    Step::Wait(pause) => time += pause,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(bytes, Bench::result().to_string().len());
            let seen = bytes as f64 / time.as_secs_f64();
            // The last drop may be smaller than its pause.
            assert!((seen / rate as f64 - 1.0).abs() < 0.2, "{rate}: {seen}");
        };
        check(1);
        check(100);
        check(1_000);
        assert!(SlowDrip { rate: 0 }.check().is_err());
        let fault: SlowDrip = toml::from_str("rate = \"100B/s\"").unwrap();
        assert_eq!((fault.rate, fault.to_string().as_str()), (100, "slow_drip 100B/s"));
    }
}
