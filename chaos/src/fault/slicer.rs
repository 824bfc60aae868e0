//! `slicer`: bytes arrive in small pieces, one after the other.
use std::{fmt, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use reports::units::{format_duration, format_size};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::{Error, read_size, whole_micros};
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

/// Settings of a slicer in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slicer {
    /// Size of a piece, such as `"64B"`.
    #[serde(deserialize_with = "read_size")]
    #[schemars(with = "String")]
    pub size: u64,
    /// The size is drawn evenly from `size - variation` to `size + variation`. 0 unless set.
    #[serde(default, deserialize_with = "read_size")]
    #[schemars(with = "String")]
    pub variation: u64,
    /// Pause between two pieces, such as `"100us"`; whole microseconds. 0 unless set.
    #[serde(default, with = "reports::units::duration")]
    #[schemars(with = "String")]
    pub delay: Duration,
}

impl Slicer {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        if self.size == 0 {
            return Err(Error::NoEffect("a slicer of size 0 does nothing"));
        }
        let delay_us = whole_micros("delay", self.delay)?;
        Ok(vec![("average_size", self.size), ("size_variation", self.variation), ("delay", delay_us)])
    }
}

impl fmt::Display for Slicer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slicer {}", format_size(self.size))?;
        if self.variation != 0 {
            write!(f, " ± {}", format_size(self.variation))?;
        }
        if !self.delay.is_zero() {
            write!(f, " every {}", format_duration(self.delay))?;
        }
        Ok(())
    }
}

pub(super) const KIND: Kind = Kind {
    name: "slicer",
    attributes: &["average_size", "size_variation", "delay"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |attributes, start| {
        Box::new(Knife {
            average_bytes: attributes.number("average_size"),
            variation_bytes: attributes.number("size_variation"),
            delay: attributes.micros("delay"),
            random: start.draw.stream(),
            ready_at: start.now,
        })
    },
};

struct Knife {
    average_bytes: u64,
    variation_bytes: u64,
    delay: Duration,
    random: ChaCha8Rng,
    /// No piece leaves before.
    ready_at: Instant,
}

impl Knife {
    fn draw_bytes(&mut self) -> usize {
        let least = self.average_bytes.saturating_sub(self.variation_bytes).max(1);
        let most = self.average_bytes.saturating_add(self.variation_bytes);
        usize::try_from(self.random.random_range(least..=most)).unwrap_or(usize::MAX)
    }
}

impl Toxic for Knife {
    fn configure(&mut self, attributes: &Attributes) {
        self.average_bytes = attributes.number("average_size");
        self.variation_bytes = attributes.number("size_variation");
        self.delay = attributes.micros("delay");
    }

    fn step(&mut self, queue: &mut Queue, now: Instant) -> Step {
        if queue.is_empty() {
            return if queue.has_ended() { Step::End(Duration::ZERO) } else { Step::Idle };
        }
        if self.ready_at > now {
            return Step::Wait(self.ready_at);
        }
        let bytes = if self.average_bytes == 0 { usize::MAX } else { self.draw_bytes() };
        match queue.take(bytes) {
            Some(piece) => {
                self.ready_at = now + self.delay;
                let late_by = now.saturating_duration_since(piece.read_at);
                Step::Late(piece, late_by)
            }
            None => Step::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    #[test]
    fn pieces_have_the_size_keep_their_order_and_pause() {
        let mut bench = Bench::new(&KIND, &[("average_size", 64), ("size_variation", 32), ("delay", 1000)]);
        let sent: Vec<u8> = (0..4_000_u32).map(|i| i as u8).collect();
        bench.arrive(0, &sent);
        bench.queue.end();
        let (mut received, mut ms, mut pieces) = (Vec::new(), 0, 0);
        loop {
            match bench.step(ms) {
                Step::Late(piece, _) => {
                    let is_last = received.len() + piece.bytes.len() == sent.len();
                    assert!((32..=96).contains(&piece.bytes.len()) || is_last, "{}", piece.bytes.len());
                    received.extend_from_slice(&piece.bytes);
                    pieces += 1;
                }
                Step::Wait(due) => {
                    ms += 1;
                    assert_eq!(due, bench.at(ms));
                }
                Step::End(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received, sent);
        assert!((50..=80).contains(&pieces), "4000 B in pieces of 64 B: {pieces}");
    }
}
