//! `noop`: accepted, listed, and without effect; for testing a client.
use std::time::Duration;

use tokio::time::Instant;

use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

pub(super) const KIND: Kind = Kind {
    name: "noop",
    attributes: &[],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |_, _| Box::new(Nothing),
};

struct Nothing;

impl Toxic for Nothing {
    fn configure(&mut self, _attributes: &Attributes) {}

    fn step(&mut self, queue: &mut Queue, _now: Instant) -> Step {
        match queue.pop() {
            Some(chunk) => Step::Pass(chunk),
            None if queue.has_ended() => Step::End(Duration::ZERO),
            None => Step::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn everything_passes_untouched() {
        let mut bench = Bench::new(&KIND, &[]);
        bench.arrive(0, b"a");
        bench.queue.end();
        assert!(matches!(bench.step(0), Step::Pass(_)));
        assert_eq!(bench.step(0), Step::End(Duration::ZERO));
    }
}
