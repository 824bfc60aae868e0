//! `slow_close`: data passes, the end of the stream arrives later.
use std::{fmt, time::Duration};

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::{Error, whole_millis};
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

/// Settings of a slow close in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowClose {
    /// How much later the end arrives, such as `"2s"`; whole milliseconds.
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub delay: Duration,
}

impl SlowClose {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        if self.delay.is_zero() {
            return Err(Error::NoEffect("a slow_close without delay does nothing"));
        }
        Ok(vec![("delay", whole_millis("delay", self.delay)?)])
    }
}

impl fmt::Display for SlowClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow_close {}", format_duration(self.delay))
    }
}

pub(super) const KIND: Kind = Kind {
    name: "slow_close",
    attributes: &["delay"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |attributes, _| Box::new(Linger { delay: attributes.millis("delay"), ended_at: None }),
};

struct Linger {
    delay: Duration,
    ended_at: Option<Instant>,
}

impl Toxic for Linger {
    fn configure(&mut self, attributes: &Attributes) {
        self.delay = attributes.millis("delay");
    }

    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step {
        if let Some(chunk) = queue.pop() {
            return Step::Pass(chunk);
        }
        if !queue.has_ended() {
            return Step::Idle;
        }
        let ended_at = *self.ended_at.get_or_insert(now);
        let due = ended_at + self.delay;
        if due <= now { Step::End(now - ended_at) } else { Step::Wait(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn data_passes_and_the_end_waits() {
        let mut bench = Bench::new(&KIND, &[("delay", 700)]);
        bench.arrive(0, b"a");
        bench.queue.end();
        assert!(matches!(bench.step(0), Step::Pass(_)));
        assert_eq!(bench.step(10), Step::Wait(bench.at(710)));
        assert_eq!(bench.step(710), Step::End(Duration::from_millis(700)));
    }
}
