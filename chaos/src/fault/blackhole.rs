//! `blackhole`: connections are accepted, and then nothing, in both directions; open ones fall silent too. Nothing ever closes.
//!
//! Unlike `timeout`, which silences one direction and still passes the end of a stream on, not even an end comes through.
use tokio::time::Instant;

use crate::link::{Attributes, HELD_LITTLE, Kind, Leave, Queue, Reach, Step, Toxic};

pub(super) const KIND: Kind = Kind {
    name: "blackhole",
    attributes: &[],
    reach: Reach::BothStreams,
    held_bytes_max: HELD_LITTLE,
    hands_on: false,
    start: |_, _| Box::new(Silence::default()),
};

/// Swallows every byte and keeps the end of the stream to itself.
#[derive(Default)]
pub(super) struct Silence {
    has_swallowed: bool,
}

impl Toxic for Silence {
    fn configure(&mut self, _attributes: &Attributes) {}

    fn step(&mut self, queue: &mut Queue, _now: Instant) -> Step {
        match queue.pop() {
            Some(chunk) => {
                self.has_swallowed = true;
                Step::Dropped(chunk.bytes.len())
            }
            None => Step::Idle,
        }
    }

    /// The end of a stream was kept, not lost: with the toxic gone it flows on.
    fn leave(&self) -> Leave {
        if self.has_swallowed { Leave::Close } else { Leave::Release }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn neither_bytes_nor_the_end_come_through() {
        let mut bench = Bench::new(&KIND, &[]);
        assert_eq!(bench.toxic.leave(), Leave::Release);
        bench.arrive(0, b"abc");
        bench.queue.end();
        assert_eq!(bench.step(0), Step::Dropped(3));
        assert_eq!(bench.step(u32::MAX.into()), Step::Idle);
        assert_eq!(bench.toxic.leave(), Leave::Close, "its stream has a hole");
    }
}
