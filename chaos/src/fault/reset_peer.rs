//! `reset_peer`: the connection ends with RST on both sides, a while after the fault took hold of it.
//!
//! Unlike in Toxiproxy, connections that were open before are reset too, and so are silent ones.
use std::{fmt, time::Duration};

use reports::units::format_duration;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::{Error, whole_millis};
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

/// Settings of a reset in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPeer {
    /// How long until a connection is reset, such as `"300ms"`; whole milliseconds, `"0ms"` for at once.
    #[serde(with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub after: Duration,
}

impl ResetPeer {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        Ok(vec![("timeout", whole_millis("after", self.after)?)])
    }
}

impl fmt::Display for ResetPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Duration::ZERO => f.write_str("reset_peer at once"),
            after => write!(f, "reset_peer after {}", format_duration(after)),
        }
    }
}

pub(super) const KIND: Kind = Kind {
    name: "reset_peer",
    attributes: &["timeout"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: false,
    start: |attributes, start| Box::new(Reset { after: attributes.millis("timeout"), started: start.now }),
};

struct Reset {
    after: Duration,
    started: Instant,
}

impl Toxic for Reset {
    fn configure(&mut self, attributes: &Attributes) {
        self.after = attributes.millis("timeout");
    }

    /// Holds everything until the reset, so that removing the toxic before it loses nothing.
    fn step(&mut self, _queue: &mut Queue, now: Instant) -> Step {
        let due = self.started + self.after;
        if due <= now { Step::Reset } else { Step::Wait(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn a_silent_connection_is_reset_when_it_is_due() {
        let mut bench = Bench::new(&KIND, &[("timeout", 300)]);
        assert_eq!(bench.step(0), Step::Wait(bench.at(300)));
        bench.arrive(10, b"kept");
        assert_eq!(bench.step(299), Step::Wait(bench.at(300)));
        assert_eq!(bench.step(300), Step::Reset);
        assert_eq!(bench.queue.pop().unwrap().bytes, "kept");
    }
}
