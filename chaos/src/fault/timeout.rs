//! `timeout`: a black hole. Bytes vanish, and the connection closes a while after the fault took hold of it, or never.
//!
//! Unlike Toxiproxy, data does not restart the clock, so a chatty connection also ends.
use std::{fmt, time::Duration};

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::{Error, whole_millis};
use crate::link::{Attributes, HELD_LITTLE, Kind, Leave, Queue, Reach, Step, Toxic};

/// Settings of a timeout in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// How long until a connection closes, such as `"2s"`; whole milliseconds, `"0ms"` for never.
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub after: Duration,
}

impl Timeout {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        Ok(vec![("timeout", whole_millis("after", self.after)?)])
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Duration::ZERO => f.write_str("timeout, never closing"),
            after => write!(f, "timeout, closing after {}", format_duration(after)),
        }
    }
}

pub(super) const KIND: Kind = Kind {
    name: "timeout",
    attributes: &["timeout"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: false,
    start: |attributes, start| {
        Box::new(BlackHole { timeout: attributes.millis("timeout"), started: start.now, has_swallowed: false })
    },
};

struct BlackHole {
    timeout: Duration,
    started: Instant,
    has_swallowed: bool,
}

impl Toxic for BlackHole {
    fn configure(&mut self, attributes: &Attributes) {
        self.timeout = attributes.millis("timeout");
    }

    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step {
        if let Some(chunk) = queue.pop() {
            self.has_swallowed = true;
            return Step::Dropped(chunk.bytes.len());
        }
        let due = self.started + self.timeout;
        if !self.timeout.is_zero() && due <= now {
            Step::Close
        } else if queue.has_ended() {
            Step::End(Duration::ZERO)
        } else if self.timeout.is_zero() {
            Step::Idle
        } else {
            Step::Wait(due)
        }
    }

    fn leave(&self) -> Leave {
        if self.has_swallowed { Leave::Close } else { Leave::Release }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn data_vanishes_and_does_not_restart_the_clock() {
        let mut bench = Bench::new(&KIND, &[("timeout", 500)]);
        assert_eq!(bench.step(0), Step::Wait(bench.at(500)));
        bench.arrive(450, b"abc");
        assert_eq!(bench.step(450), Step::Dropped(3));
        assert_eq!(bench.step(450), Step::Wait(bench.at(500)));
        assert_eq!(bench.step(500), Step::Close);
    }

    #[test]
    fn zero_never_closes_but_passes_the_end_on() {
        let mut bench = Bench::new(&KIND, &[]);
        bench.arrive(0, b"abc");
        assert_eq!(bench.step(0), Step::Dropped(3));
        assert_eq!(bench.step(u32::MAX.into()), Step::Idle);
        bench.queue.end();
        assert_eq!(bench.step(1), Step::End(Duration::ZERO));
    }

    #[test]
    fn only_a_connection_with_a_hole_must_close_when_the_fault_ends() {
        let mut bench = Bench::new(&KIND, &[]);
        assert_eq!(bench.toxic.leave(), Leave::Release);
        bench.arrive(0, b"abc");
        bench.step(0);
        assert_eq!(bench.toxic.leave(), Leave::Close);
    }
}
