//! `close_after`: a connection closes a time after it was accepted, or, if it was open already, after the fault began.
use std::{fmt, time::Duration};

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::{Error, whole_millis};
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

/// Settings of an early close in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseAfter {
    /// How long a connection lives, such as `"2s"`; whole milliseconds, `"0ms"` for not at all.
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub delay: Duration,
}

impl CloseAfter {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        Ok(vec![("delay", whole_millis("delay", self.delay)?)])
    }
}

impl fmt::Display for CloseAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "close_after {}", format_duration(self.delay))
    }
}

pub(super) const KIND: Kind = Kind {
    name: "close_after",
    attributes: &["delay"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |attributes, start| Box::new(Mortal { delay: attributes.millis("delay"), started: start.now }),
};

struct Mortal {
    delay: Duration,
    started: Instant,
}

impl Toxic for Mortal {
    fn configure(&mut self, attributes: &Attributes) {
        self.delay = attributes.millis("delay");
    }

    /// Until its time comes everything passes; what was passed on by then is still delivered.
    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step {
        let due = self.started + self.delay;
        if due <= now {
            return Step::Close;
        }
        match queue.pop() {
            Some(chunk) => Step::Pass(chunk),
            None if queue.has_ended() => Step::End(Duration::ZERO),
            None => Step::Wait(due),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn a_connection_closes_in_its_time_whether_it_talks_or_not() {
        let mut bench = Bench::new(&KIND, &[("delay", 300)]);
        assert_eq!(bench.step(0), Step::Wait(bench.at(300)));
        bench.arrive(299, b"last");
        assert!(matches!(bench.step(299), Step::Pass(_)));
        bench.arrive(299, b"lost");
        assert_eq!(bench.step(300), Step::Close);
    }

    #[test]
    fn one_that_ends_by_itself_before_is_left_alone() {
        let mut bench = Bench::new(&KIND, &[("delay", 300)]);
        bench.queue.end();
        assert_eq!(bench.step(10), Step::End(Duration::ZERO));
    }
}
